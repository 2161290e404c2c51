package bootbench

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/image"
)

// The change of which it is measured what it changes in the image: another word
// in a text of the program that holds most of ours.
const (
	changed = "sources/console/command.go"
	was     = "Show on the console how the node is"
	becomes = "Tell on the console how the node is"
)

// blockSize is the unit in which an update takes over what it has.
const blockSize = 4096

// change measures what of the root image a small change of a program changes.
func (b *bench) change(ctx context.Context) error {
	b.progress("what another word in a program changes in the image, which is built again")
	overlay, err := b.overlay()
	if err != nil {
		return err
	}
	other := filepath.Join(b.dir, "other")
	opt := image.Options{Variant: variant, Version: version, Out: other, Work: filepath.Join(b.dir, "work"), Overlay: overlay}
	if err := image.Build(ctx, b.root, opt, io.Discard); err != nil {
		return err
	}
	share, err := changedBlocks(filepath.Join(b.image, image.RootFile), filepath.Join(other, image.RootFile))
	if err != nil {
		return err
	}
	if share == 0 {
		return fmt.Errorf("the image does not change with %s", changed)
	}
	const bar = 0.01
	b.add("blocks of the root image that another word in bulkhead changes", "≤ "+percent(bar), percent(share), share <= bar)
	return os.RemoveAll(other)
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

// overlay returns a file that tells the go command of the change.
func (b *bench) overlay() (string, error) {
	source := b.root.Path(filepath.FromSlash(changed))
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(text), was) {
		return "", fmt.Errorf("%s does not contain %q", changed, was)
	}
	fresh, file := filepath.Join(b.dir, "changed.go"), filepath.Join(b.dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {source: fresh}})
	if err != nil {
		return "", err
	}
	return file, errors.Join(
		os.WriteFile(fresh, []byte(strings.ReplaceAll(string(text), was, becomes)), 0o644),
		os.WriteFile(file, list, 0o644),
	)
}

// changedBlocks returns the share of the blocks of the file at fresh that the one
// at old does not have anywhere.
func changedBlocks(old, fresh string) (float64, error) {
	have, _, err := blocks(old, nil)
	if err != nil {
		return 0, err
	}
	_, others, err := blocks(fresh, have)
	if err != nil {
		return 0, err
	}
	return others, nil
}

// blocks returns the hashes of the blocks of a file, and the share of those that
// are not in known.
func blocks(file string, known map[[sha256.Size]byte]bool) (map[[sha256.Size]byte]bool, float64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	all := map[[sha256.Size]byte]bool{}
	count, other := 0, 0
	buf := make([]byte, blockSize)
	for {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			h := sha256.Sum256(buf[:n])
			all[h] = true
			count++
			if !known[h] {
				other++
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return all, float64(other) / float64(max(count, 1)), nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}
