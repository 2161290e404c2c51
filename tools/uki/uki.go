// Package uki puts a kernel, what it starts with and its command line into one
// program for the firmware.
//
// The program is systemd's stub with sections added to it, which the stub finds
// by their names when it runs.
package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
)

// Parts are what the stub is given.
type Parts struct {
	OSRelease string
	Cmdline   string
	Uname     string // version of the kernel
	Initrd    []byte
	Kernel    []byte
}

// Flags of sections.
const (
	contentCode = 0x00000020
	contentData = 0x00000040
	memoryRead  = 0x40000000
)

// nxCompatible says, in the header of a program, that it never runs what it
// may write to.
const nxCompatible = 0x0100

type section struct {
	name  string
	data  []byte
	space uint32 // in memory, where that is more than data
	flags uint32
}

// Build returns stub with the parts in it.
func Build(stub []byte, p Parts) ([]byte, error) {
	img, err := parse(stub)
	if err != nil {
		return nil, fmt.Errorf("read the stub: %w", err)
	}
	kernel, err := parse(p.Kernel)
	if err != nil {
		return nil, fmt.Errorf("read the kernel: %w", err)
	}
	// Firmware that keeps data from being run must not do so for a kernel that
	// cannot stand it.
	if kernel.get16(kernel.optional+70)&nxCompatible == 0 {
		img.put16(img.optional+70, img.get16(img.optional+70)&^nxCompatible)
	}
	sections := []section{
		{name: ".osrel", data: []byte(p.OSRelease), flags: contentData},
		{name: ".cmdline", data: []byte(p.Cmdline), flags: contentData},
		{name: ".uname", data: []byte(p.Uname), flags: contentData},
		{name: ".initrd", data: p.Initrd, flags: contentData},
		// The last, since it takes more room in memory than in the file: the stub
		// runs it where it is.
		{name: ".linux", data: p.Kernel, space: kernel.get32(kernel.optional + 56), flags: contentCode},
	}
	for _, s := range sections {
		if err := img.add(s); err != nil {
			return nil, fmt.Errorf("add section %s: %w", s.name, err)
		}
	}
	img.put32(img.optional+64, 0) // a checksum that nobody checks
	return img.b, nil
}

// Addon returns stub, systemd's one for addons, with words for the command line
// in it. The stub of a boot program takes them from addons that lie beside it.
func Addon(stub []byte, cmdline string) ([]byte, error) {
	img, err := parse(stub)
	if err != nil {
		return nil, fmt.Errorf("read the stub of addons: %w", err)
	}
	if err := img.add(section{name: ".cmdline", data: []byte(cmdline), flags: contentData}); err != nil {
		return nil, fmt.Errorf("add section .cmdline: %w", err)
	}
	img.put32(img.optional+64, 0) // as above
	return img.b, nil
}

// A program is a PE file whose headers can be changed.
type program struct {
	b        []byte
	file     int // where the file header begins
	optional int // where the optional header begins
	sections int // where the section headers begin
}

const sectionHeaderSize = 40

func parse(b []byte) (*program, error) {
	f, err := pe.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, ok := f.OptionalHeader.(*pe.OptionalHeader64); !ok {
		return nil, errors.New("not a 64-bit program")
	}
	p := &program{b: bytes.Clone(b)}
	p.file = int(p.get32(0x3c)) + 4
	p.optional = p.file + 20
	p.sections = p.optional + int(f.SizeOfOptionalHeader)
	if f.PointerToSymbolTable != 0 {
		return nil, errors.New("it has a symbol table")
	}
	return p, nil
}

func (p *program) get16(at int) uint16    { return binary.LittleEndian.Uint16(p.b[at:]) }
func (p *program) get32(at int) uint32    { return binary.LittleEndian.Uint32(p.b[at:]) }
func (p *program) put16(at int, v uint16) { binary.LittleEndian.PutUint16(p.b[at:], v) }
func (p *program) put32(at int, v uint32) { binary.LittleEndian.PutUint32(p.b[at:], v) }
func (p *program) count() int             { return int(p.get16(p.file + 2)) }
func (p *program) header(i int) int       { return p.sections + i*sectionHeaderSize }
func (p *program) sectionAlign() uint32   { return p.get32(p.optional + 32) }
func (p *program) fileAlign() uint32      { return p.get32(p.optional + 36) }
func roundUp(n, to uint32) uint32         { return (n + to - 1) / to * to }
func (p *program) extend(size uint32)     { p.b = append(p.b, make([]byte, int(size)-len(p.b))...) }

// add appends s, behind all others in the file and in memory.
func (p *program) add(s section) error {
	n := p.count()
	at := p.header(n)
	if limit := p.get32(p.optional + 60); uint32(at+sectionHeaderSize) > limit {
		return errors.New("there is no room for another section header")
	}
	if !bytes.Equal(p.b[at:at+sectionHeaderSize], make([]byte, sectionHeaderSize)) {
		return errors.New("something stands where the section header belongs")
	}
	last := p.header(n - 1)
	address := roundUp(p.get32(last+12)+p.get32(last+8), p.sectionAlign())
	start := roundUp(uint32(len(p.b)), p.fileAlign())
	size := roundUp(uint32(len(s.data)), p.fileAlign())
	space := max(s.space, uint32(len(s.data)))

	copy(p.b[at:at+8], s.name)
	p.put32(at+8, space)
	p.put32(at+12, address)
	p.put32(at+16, size)
	p.put32(at+20, start)
	p.put32(at+36, s.flags|memoryRead)

	p.extend(start)
	p.b = append(p.b, s.data...)
	p.extend(start + size)
	p.put16(p.file+2, uint16(n+1))
	p.put32(p.optional+8, p.get32(p.optional+8)+space) // size of initialized data
	p.put32(p.optional+56, roundUp(address+space, p.sectionAlign()))
	return nil
}
