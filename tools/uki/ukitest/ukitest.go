// Package ukitest makes programs for the firmware that do nothing, for tests of
// what is made of such programs.
package ukitest

import (
	"debug/pe"
	"encoding/binary"
)

// A Program is the smallest program that has a section.
type Program struct {
	Section         string // its name; ".sbat" if empty
	Spare           int    // headers of sections that there is room for
	Memory          uint32 // that it claims to need; two pages if zero
	Characteristics uint16 // of the optional header
}

// Bytes returns the program.
func (p Program) Bytes() []byte {
	const at = 0x40
	name, memory := p.Section, p.Memory
	if name == "" {
		name = ".sbat"
	}
	if memory == 0 {
		memory = 0x2000
	}
	put16, put32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	b := make([]byte, 0x400)
	copy(b, "MZ")
	put32(b[0x3c:], at)
	copy(b[at:], "PE\x00\x00")
	file := b[at+4:]
	put16(file, pe.IMAGE_FILE_MACHINE_AMD64)
	put16(file[2:], 1)
	put16(file[16:], 240)
	optional := file[20:]
	put16(optional, 0x20b)
	put32(optional[32:], 0x1000)
	put32(optional[36:], 0x200)
	put32(optional[56:], memory)
	put32(optional[60:], uint32(at+24+240+40*(1+p.Spare)))
	put32(optional[64:], 0xdeadbeef) // a checksum
	put16(optional[70:], p.Characteristics)
	put32(optional[108:], 16)
	section := optional[240:]
	copy(section, name)
	put32(section[8:], 0x10)
	put32(section[12:], 0x1000)
	put32(section[16:], 0x200)
	put32(section[20:], 0x200)
	return b
}
