package debtree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// A Package is a Debian package that a tree holds.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	Source  string `json:"source"` // name and version of the source package, as "systemd 257.13-1"
	SHA256  string `json:"sha256"` // of the .deb file, in hex
	Size    int64  `json:"size"`   // of the .deb file, in bytes
}

// A Record is what a tree was made of.
type Record []Package

// recordFile and ownersFile hold, inside a tree, its record and the package of
// each file.
const (
	recordFile = ".debtree.json"
	ownersFile = ".debtree-files.json"
)

// Record returns what the tree that is there was made of.
func (t Tree) Record() (Record, error) {
	var r Record
	return r, t.read(recordFile, &r)
}

// Owners returns the name of the package of each file, by absolute path.
func (t Tree) Owners() (map[string]string, error) {
	var m map[string]string
	return m, t.read(ownersFile, &m)
}

func (t Tree) read(name string, to any) error {
	text, err := os.ReadFile(filepath.Join(t.Dir, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(t.Dir, name), err)
	}
	return nil
}

func writeJSON(file string, what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// describe returns the package in the file at archive.
func describe(ctx context.Context, archive string) (Package, error) {
	const format = "${Package}\n${Version}\n${Architecture}\n${source:Package} ${source:Version}\n"
	out, err := run.Command{Args: []string{"dpkg-deb", "--show", "--showformat=" + format, archive}}.Output(ctx)
	if err != nil {
		return Package{}, err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 4 {
		return Package{}, fmt.Errorf("dpkg-deb describes %s in %d lines, want 4", filepath.Base(archive), len(lines))
	}
	p := Package{Name: lines[0], Version: lines[1], Arch: lines[2], Source: lines[3]}
	p.SHA256, p.Size, err = sum(archive)
	return p, err
}

func sum(file string) (string, int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// extract unpacks the archive into dir and returns the absolute paths of its
// files.
func extract(ctx context.Context, archive, dir string) ([]string, error) {
	out, err := run.Command{Args: []string{"dpkg-deb", "--vextract", archive, dir}, Env: []string{"LC_ALL=C"}}.Output(ctx)
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(string(out)) {
		name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "./")
		if !ok || strings.HasSuffix(name, "/") || name == "" {
			continue
		}
		files = append(files, "/"+name)
	}
	return files, nil
}

// ErrGone says that the mirror no longer has a version of a package.
var ErrGone = errors.New("the mirror has it no more: name one that keeps old versions with " + MirrorVariable)

// downloadLocked fetches the very packages of t.Lock into dir.
func (t Tree) downloadLocked(ctx context.Context, dir, archives string) error {
	words := []string{"download"}
	for _, p := range t.Lock {
		words = append(words, p.Name+"="+p.Version)
	}
	if err := aptIn(ctx, archives, dir, words...); err != nil {
		return fmt.Errorf("%w (%w)", err, ErrGone)
	}
	return nil
}

// check compares what was fetched with the lock.
func (t Tree) check(got Record) error {
	if t.Lock == nil {
		return nil
	}
	var errs []error
	want := map[string]Package{}
	for _, p := range t.Lock {
		want[p.Name] = p
	}
	for _, p := range got {
		if w, ok := want[p.Name]; !ok || w.SHA256 != p.SHA256 {
			errs = append(errs, fmt.Errorf("package %s %s has the SHA-256 %s, the lock wants %s of %s", p.Name, p.Version, p.SHA256, w.SHA256, w.Version))
		}
		delete(want, p.Name)
	}
	for name := range want {
		errs = append(errs, fmt.Errorf("package %s of the lock was not fetched", name))
	}
	return errors.Join(errs...)
}

// sortedByName puts a record into its order.
func sortedByName(r Record) Record {
	slices.SortFunc(r, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	return r
}

// keepLicences leaves of the directory of documentation what says under which
// licence a package comes, and the links by which packages of one source share
// that.
func keepLicences(doc string) error {
	return filepath.WalkDir(doc, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == doc {
			return nil
		}
		if err != nil || d.IsDir() || d.Name() == "copyright" || d.Type() == fs.ModeSymlink {
			return err
		}
		return os.Remove(p)
	})
}
