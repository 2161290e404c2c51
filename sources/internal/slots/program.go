package slots

import (
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// A program is what a boot program says of itself.
type program struct {
	root    string
	id      string // ID of its os-release
	sortKey string
	version string
}

// maxSection bounds what is read of a section.
const maxSection = 64 << 10

// readProgram reads the sections of a boot program that the loader and the kernel
// go by.
func readProgram(r io.ReaderAt) (p program, err error) {
	f, err := pe.NewFile(r)
	if err != nil {
		return p, fmt.Errorf("it is no boot program: %w", err)
	}
	defer f.Close()
	line, err := section(f, ".cmdline")
	if err != nil {
		return p, err
	}
	release, err := section(f, ".osrel")
	if err != nil {
		return p, err
	}
	if f.Section(".linux") == nil {
		return p, errors.New("it has no kernel")
	}
	values := map[string]string{}
	for l := range strings.Lines(release) {
		if name, value, ok := strings.Cut(strings.TrimSpace(l), "="); ok {
			values[name] = strings.Trim(value, `"'`)
		}
	}
	p = program{id: values["ID"], sortKey: values["IMAGE_ID"], version: values["IMAGE_VERSION"]}
	if p.sortKey == "" {
		p.sortKey = p.id
	}
	if p.version == "" {
		p.version = values["VERSION_ID"]
	}
	p.root, err = rootOf(line)
	return p, err
}

func section(f *pe.File, name string) (string, error) {
	s := f.Section(name)
	if s == nil {
		return "", fmt.Errorf("it has no section %s", name)
	}
	if s.Size > maxSection {
		return "", fmt.Errorf("its section %s has %d bytes, want at most %d", name, s.Size, maxSection)
	}
	b := make([]byte, min(s.Size, s.VirtualSize))
	if _, err := s.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read its section %s: %w", name, err)
	}
	return strings.TrimRight(string(b), "\x00"), nil
}

// rootOf returns the root hash on a command line, which has to have one.
func rootOf(line string) (string, error) {
	var found []string
	for word := range strings.FieldsSeq(line) {
		if word == "--" {
			break // the rest is for systemd
		}
		if value, ok := strings.CutPrefix(strings.Trim(word, `"`), "roothash="); ok {
			found = append(found, value)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("its command line has %d root hashes, want one", len(found))
	}
	h, err := verity.ParseRootHash(found[0])
	if err != nil {
		return "", err
	}
	return h.String(), nil
}
