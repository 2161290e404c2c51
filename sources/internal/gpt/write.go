package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"unicode/utf16"
)

// A Disk can be written to. Sync returns when all that was written is safe from
// a power cut.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// First returns the first sector that a partition may have.
func (t *Table) First() uint64 { return t.first }

// Last returns the last sector that a partition may have, on all of the disk:
// where the disk has grown, that is more than the table on it says.
func (t *Table) Last() uint64 { return t.lastHeader() - t.entrySectors() - 1 }

// Clone returns a table that can be changed without changing t.
func (t *Table) Clone() *Table {
	c := *t
	c.Partitions = slices.Clone(t.Partitions)
	return &c
}

// Add adds p under the first number that is free, and returns that.
func (t *Table) Add(p Partition) (int, error) {
	byNumber := func(o Partition, number int) int { return o.Number - number }
	for number := 1; number <= t.count; number++ {
		i, taken := slices.BinarySearchFunc(t.Partitions, number, byNumber)
		if taken {
			continue
		}
		p.Number = number
		t.Partitions = slices.Insert(t.Partitions, i, p)
		return number, nil
	}
	return 0, fmt.Errorf("partition table: all of its %d entries are taken", t.count)
}

// Written reports whether disk holds t, whole and in both places.
func (t *Table) Written(disk io.ReaderAt) (bool, error) {
	areas, err := t.areas(disk)
	if err != nil {
		return false, err
	}
	changed, err := changed(disk, slices.Concat(areas...))
	return len(changed) == 0, err
}

// Write makes t the table of disk. At each instant disk has a copy that is
// whole: the one that t was read from, or which it now is by reading, is written
// last. What is already as it should be is not written.
func (t *Table) Write(disk Disk) error {
	areas, err := t.areas(disk)
	if err != nil {
		return fmt.Errorf("write partition table: %w", err)
	}
	for _, group := range areas {
		if err := write(disk, group); err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
	}
	t.read = firstHeader
	return nil
}

func write(disk Disk, group []area) error {
	group, err := changed(disk, group)
	if err != nil || len(group) == 0 {
		return err
	}
	for _, a := range group {
		if _, err := disk.WriteAt(a.data, a.at); err != nil {
			return err
		}
	}
	return disk.Sync()
}

// An area is what belongs to one place of a disk.
type area struct {
	at   int64
	data []byte
}

// changed returns those of areas that disk does not hold.
func changed(disk io.ReaderAt, areas []area) ([]area, error) {
	var out []area
	for _, a := range areas {
		there := make([]byte, len(a.data))
		if _, err := disk.ReadAt(there, a.at); err != nil {
			return nil, err
		}
		if !bytes.Equal(there, a.data) {
			out = append(out, a)
		}
	}
	return out, nil
}

// areas returns what t is on disk, in groups: each must be safe before the next
// is begun.
func (t *Table) areas(disk io.ReaderAt) ([][]area, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	entries := t.encode()
	end := t.lastHeader() - t.entrySectors()
	first := t.copyAt(firstHeader, t.lastHeader(), t.entries, entries)
	last := t.copyAt(t.lastHeader(), firstHeader, end, entries)
	groups := [][]area{last, first}
	if t.read != firstHeader {
		groups = [][]area{first, last}
	}
	guard, err := t.protection(disk)
	if err != nil || guard == nil {
		return groups, err
	}
	return append(groups, []area{{0, guard}}), nil
}

// check refuses a table that would not be understood, or that would lie where
// a partition is.
func (t *Table) check() error {
	switch least := t.entries + t.entrySectors(); {
	case t.first < least:
		return fmt.Errorf("partitions may begin at sector %d, the entries end at %d", t.first, least)
	case t.sectors < t.first+t.entrySectors()+2:
		return fmt.Errorf("a disk of %d sectors is too small", t.sectors)
	}
	for i, p := range t.Partitions {
		if p.First < t.first || p.Last > t.Last() || p.First > p.Last {
			return fmt.Errorf("partition %d spans the sectors %d to %d, want %d to %d", p.Number, p.First, p.Last, t.first, t.Last())
		}
		if n := len(utf16.Encode([]rune(p.Name))); n > nameLength {
			return fmt.Errorf("partition %d: its name has %d characters, want at most %d", p.Number, n, nameLength)
		}
		for _, o := range t.Partitions[:i] {
			if p.Number == o.Number {
				return fmt.Errorf("two partitions have the number %d", p.Number)
			}
			if p.First <= o.Last && o.First <= p.Last {
				return fmt.Errorf("partitions %d and %d lie over one another", o.Number, p.Number)
			}
		}
	}
	return nil
}

