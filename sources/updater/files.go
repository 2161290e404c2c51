package updater

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/api/blockpatch"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
)

// A spool is a directory in which targets are collected that are used as a whole.
// What is in it under its own name was verified; what was cut off is gone on with.
type spool struct{ dir string }

// name returns the name of the file of a target.
func (s spool) name(t repoclient.Target) string {
	sum := sha256.Sum256([]byte(t.Path + "\x00" + t.SHA256()))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:12]))
}

// partSuffix ends the names of files that are not complete.
const partSuffix = ".part"

// attempts is how often a target that is not what was signed is asked for.
const attempts = 3

// fetch returns the name of a file that is t.
func (s spool) fetch(ctx context.Context, from source, t repoclient.Target) (string, error) {
	name := s.name(t)
	if checkFile(name, t) == nil {
		return name, nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", err
	}
	if err := room(s.dir, t.Length); err != nil {
		return "", err
	}
	blob, err := from.Blob(t)
	if err != nil {
		return "", err
	}
	var last error
	for attempt := range attempts {
		last = s.complete(ctx, name+partSuffix, t, func(w io.Writer, off int64) error {
			return blob.Copy(ctx, w, off, t.Length-off, download.Leniently, attempt)
		})
		if last == nil {
			return name, os.Rename(name+partSuffix, name)
		}
		if !errors.Is(last, repoclient.ErrRefused) {
			break
		}
		if err := os.Remove(name + partSuffix); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("fetch %s: %w", t.Name, last)
}

// complete appends what is missing of t to a file.
func (s spool) complete(ctx context.Context, name string, t repoclient.Target, rest func(w io.Writer, off int64) error) (err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	have := info.Size()
	if have > t.Length {
		have = 0
	}
	if err := f.Truncate(have); err != nil {
		return err
	}
	v := t.NewVerifier()
	if _, err := io.CopyN(v, f, have); err != nil {
		return err
	}
	if have < t.Length {
		if err := rest(io.MultiWriter(f, v), have); err != nil {
			return err
		}
	}
	if err := v.Verdict(); err != nil {
		return err
	}
	return f.Sync()
}

func checkFile(name string, t repoclient.Target) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.Check(f)
}

// make returns the name of a file that is t, made with a patch from old.
func (s spool) make(t repoclient.Target, patch string, old io.ReaderAt) (_ string, err error) {
	p, err := os.Open(patch)
	if err != nil {
		return "", err
	}
	defer p.Close()
	name := s.name(t)
	f, err := os.OpenFile(name+partSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name+partSuffix))
		}
	}()
	v := t.NewVerifier()
	err = errors.Join(blockpatch.Whole(p, old, io.MultiWriter(f, v)), f.Sync(), f.Close())
	if err == nil {
		err = v.Verdict()
	}
	if err != nil {
		return "", fmt.Errorf("make %s with a patch: %w", t.Name, err)
	}
	return name, os.Rename(name+partSuffix, name)
}

// clear removes all but the files called keep.
func (s spool) clear(keep ...string) error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, name := range keep {
		kept[filepath.Base(name)], kept[filepath.Base(name)+partSuffix] = true, true
	}
	for _, e := range entries {
		if !kept[e.Name()] && !e.IsDir() {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, e.Name())))
		}
	}
	return err
}
