// Package disk lays partitions out on a disk.
package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"unicode/utf16"
)

// SectorSize is the unit in which a disk is addressed.
const SectorSize = 512

// Where partitions may lie: they begin at multiples of 1 MiB, and the tables
// take some room at both ends.
const (
	align        = 1 << 20
	entrySize    = 128
	entryCount   = 128
	tableSectors = entrySize * entryCount / SectorSize
)

// A GUID is an identifier as the partition table has it.
type GUID [16]byte

// ParseGUID returns the GUID written as s, such as
// "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".
func ParseGUID(s string) (GUID, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 || len(s) != 36 {
		return GUID{}, fmt.Errorf("%q is not a GUID", s)
	}
	return GUIDOf([16]byte(b)), nil
}

// GUIDOf returns the GUID whose text has the digits of b. In the table its
// first three parts have their bytes the other way round.
func GUIDOf(b [16]byte) GUID {
	return GUID{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}

// String returns g as it is written.
func (g GUID) String() string {
	b := GUIDOf(g) // its own inverse
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// A Partition is a part of a disk.
type Partition struct {
	Name       string
	Type, UUID GUID
	Size       int64 // bytes; a multiple of 1 MiB
	ReadOnly   bool
	Content    string // file that it begins with; empty for none
}

// readOnly is the flag of the discoverable-partition types that says that a
// partition is not to be written to.
const readOnly = 1 << 60

// A Layout is what is on a disk.
type Layout struct {
	UUID       GUID
	Size       int64 // bytes; a multiple of 1 MiB
	Partitions []Partition
}

// Need returns the least size of a disk with the partitions of l.
func (l Layout) Need() int64 {
	size := int64(2 * align) // for the tables
	for _, p := range l.Partitions {
		size += p.Size
	}
	return size
}

// Write makes the disk as a file at path, with holes where nothing is.
func (l Layout) Write(path string) (err error) {
	if err := l.check(); err != nil {
		return fmt.Errorf("write disk %s: %w", path, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(l.Size); err != nil {
		return err
	}
	start := int64(align)
	for _, p := range l.Partitions {
		if err := fill(f, start, p); err != nil {
			return fmt.Errorf("write partition %s: %w", p.Name, err)
		}
		start += p.Size
	}
	return l.writeTables(f)
}

func (l Layout) check() error {
	if l.Size%align != 0 || l.Size < l.Need() {
		return fmt.Errorf("size %d, want a multiple of 1 MiB from %d on", l.Size, l.Need())
	}
	if len(l.Partitions) > entryCount {
		return fmt.Errorf("%d partitions, want at most %d", len(l.Partitions), entryCount)
	}
	for _, p := range l.Partitions {
		if p.Size <= 0 || p.Size%align != 0 {
			return fmt.Errorf("partition %s: size %d, want a multiple of 1 MiB", p.Name, p.Size)
		}
		if len(utf16.Encode([]rune(p.Name))) > 36 {
			return fmt.Errorf("partition %s: the name is too long", p.Name)
		}
	}
	return nil
}

// fill copies the content of p to its place, and leaves holes for zeros.
func fill(disk *os.File, start int64, p Partition) error {
	if p.Content == "" {
		return nil
	}
	src, err := os.Open(p.Content)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if info.Size() > p.Size {
		return fmt.Errorf("its content has %d bytes, it has %d", info.Size(), p.Size)
	}
	buf, zero := make([]byte, align), make([]byte, align)
	for at := start; ; {
		n, err := io.ReadFull(src, buf)
		if n > 0 && !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := disk.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writeTables writes the partition table at both ends, and in front of it the
// one that keeps old programs from taking the disk for empty.
func (l Layout) writeTables(f *os.File) error {
	entries := l.entries()
	last := l.Size/SectorSize - 1
	for _, part := range []struct {
		at   int64
		data []byte
	}{
		{0, protective(last)},
		{1, l.header(entries, 1, last, 2)},
		{2, entries},
		{last - tableSectors, entries},
		{last, l.header(entries, last, 1, last-tableSectors)},
	} {
		if _, err := f.WriteAt(part.data, part.at*SectorSize); err != nil {
			return err
		}
	}
	return nil
}

func (l Layout) entries() []byte {
	b := make([]byte, entrySize*entryCount)
	start := int64(align)
	for i, p := range l.Partitions {
		e := b[i*entrySize:]
		copy(e, p.Type[:])
		copy(e[16:], p.UUID[:])
		binary.LittleEndian.PutUint64(e[32:], uint64(start/SectorSize))
		binary.LittleEndian.PutUint64(e[40:], uint64((start+p.Size)/SectorSize-1))
		if p.ReadOnly {
			binary.LittleEndian.PutUint64(e[48:], readOnly)
		}
		for j, c := range utf16.Encode([]rune(p.Name)) {
			binary.LittleEndian.PutUint16(e[56+2*j:], c)
		}
		start += p.Size
	}
	return b
}

func (l Layout) header(entries []byte, self, other, table int64) []byte {
	b := make([]byte, SectorSize)
	copy(b, "EFI PART")
	binary.LittleEndian.PutUint32(b[8:], 0x00010000)
	binary.LittleEndian.PutUint32(b[12:], 92)
	binary.LittleEndian.PutUint64(b[24:], uint64(self))
	binary.LittleEndian.PutUint64(b[32:], uint64(other))
	binary.LittleEndian.PutUint64(b[40:], 2+tableSectors)
	binary.LittleEndian.PutUint64(b[48:], uint64(l.Size/SectorSize-tableSectors-2))
	copy(b[56:], l.UUID[:])
	binary.LittleEndian.PutUint64(b[72:], uint64(table))
	binary.LittleEndian.PutUint32(b[80:], entryCount)
	binary.LittleEndian.PutUint32(b[84:], entrySize)
	binary.LittleEndian.PutUint32(b[88:], crc32.ChecksumIEEE(entries))
	binary.LittleEndian.PutUint32(b[16:], crc32.ChecksumIEEE(b[:92]))
	return b
}

func protective(last int64) []byte {
	b := make([]byte, SectorSize)
	e := b[446:]
	copy(e, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff})
	binary.LittleEndian.PutUint32(e[8:], 1)
	binary.LittleEndian.PutUint32(e[12:], uint32(min(last, 0xffffffff)))
	b[510], b[511] = 0x55, 0xaa
	return b
}
