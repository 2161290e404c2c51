// Package kmod loads kernel modules.
//
// It reads the text files that depmod writes beside the modules, and needs
// none of its binary ones.
package kmod

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// A Set is the modules in the directory of one kernel version.
type Set struct {
	files   map[string]file    // by name
	aliases map[string][]alias // by the kind of device, which is what stands before the colon
	before  map[string][]string
	after   map[string][]string
}

type file struct {
	path  string
	needs []string // names, in the order in which they are loaded
}

type alias struct{ pattern, module string }

// Read reads modules.dep, modules.alias and, if there is one, modules.softdep.
func Read(dir fs.FS) (*Set, error) {
	s := &Set{files: map[string]file{}, aliases: map[string][]alias{}, before: map[string][]string{}, after: map[string][]string{}}
	for _, index := range []struct {
		name     string
		line     func(string) error
		required bool
	}{
		{"modules.dep", s.addFile, true},
		{"modules.alias", s.addAlias, true},
		{"modules.softdep", s.addSoft, false},
	} {
		err := eachLine(dir, index.name, index.line)
		if err != nil && (index.required || !errors.Is(err, fs.ErrNotExist)) {
			return nil, fmt.Errorf("read the list of kernel modules: %w", err)
		}
	}
	return s, nil
}

// eachLine calls f for each line of a file that is neither empty nor a comment.
func eachLine(dir fs.FS, name string, f func(string) error) error {
	r, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f(line); err != nil {
			return fmt.Errorf("%s: line %d: %w", name, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// addFile reads "a/b.ko: c.ko d.ko". What is listed last is loaded first.
func (s *Set) addFile(line string) error {
	name, rest, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("%q has no colon", line)
	}
	f := file{path: name}
	needs := strings.Fields(rest)
	for i := len(needs) - 1; i >= 0; i-- {
		f.needs = append(f.needs, moduleName(needs[i]))
	}
	s.files[moduleName(name)] = f
	return nil
}

// addAlias reads "alias PATTERN MODULE".
func (s *Set) addAlias(line string) error {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "alias" {
		return fmt.Errorf("%q is not \"alias PATTERN MODULE\"", line)
	}
	pattern := underscores(words[1])
	kind, _, _ := strings.Cut(pattern, ":")
	s.aliases[kind] = append(s.aliases[kind], alias{pattern: pattern, module: moduleName(words[2])})
	return nil
}

// addSoft reads "softdep MODULE pre: a b post: c".
func (s *Set) addSoft(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "softdep" {
		return fmt.Errorf("%q is not \"softdep MODULE …\"", line)
	}
	name := moduleName(words[1])
	var list map[string][]string
	for _, w := range words[2:] {
		switch {
		case w == "pre:":
			list = s.before
		case w == "post:":
			list = s.after
		case list != nil:
			list[name] = append(list[name], moduleName(w))
		}
	}
	return nil
}

// ForDevice returns the names of the modules that drive a device which the
// kernel describes as modalias.
func (s *Set) ForDevice(modalias string) []string {
	modalias = underscores(modalias)
	kind, _, _ := strings.Cut(modalias, ":")
	var names []string
	for _, a := range s.aliases[kind] {
		if match(a.pattern, modalias) {
			names = append(names, a.module)
		}
	}
	return names
}

// moduleName returns the name under which the kernel knows the module of a file.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return underscores(name)
}

// underscores makes hyphens what the kernel makes of them in names.
func underscores(s string) string { return strings.ReplaceAll(s, "-", "_") }
