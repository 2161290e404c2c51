// Package closure finds the files that other files of a tree cannot do
// without: what links point to, the libraries of programs, the modules that
// kernel modules depend on.
package closure

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Tree is the files that may be chosen from. Paths of its files are absolute,
// with the tree as the root.
type Tree struct {
	dir       string
	libraries []string            // directories that libraries are looked for in
	modules   map[string][]string // what a kernel module depends on
}

// Open returns the tree at dir.
func Open(dir string) (*Tree, error) {
	t := &Tree{dir: dir, modules: map[string][]string{}}
	for _, pattern := range []string{"usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/systemd", "usr/lib64", "usr/lib"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			t.libraries = append(t.libraries, strings.TrimPrefix(d, dir))
		}
	}
	lists, err := filepath.Glob(filepath.Join(dir, "usr/lib/modules/*/modules.dep"))
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		data, err := os.ReadFile(list)
		if err != nil {
			return nil, err
		}
		t.readModules(path.Dir(strings.TrimPrefix(list, dir)), string(data))
	}
	return t, nil
}

// readModules reads the list that depmod writes, in which paths are relative to
// base.
func (t *Tree) readModules(base, list string) {
	for line := range strings.Lines(list) {
		name, deps, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		for dep := range strings.FieldsSeq(deps) {
			from := path.Join(base, name)
			t.modules[from] = append(t.modules[from], path.Join(base, dep))
		}
	}
}

// Of returns paths and all that they need, sorted and each once.
func (t *Tree) Of(paths []string) ([]string, error) {
	seen := map[string]bool{}
	work := slices.Clone(paths)
	for len(work) > 0 {
		p := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[p] {
			continue
		}
		seen[p] = true
		needs, err := t.needs(p)
		if err != nil {
			return nil, fmt.Errorf("what %s needs: %w", p, err)
		}
		work = append(work, needs...)
	}
	out := make([]string, 0, len(seen))
	for p := range seen {
		out = append(out, p)
	}
	slices.Sort(out)
	return out, nil
}

func (t *Tree) needs(p string) ([]string, error) {
	info, err := os.Lstat(filepath.Join(t.dir, p))
	if err != nil {
		return nil, err
	}
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		return t.target(p)
	case !info.Mode().IsRegular():
		return nil, nil
	case t.modules[p] != nil:
		return t.modules[p], nil
	}
	return t.linked(p)
}

// target returns what the link p points to. One that leads out of the tree, as
// to /dev/null, needs nothing.
func (t *Tree) target(p string) ([]string, error) {
	to, err := os.Readlink(filepath.Join(t.dir, p))
	if err != nil {
		return nil, err
	}
	if !path.IsAbs(to) {
		to = path.Join(path.Dir(p), to)
	}
	to = merged(to)
	if _, err := os.Lstat(filepath.Join(t.dir, to)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return []string{to}, nil
}

// linked returns the loader and the libraries of the program or library p.
func (t *Tree) linked(p string) ([]string, error) {
	f, err := elf.Open(filepath.Join(t.dir, p))
	if _, ok := errors.AsType[*elf.FormatError](err); ok {
		return nil, nil
	}
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, nil // shorter than a header
	}
	defer f.Close()
	var out []string
	if s := f.Section(".interp"); s != nil {
		name, err := s.Data()
		if err != nil {
			return nil, err
		}
		out = append(out, merged(strings.TrimRight(string(name), "\x00")))
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		file, err := t.library(name)
		if err != nil {
			return nil, err
		}
		out = append(out, file)
	}
	return out, nil
}

func (t *Tree) library(name string) (string, error) {
	for _, dir := range t.libraries {
		if _, err := os.Lstat(filepath.Join(t.dir, dir, name)); err == nil {
			return path.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("there is no library %s", name)
}

// merged returns the path below /usr of a file that is also found at the top.
func merged(p string) string {
	for _, top := range []string{"/bin/", "/sbin/", "/lib/", "/lib64/"} {
		if strings.HasPrefix(p, top) {
			return "/usr" + p
		}
	}
	return p
}
