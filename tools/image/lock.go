package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
)

// A Lock names the Debian packages that an image is made of and with, each with
// its version and hash: with the same sources the same lock gives the same
// bytes.
type Lock struct {
	Suite  string         `json:"suite"`
	Debian debtree.Record `json:"debian"` // that files are taken from
	Tools  debtree.Record `json:"tools"`  // that make the image
}

// trees decides which packages are fetched where.
func (b *builder) trees() error {
	b.debian = debtree.Tree{Dir: b.root.Path("build", "image", b.opt.Debian, "debian"), Suite: suite, Packages: debianPackages(b.fetched)}
	b.toolsTree = toolsTree(b.root)
	if b.opt.Lock != "" {
		lock, err := readLock(b.opt.Lock)
		if err != nil {
			return err
		}
		// Trees of their own: those of the newest packages stay as they are.
		b.debian.Dir, b.debian.Lock = b.temp("debian-locked"), lock.Debian
		b.toolsTree.Dir, b.toolsTree.Lock = b.temp("tools-locked"), lock.Tools
	}
	b.tools = tools(b.toolsTree.Dir)
	return nil
}

func readLock(file string) (Lock, error) {
	var l Lock
	text, err := os.ReadFile(file)
	if err != nil {
		return l, fmt.Errorf("lock: %w", err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("lock %s: %w", file, err)
	}
	if l.Suite != suite || len(l.Debian) == 0 || len(l.Tools) == 0 {
		return l, fmt.Errorf("lock %s: suite %q with %d packages and %d tools, want %q and some of each", file, l.Suite, len(l.Debian), len(l.Tools), suite)
	}
	return l, nil
}

func (b *builder) writeLock() error {
	l := Lock{Suite: suite}
	var errs [2]error
	l.Debian, errs[0] = b.debian.Record()
	l.Tools, errs[1] = b.toolsTree.Record()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	return writeJSON(b.out(LockFile), l)
}

func writeJSON(file string, what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
