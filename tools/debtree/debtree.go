// Package debtree unpacks Debian packages of any suite into a directory,
// together with all that they depend on. Nothing is installed.
//
// The programs in such a tree run with the tree as their root directory. No
// script of a package has been run: what those would have made is not there,
// such as the files of users and groups in /etc.
package debtree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// keyring holds the keys that sign the archive.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// ErrNoTools says that this machine lacks the programs that fetch and unpack
// packages.
var ErrNoTools = errors.New("needs apt-get and dpkg-deb")

// A Tree says what is unpacked where.
type Tree struct {
	Dir      string // absolute; made, and replaced when it is stale
	Suite    string // such as "trixie"
	Packages []string
	// Lock names the versions to take, and their hashes. Without it the newest
	// are taken.
	Lock Record
}

// Find reports whether t is there as it should be.
func (t Tree) Find() bool {
	got, err := os.ReadFile(filepath.Join(t.Dir, stampFile))
	return err == nil && string(got) == t.stamp()
}

// stampFile holds, inside a tree, what it was made of.
const stampFile = ".debtree"

// stamp identifies what t is made of. Newer versions of the packages do not
// make it stale: these are tools, and one that is there will do.
func (t Tree) stamp() string {
	names := slices.Sorted(slices.Values(t.Packages))
	stamp := fmt.Sprintf("%s %s\n%s\n", t.Suite, runtime.GOARCH, strings.Join(names, "\n"))
	for _, p := range t.Lock {
		stamp += fmt.Sprintf("%s %s %s\n", p.Name, p.Version, p.SHA256)
	}
	return stamp
}

// Forget makes the next Fetch take the newest packages. The tree stays until
// then.
func (t Tree) Forget() error {
	err := os.Remove(filepath.Join(t.Dir, stampFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Fetch makes t unless it is there. apt verifies what it fetches by the keys of
// the archive.
func (t Tree) Fetch(ctx context.Context, out io.Writer) (err error) {
	if t.Find() {
		return nil
	}
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("fetch packages of %s: %w", t.Suite, ErrNoTools)
		}
	}
	unlock, err := t.lock()
	if err != nil {
		return fmt.Errorf("fetch packages of %s: %w", t.Suite, err)
	}
	defer unlock()
	if t.Find() { // another program has made it meanwhile, and may be using it
		return nil
	}
	start := time.Now()
	fmt.Fprintf(out, "fetching %s of Debian %s\n", strings.Join(t.Packages, ", "), t.Suite)
	if err := t.make(ctx); err != nil {
		return fmt.Errorf("fetch packages of %s: %w", t.Suite, err)
	}
	fmt.Fprintf(out, "fetched and unpacked in %s\n", time.Since(start).Round(time.Second))
	return nil
}

// lock keeps other programs from making t until the returned function is called.
func (t Tree) lock() (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(t.Dir), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Dir(t.Dir))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func (t Tree) make(ctx context.Context) (err error) {
	work, err := os.MkdirTemp(filepath.Dir(t.Dir), ".debtree-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	archives, err := t.download(ctx, filepath.Join(work, "apt"))
	if err != nil {
		return err
	}
	fresh := filepath.Join(work, "tree")
	if err := t.unpack(ctx, archives, fresh); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fresh, stampFile), []byte(t.stamp()), 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(t.Dir); err != nil {
		return err
	}
	// Before this line there is no tree, after it there is a whole one.
	return os.Rename(fresh, t.Dir)
}

// download fetches the packages with all they depend on, and returns their
// files. apt works with state of its own below dir, in which nothing is
// installed yet; of this machine it only takes the way to the network.
func (t Tree) download(ctx context.Context, dir string) ([]string, error) {
	if err := t.index(ctx, dir); err != nil {
		return nil, err
	}
	archives := filepath.Join(dir, "cache", "archives")
	if t.Lock != nil {
		if err := t.downloadLocked(ctx, dir, archives); err != nil {
			return nil, err
		}
	} else if err := apt(ctx, dir, append([]string{"install", "--download-only", "--no-install-recommends"}, t.Packages...)...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(archives, "*.deb"))
}

// index fetches what the archive says that it has. apt keeps that below dir.
func (t Tree) index(ctx context.Context, dir string) error {
	from, err := findMirror(ctx)
	if err != nil {
		return err
	}
	archives := filepath.Join(dir, "cache", "archives")
	for _, d := range []string{filepath.Join(archives, "partial"), filepath.Join(dir, "lists", "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"status": "", "sources.list": t.sources(from)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return apt(ctx, dir, "update")
}

func (t Tree) sources(from mirror) string {
	line := func(url, suite string) string {
		return fmt.Sprintf("deb [arch=%s signed-by=%s] %s %s main\n", runtime.GOARCH, keyring, url, suite)
	}
	return line(from.main, t.Suite) + line(from.main, t.Suite+"-updates") + line(from.security, t.Suite+"-security")
}

func apt(ctx context.Context, dir string, args ...string) error {
	return aptIn(ctx, "", dir, args...)
}

// aptIn runs apt-get in the directory at in, with its state below dir.
func aptIn(ctx context.Context, in, dir string, args ...string) error {
	return run.Command{Dir: in, Args: slices.Concat([]string{"apt-get", "--yes", "--quiet"}, aptOptions(dir), args), Env: aptEnvironment}.Run(ctx)
}

var aptEnvironment = []string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}

// aptOptions make a program of apt's have its state below dir.
func aptOptions(dir string) (words []string) {
	for _, o := range []string{
		"Dir::State=" + dir,
		"Dir::State::status=" + filepath.Join(dir, "status"),
		"Dir::State::lists=" + filepath.Join(dir, "lists"),
		"Dir::Cache=" + filepath.Join(dir, "cache"),
		"Dir::Etc::sourcelist=" + filepath.Join(dir, "sources.list"),
		"Dir::Etc::sourceparts=/dev/null",
		"Dir::Etc::preferences=/dev/null",
		"Dir::Etc::preferencesparts=/dev/null",
		"Acquire::Languages=none",
		"Acquire::Retries=3",
		"APT::Update::Error-Mode=any", // half an update is none
		"APT::Sandbox::User=",         // the directory is open to this user only
	} {
		words = append(words, "-o", o)
	}
	return words
}

// unpack unpacks archives into dir, drops what no program reads, and notes what
// came from where.
func (t Tree) unpack(ctx context.Context, archives []string, dir string) error {
	if len(archives) == 0 {
		return errors.New("apt-get fetched nothing")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	var record Record
	owners := map[string]string{}
	for _, a := range archives {
		p, err := describe(ctx, a)
		if err != nil {
			return err
		}
		files, err := extract(ctx, a, dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			owners[f] = p.Name
		}
		record = append(record, p)
	}
	if err := t.check(record); err != nil {
		return err
	}
	share := filepath.Join(dir, "usr", "share")
	for _, name := range []string{"info", "locale", "man", "zoneinfo"} {
		if err := os.RemoveAll(filepath.Join(share, name)); err != nil {
			return err
		}
	}
	return errors.Join(
		keepLicences(filepath.Join(share, "doc")),
		writeJSON(filepath.Join(dir, recordFile), sortedByName(record)),
		writeJSON(filepath.Join(dir, ownersFile), owners),
	)
}

// Clone makes a tree at dir whose files are those of t, by hard links. Files
// may be added to it and removed from it; what is there must not be written to.
func (t Tree) Clone(dir string) error {
	return filepath.WalkDir(t.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.Dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		case d.Type().IsRegular():
			return os.Link(path, to)
		}
		return nil
	})
}