// nameLength is the number of characters of a partition's name.
const nameLength = 36

func (t *Table) lastHeader() uint64 { return t.sectors - 1 }

func (t *Table) entrySectors() uint64 {
	return (uint64(len(t.raw)) + uint64(t.sector) - 1) / uint64(t.sector)
}

// encode returns the entries of t. Those that did not change keep every byte.
func (t *Table) encode() []byte {
	out := make([]byte, len(t.raw))
	for _, p := range t.Partitions {
		at := (p.Number - 1) * t.length
		e := out[at:][:t.length]
		copy(e, t.raw[at:])
		if was := entry(e); was.Type == p.Type && was.ID == p.ID {
			was.Number = p.Number
			if was == p {
				continue
			}
		} else {
			clear(e) // another partition had the number
		}
		p.encode(e)
	}
	return out
}

func (p Partition) encode(e []byte) {
	copy(e, p.Type[:])
	copy(e[16:], p.ID[:])
	binary.LittleEndian.PutUint64(e[32:], p.First)
	binary.LittleEndian.PutUint64(e[40:], p.Last)
	binary.LittleEndian.PutUint64(e[48:], p.Attributes)
	clear(e[56:entrySize])
	for i, c := range utf16.Encode([]rune(p.Name)) {
		binary.LittleEndian.PutUint16(e[56+2*i:], c)
	}
}

// copyAt returns one copy of t, with its header at one sector and its entries
// at another.
func (t *Table) copyAt(here, other, where uint64, entries []byte) []area {
	h := header{
		Signature: [8]byte([]byte(signature)), Revision: revision, Size: headerSize,
		Here: here, Other: other, First: t.first, Last: t.Last(), Disk: t.ID,
		Entries: where, Count: uint32(t.count), EntrySize: uint32(t.length), EntriesCRC: crc32.ChecksumIEEE(entries),
	}
	sector := make([]byte, 0, t.sector)
	sector = h.append(sector)
	h.CRC = crc32.ChecksumIEEE(sector)
	sector = h.append(sector[:0])
	sector = append(sector, make([]byte, t.sector-headerSize)...)
	return []area{{int64(where) * t.sector, entries}, {int64(here) * t.sector, sector}}
}

// revision is the version of the specification, 1.0.
const revision = 0x10000

func (h header) append(b []byte) []byte {
	b, err := binary.Append(b, binary.LittleEndian, h)
	if err != nil {
		panic(err) // it has a fixed size
	}
	return b
}

// protection returns what belongs into the sector that keeps old programs from
// taking the disk for empty: an entry over all of it. It returns nil where
// somebody has other entries there.
func (t *Table) protection(disk io.ReaderAt) ([]byte, error) {
	there := make([]byte, t.sector)
	if _, err := disk.ReadAt(there, 0); err != nil {
		return nil, err
	}
	const entries, entry, kind = 446, 16, 4
	blank := len(bytes.Trim(there, "\x00")) == 0
	alone := there[entries+kind] == protective && there[510] == 0x55 && there[511] == 0xaa &&
		len(bytes.Trim(there[entries+entry:510], "\x00")) == 0
	if !blank && !alone {
		return nil, nil
	}
	e := there[entries:][:entry]
	if blank {
		copy(e, []byte{0, 0, 2, 0, protective, 0xff, 0xff, 0xff})
		binary.LittleEndian.PutUint32(e[8:], firstHeader)
		there[510], there[511] = 0x55, 0xaa
	}
	binary.LittleEndian.PutUint32(e[12:], uint32(min(t.lastHeader(), 1<<32-1)))
	return there, nil
}

// protective is the type of an entry that stands for a table of this kind.
const protective = 0xee

// ErrAmbiguous says that several partitions have a name.
var ErrAmbiguous = errors.New("several partitions have this name")

// Find returns the index in t.Partitions of the partition called name, or -1.
func (t *Table) Find(name string) (int, error) {
	found := -1
	for i, p := range t.Partitions {
		if p.Name != name {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("partition %s: %w", name, ErrAmbiguous)
		}
		found = i
	}
	return found, nil
}
