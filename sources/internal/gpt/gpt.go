// Package gpt reads and writes GUID partition tables.
//
// A table is kept twice on a disk, at its start and at its end. Reading takes the
// first copy that is whole, so a disk whose start was overwritten is still
// understood. Writing replaces one copy after the other, so a power cut leaves
// the old table or the new one, and writing again mends what it spoiled.
package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

const (
	signature = "EFI PART"
	// The specification's sizes of a header and an entry. Larger ones are
	// allowed, and hold nothing that is known.
	headerSize = 92
	entrySize  = 128
	// maxEntries bounds what a table may make its reader hold in memory. Tools
	// write 128 entries.
	maxEntries = 1024
	// firstHeader is the sector of the header at the start.
	firstHeader = 1
)

// A Partition is one entry of a table.
type Partition struct {
	Number      int // from 1, as the kernel counts
	Type, ID    GUID
	First, Last uint64 // sectors, both part of it
	Attributes  uint64
	Name        string
}

// Sectors returns how many sectors p has.
func (p Partition) Sectors() uint64 { return p.Last - p.First + 1 }

// A Table is a partition table as a disk of some size has it.
type Table struct {
	ID         GUID        // of the disk
	Partitions []Partition // by number

	sector  int64  // bytes
	sectors uint64 // of the disk
	read    uint64 // the sector of the header that the table was read from
	entries uint64 // where they are at the start of the disk
	first   uint64 // sector that a partition may begin at
	count   int
	length  int    // of an entry
	raw     []byte // all entries as they were read
}

// New returns a table without partitions for a disk of the given number of bytes
// in sectors of the given size.
func New(id GUID, size, sector int64) *Table {
	const count = 128 // as all tools have it
	t := &Table{
		ID: id, sector: sector, sectors: uint64(size / sector), read: firstHeader, entries: firstHeader + 1,
		count: count, length: entrySize, raw: make([]byte, count*entrySize),
	}
	t.first = t.entries + t.entrySectors()
	return t
}

// Read returns the partitions of disk, which has the given number of bytes in
// sectors of the given size.
func Read(disk io.ReaderAt, size, sector int64) ([]Partition, error) {
	t, err := ReadTable(disk, size, sector)
	if err != nil {
		return nil, err
	}
	return t.Partitions, nil
}

// ReadTable returns the table of disk, which has the given number of bytes in
// sectors of the given size.
func ReadTable(disk io.ReaderAt, size, sector int64) (*Table, error) {
	if sector < 512 || size < 3*sector {
		return nil, fmt.Errorf("partition table: a disk of %d bytes in sectors of %d has room for none", size, sector)
	}
	t, first := readCopy(disk, size, sector, firstHeader)
	if first == nil {
		return t, nil
	}
	t, second := readCopy(disk, size, sector, uint64(size/sector)-1)
	if second == nil {
		return t, nil
	}
	return nil, fmt.Errorf("partition table: at the start: %w; at the end: %w", first, second)
}

type header struct {
	Signature   [8]byte
	Revision    uint32
	Size        uint32
	CRC         uint32
	_           uint32
	Here, Other uint64
	First, Last uint64
	Disk        GUID
	Entries     uint64
	Count       uint32
	EntrySize   uint32
	EntriesCRC  uint32
}

// ErrNone says that a place on a disk holds no partition table at all.
var ErrNone = errors.New("none there")

func readCopy(disk io.ReaderAt, size, sector int64, at uint64) (*Table, error) {
	h, err := readHeader(disk, sector, at)
	if err != nil {
		return nil, err
	}
	length := int64(h.Count) * int64(h.EntrySize)
	if h.Entries >= uint64(size/sector) || int64(h.Entries)*sector+length > size {
		return nil, fmt.Errorf("entries at sector %d lie beyond the disk", h.Entries)
	}
	raw := make([]byte, length)
	if _, err := disk.ReadAt(raw, int64(h.Entries)*sector); err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	if got := crc32.ChecksumIEEE(raw); got != h.EntriesCRC {
		return nil, fmt.Errorf("checksum of the entries is %08x, want %08x", got, h.EntriesCRC)
	}
	t := &Table{
		ID: h.Disk, sector: sector, sectors: uint64(size / sector), read: at, entries: h.Entries, first: h.First,
		count: int(h.Count), length: int(h.EntrySize), raw: raw,
	}
	if at != firstHeader {
		t.entries = firstHeader + 1 // the header at the end does not say
	}
	return t, t.readPartitions()
}

func (t *Table) readPartitions() error {
	for i := range t.count {
		p := entry(t.raw[i*t.length:][:entrySize])
		if p.Type == (GUID{}) {
			continue // free
		}
		p.Number = i + 1
		if p.First > p.Last || p.Last >= t.sectors {
			return fmt.Errorf("partition %d spans the sectors %d to %d of %d", p.Number, p.First, p.Last, t.sectors)
		}
		t.Partitions = append(t.Partitions, p)
	}
	return nil
}

func readHeader(disk io.ReaderAt, sector int64, at uint64) (header, error) {
	raw := make([]byte, sector)
	if _, err := disk.ReadAt(raw, int64(at)*sector); err != nil {
		return header{}, fmt.Errorf("read header: %w", err)
	}
	var h header
	if _, err := binary.Decode(raw, binary.LittleEndian, &h); err != nil {
		return header{}, fmt.Errorf("read header: %w", err)
	}
	if string(h.Signature[:]) != signature {
		return header{}, ErrNone
	}
	if h.Size < headerSize || int64(h.Size) > sector {
		return header{}, fmt.Errorf("header has %d bytes, want %d to %d", h.Size, headerSize, sector)
	}
	sum := bytes.Clone(raw[:h.Size])
	clear(sum[16:20]) // the checksum itself counts as zero
	if got := crc32.ChecksumIEEE(sum); got != h.CRC {
		return header{}, fmt.Errorf("checksum of the header is %08x, want %08x", got, h.CRC)
	}
	switch {
	case h.Here != at:
		return header{}, fmt.Errorf("header belongs to sector %d, was found at %d", h.Here, at)
	case h.EntrySize < entrySize || h.EntrySize > 4096:
		return header{}, fmt.Errorf("entries have %d bytes, want %d to 4096", h.EntrySize, entrySize)
	case h.Count > maxEntries:
		return header{}, fmt.Errorf("table has %d entries, want at most %d", h.Count, maxEntries)
	}
	return h, nil
}

func entry(raw []byte) Partition {
	var e struct {
		Type, ID    GUID
		First, Last uint64
		Attributes  uint64
		Name        [36]uint16
	}
	if _, err := binary.Decode(raw, binary.LittleEndian, &e); err != nil {
		panic(err) // raw has the size of an entry
	}
	name := e.Name[:]
	for i, c := range name {
		if c == 0 {
			name = name[:i]
			break
		}
	}
	return Partition{
		Type: e.Type, ID: e.ID, First: e.First, Last: e.Last,
		Attributes: e.Attributes, Name: string(utf16.Decode(name)),
	}
}
