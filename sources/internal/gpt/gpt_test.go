package gpt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

const (
	sector  = 512
	sectors = 256
)

var (
	typeID = gpt.FromBytes([16]byte{0x4f, 0x68, 0xbc, 0xe3, 0xe8, 0xcd, 0x4d, 0xb1, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09})
	partID = gpt.FromBytes([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
)

// disk returns a disk with both copies of a table of two partitions, the
// numbers 1 and 3.
func disk() []byte {
	d := make([]byte, sector*sectors)
	entries := make([]byte, 128*128)
	put := func(i int, first, last uint64, name string) {
		e := entries[i*128:]
		copy(e, typeID[:])
		copy(e[16:], partID[:])
		binary.LittleEndian.PutUint64(e[32:], first)
		binary.LittleEndian.PutUint64(e[40:], last)
		binary.LittleEndian.PutUint64(e[48:], 1<<60)
		for j, c := range utf16.Encode([]rune(name)) {
			binary.LittleEndian.PutUint16(e[56+2*j:], c)
		}
	}
	put(0, 40, 99, "ROOT-A")
	put(2, 100, 119, strings.Repeat("ö", 36))
	header(d, entries, 1, sectors-1, 2)
	header(d, entries, sectors-1, 1, sectors-33)
	return d
}

// header writes one copy of a table.
func header(d, entries []byte, at, other, where uint64) {
	copy(d[where*sector:], entries)
	h := d[at*sector:][:92]
	clear(h)
	copy(h, "EFI PART")
	binary.LittleEndian.PutUint32(h[8:], 0x10000)
	binary.LittleEndian.PutUint32(h[12:], 92)
	binary.LittleEndian.PutUint64(h[24:], at)
	binary.LittleEndian.PutUint64(h[32:], other)
	binary.LittleEndian.PutUint64(h[40:], 34)
	binary.LittleEndian.PutUint64(h[48:], sectors-34)
	binary.LittleEndian.PutUint64(h[72:], where)
	binary.LittleEndian.PutUint32(h[80:], 128)
	binary.LittleEndian.PutUint32(h[84:], 128)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	sum(h)
}

// sum gives a header its checksum.
func sum(h []byte) {
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
}

func TestRead(t *testing.T) {
	want := []gpt.Partition{
		{Number: 1, Type: typeID, ID: partID, First: 40, Last: 99, Attributes: 1 << 60, Name: "ROOT-A"},
		{Number: 3, Type: typeID, ID: partID, First: 100, Last: 119, Attributes: 1 << 60, Name: strings.Repeat("ö", 36)},
	}
	tests := []struct {
		name  string
		spoil func(d []byte)
	}{
		{"whole", func([]byte) {}},
		{"start overwritten", func(d []byte) { clear(d[:34*sector]) }},
		{"first header damaged", func(d []byte) { d[sector+40]++ }},
		{"first entries damaged", func(d []byte) { d[2*sector+5]++ }},
		{"end overwritten", func(d []byte) { clear(d[(sectors-33)*sector:]) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := disk()
			tt.spoil(d)
			got, err := gpt.Read(bytes.NewReader(d), int64(len(d)), sector)
			if err != nil {
				t.Fatalf("Read: %v", err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Read: partitions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	// change alters a field of both headers, whose checksums then fit again.
	change := func(offset int, value uint32) func([]byte) {
		return func(d []byte) {
			for _, at := range []int{1, sectors - 1} {
				h := d[at*sector:]
				binary.LittleEndian.PutUint32(h[offset:], value)
				sum(h)
			}
		}
	}
	tests := []struct {
		name  string
		spoil func(d []byte)
		want  string // once for each copy
	}{
		{"no table", func(d []byte) { clear(d) }, "none there"},
		{"many entries", change(80, 1025), "table has 1025 entries, want at most 1024"},
		{"small entries", change(84, 64), "entries have 64 bytes, want 128 to 4096"},
		{"large entries", change(84, 1<<30), "entries have 1073741824 bytes, want 128 to 4096"},
		{"large header", change(12, 513), "header has 513 bytes, want 92 to 512"},
		{"entries beyond the disk", change(72, 250), "entries at sector 250 lie beyond the disk"},
		{"entries far beyond the disk", change(76, 1<<31), "lie beyond the disk"},
		{"moved", change(24, 7), "header belongs to sector 7, was found at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := disk()
			tt.spoil(d)
			_, err := gpt.Read(bytes.NewReader(d), int64(len(d)), sector)
			if err == nil || strings.Count(err.Error(), tt.want) != 2 {
				t.Errorf("Read: error %v, want one that says twice %q", err, tt.want)
			}
		})
	}
	t.Run("partition beyond the disk", func(t *testing.T) {
		d := disk()
		entries := bytes.Clone(d[2*sector:][:128*128])
		binary.LittleEndian.PutUint64(entries[40:], sectors)
		header(d, entries, 1, sectors-1, 2)
		clear(d[(sectors-1)*sector:])
		_, err := gpt.Read(bytes.NewReader(d), int64(len(d)), sector)
		if err == nil || !strings.Contains(err.Error(), "partition 1 spans the sectors 40 to 256 of 256") || !errors.Is(err, gpt.ErrNone) {
			t.Errorf("Read: error %v, want one about the sectors of partition 1", err)
		}
	})
	t.Run("tiny disk", func(t *testing.T) {
		if _, err := gpt.Read(bytes.NewReader(nil), 1024, sector); err == nil {
			t.Error("Read accepted a disk of two sectors")
		}
	})
}

func TestGUIDString(t *testing.T) {
	if got, want := typeID.String(), "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

// Whatever bytes a disk holds, reading them ends without a panic, and each
// partition lies on the disk.
func FuzzRead(f *testing.F) {
	f.Add(disk())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, d []byte) {
		parts, err := gpt.Read(bytes.NewReader(d), int64(len(d)), sector)
		if err != nil {
			return
		}
		for _, p := range parts {
			if p.First > p.Last || p.Last >= uint64(len(d)/sector) {
				t.Errorf("Read: partition %d spans %d to %d of %d sectors", p.Number, p.First, p.Last, len(d)/sector)
			}
		}
	})
}
