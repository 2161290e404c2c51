// Package addon makes programs for the firmware that do nothing but add words to
// the command line of the kernel.
//
// systemd's boot stub looks for them beside the kernel that it starts. Where
// Secure Boot is on, it takes only those that somebody trusted has signed.
package addon

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Suffix is how the names of addons end.
const Suffix = ".addon.efi"

// section is where the stub looks for the words.
const section = ".cmdline"

// Flags of the section: data that is there from the start, and only read.
const sectionFlags = 0x40000040

// headerSize is that of the header of a section.
const headerSize = 40

// Build returns the addon with the given words, made of stub: systemd's program
// for addons.
func Build(stub []byte, cmdline string) ([]byte, error) {
	f, err := pe.NewFile(bytes.NewReader(stub))
	if err != nil {
		return nil, fmt.Errorf("read the stub of addons: %w", err)
	}
	defer f.Close()
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	switch {
	case !ok:
		return nil, errors.New("the stub of addons is not a 64-bit program")
	case !isAlignment(h.SectionAlignment) || !isAlignment(h.FileAlignment):
		return nil, fmt.Errorf("the stub of addons wants sections at multiples of %d and %d bytes", h.SectionAlignment, h.FileAlignment)
	case len(f.Sections) == 0:
		return nil, errors.New("the stub of addons has no sections")
	case f.Section(section) != nil:
		return nil, errors.New("the stub of addons has a command line already")
	}
	file := int(binary.LittleEndian.Uint32(stub[0x3c:])) + 4
	optional := file + 20
	at := optional + int(f.SizeOfOptionalHeader) + len(f.Sections)*headerSize
	if at+headerSize > int(h.SizeOfHeaders) || at+headerSize > len(stub) {
		return nil, errors.New("the stub of addons has no room for the header of a section")
	}
	last := f.Sections[len(f.Sections)-1]
	address := roundUp(last.VirtualAddress+last.VirtualSize, h.SectionAlignment)
	start := roundUp(uint32(len(stub)), h.FileAlignment)
	size := roundUp(uint32(len(cmdline)), h.FileAlignment)

	out := make([]byte, start+size)
	copy(out, stub)
	copy(out[start:], cmdline)
	header := out[at : at+headerSize]
	copy(header, section)
	put := binary.LittleEndian.PutUint32
	put(header[8:], uint32(len(cmdline)))
	put(header[12:], address)
	put(header[16:], size)
	put(header[20:], start)
	put(header[36:], sectionFlags)

	binary.LittleEndian.PutUint16(out[file+2:], uint16(len(f.Sections)+1))
	put(out[optional+8:], h.SizeOfInitializedData+size)
	put(out[optional+56:], roundUp(address+uint32(len(cmdline)), h.SectionAlignment))
	put(out[optional+64:], 0) // a checksum that nobody checks
	return out, nil
}

// isAlignment reports whether sections of any program begin at multiples of n.
func isAlignment(n uint32) bool { return n > 0 && n <= 64<<10 && n&(n-1) == 0 }

func roundUp(n, to uint32) uint32 { return (n + to - 1) / to * to }

// Cmdline returns the words of an addon.
func Cmdline(addon []byte) (string, error) {
	f, err := pe.NewFile(bytes.NewReader(addon))
	if err != nil {
		return "", err
	}
	defer f.Close()
	s := f.Section(section)
	if s == nil {
		return "", errors.New("it has no command line")
	}
	data, err := s.Data()
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(data[:min(int(s.VirtualSize), len(data))]), "\x00"), nil
}
