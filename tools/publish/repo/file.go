package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// write replaces the file at path by data, durably.
func write(path string, data []byte) error {
	if err := renameio.WriteFile(path, data, 0o644, renameio.WithTempDir(filepath.Dir(path)), renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// store copies what in holds into dir, as the target name, under the name that
// has the hash in front.
func store(dir, name string, in io.Reader) (*metadata.TargetFiles, error) {
	tmp, err := renameio.TempFile(dir, filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", name, err)
	}
	defer func() { _ = tmp.Cleanup() }() // nothing is left of it once it was renamed
	hash := sha256.New()
	length, err := io.Copy(io.MultiWriter(tmp, hash), in)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", name, err)
	}
	sum := hash.Sum(nil)
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync()); err != nil {
		return nil, fmt.Errorf("store %s: %w", name, err)
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, hex.EncodeToString(sum)+"."+name)); err != nil {
		return nil, fmt.Errorf("store %s: %w", name, err)
	}
	return &metadata.TargetFiles{Length: length, Hashes: metadata.Hashes{"sha256": sum}, Path: name}, syncDir(dir)
}

// measure returns what store would.
func measure(name string, in io.Reader) (*metadata.TargetFiles, error) {
	hash := sha256.New()
	length, err := io.Copy(hash, in)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &metadata.TargetFiles{Length: length, Hashes: metadata.Hashes{"sha256": hash.Sum(nil)}, Path: name}, nil
}

// keep stages a target, or only says what it would be.
func (r *Repository) keep(name string, in io.Reader, dry bool) (*metadata.TargetFiles, error) {
	if dry {
		return measure(name, in)
	}
	return store(r.path(staged, Targets), name, in)
}

// keepFile stages the file as a target, or only says what it would be.
func (r *Repository) keepFile(name, file string, dry bool) (*metadata.TargetFiles, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return r.keep(name, in, dry)
}

// fileName returns what the target name is called on the server.
func fileName(name string, t *metadata.TargetFiles) string {
	return hex.EncodeToString(t.Hashes["sha256"]) + "." + name
}

// publishFiles moves the staged files of targets to where nodes find them. A
// file that is there already was moved by a release that was cut off, or
// belonged to an earlier one.
func (r *Repository) publishFiles(t *targets) error {
	for name, target := range t.Signed.Targets {
		from, to := r.path(staged, Targets, fileName(name, target)), r.path(Public, Targets, fileName(name, target))
		err := os.Rename(from, to)
		if errors.Is(err, fs.ErrNotExist) {
			err = sizeIs(to, target.Length)
		}
		if err != nil {
			return fmt.Errorf("publish target %s: %w", name, err)
		}
	}
	return syncDir(r.path(Public, Targets))
}

func sizeIs(file string, want int64) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() != want {
		return fmt.Errorf("%s has %d bytes, want %d", file, info.Size(), want)
	}
	return nil
}
