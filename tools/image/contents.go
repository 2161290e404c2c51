package image

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// An entry is a file of the root file system: a directory, a link, or a file
// whose bytes are either given or those of another one.
type entry struct {
	mode   fs.FileMode
	link   string
	source string
	data   []byte
}

// contents are the files of the root file system, by absolute path.
type contents map[string]entry

func (c contents) dir(name string, perm fs.FileMode) { c[name] = entry{mode: fs.ModeDir | perm} }

func (c contents) link(name, target string) { c[name] = entry{mode: fs.ModeSymlink, link: target} }

func (c contents) file(name string, data []byte, perm fs.FileMode) {
	c[name] = entry{mode: perm, data: data}
}

// copy adds the file at source, on this machine, as it is there: a link stays a
// link. Nothing in an image has more rights than those of whoever runs it.
func (c contents) copy(name, source string) error {
	info, err := os.Lstat(source)
	if err != nil {
		return err
	}
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		to, err := os.Readlink(source)
		if err != nil {
			return err
		}
		c.link(name, to)
	case info.Mode().IsRegular():
		c[name] = entry{mode: info.Mode().Perm(), source: source}
	case info.IsDir():
		c.dir(name, info.Mode().Perm())
	default:
		return fmt.Errorf("%s is neither file, directory nor link", source)
	}
	return nil
}

func (c contents) has(name string) bool { _, ok := c[name]; return ok }

func (c contents) paths() []string { return slices.Sorted(maps.Keys(c)) }

// read returns the bytes of a file.
func (c contents) read(name string) ([]byte, error) {
	e, ok := c[name]
	if !ok || !e.mode.IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if e.source != "" {
		return os.ReadFile(e.source)
	}
	return e.data, nil
}

// write makes all files below dir, which must not be there.
func (c contents) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range c.paths() {
		if err := c[name].write(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	// Modes of directories are given last: some keep their files from being made.
	for _, name := range c.paths() {
		if e := c[name]; e.mode.IsDir() {
			if err := os.Chmod(filepath.Join(dir, name), e.mode.Perm()|e.mode&fs.ModeSticky); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e entry) write(to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	switch {
	case e.mode.IsDir():
		if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case e.mode.Type() == fs.ModeSymlink:
		return os.Symlink(e.link, to)
	}
	data := e.data
	if e.source != "" {
		var err error
		if data, err = os.ReadFile(e.source); err != nil {
			return err
		}
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		return err
	}
	return os.Chmod(to, e.mode.Perm()) // whatever the umask is
}

// unitDir holds the units of the image.
const unitDir = "/usr/lib/systemd/system"

// isWish reports whether name is a link by which a unit wants another one.
func isWish(name string) bool {
	dir := path.Dir(name)
	return path.Dir(dir) == unitDir && (strings.HasSuffix(dir, ".wants") || strings.HasSuffix(dir, ".requires"))
}

// dropWishes takes away the links by which units want what is not there.
func (c contents) dropWishes() {
	for name, e := range c {
		if isWish(name) && e.link != "/dev/null" && !c.hasUnit(path.Base(name)) {
			delete(c, name)
		}
	}
}

// hasUnit reports whether there is a unit called name, or one that it is an
// instance of.
func (c contents) hasUnit(name string) bool {
	at, dot := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.')
	if at >= 0 && dot > at {
		if c.has(path.Join(unitDir, name[:at+1]+name[dot:])) {
			return true
		}
	}
	return c.has(path.Join(unitDir, name))
}
