package up

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// madeFrom are the directories and files that an image is made from, tools that
// make it included.
var madeFrom = []string{"api", "go.work", "models", "packages", "sources", "tools", "variants"}

// sourcesOf returns a digest of what images are made from: names, sizes and
// times of change, as make looks at them. When it is wrong the image is built
// once too often, which takes seconds.
func sourcesOf(root workspace.Root) ([]byte, error) {
	h := sha256.New()
	for _, name := range madeFrom {
		err := filepath.WalkDir(root.Path(name), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && slices.Contains([]string{"testdata", "build"}, d.Name()):
				return fs.SkipDir
			case d.IsDir() || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look at the sources: %w", err)
		}
	}
	return fmt.Appendf(nil, "%x\n", h.Sum(nil)), nil
}

// A stamp is a file beside an image that tells what it was built from.
type stamp struct{ dir string }

func stampOf(dir string) stamp { return stamp{dir} }

func (s stamp) path() string { return filepath.Join(s.dir, "sources.stamp") }

func (s stamp) fits(sources []byte) bool {
	got, err := os.ReadFile(s.path())
	return err == nil && bytes.Equal(got, sources) && isFile(filepath.Join(s.dir, image.DiskFile)) == nil
}

func (s stamp) remove() error {
	if err := os.Remove(s.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s stamp) write(sources []byte) error { return os.WriteFile(s.path(), sources, 0o644) }
