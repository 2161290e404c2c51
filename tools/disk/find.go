package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf16"
)

// A Place is where a partition is on a disk, in bytes.
type Place struct{ Start, Size int64 }

// Find returns where the partition called name is on the disk in the file at
// path, as the table at its start tells.
func Find(path, name string) (Place, error) {
	f, err := os.Open(path)
	if err != nil {
		return Place{}, err
	}
	defer f.Close()
	p, err := find(f, name)
	if err != nil {
		return Place{}, fmt.Errorf("find partition %s on %s: %w", name, path, err)
	}
	return p, nil
}

func find(f io.ReaderAt, name string) (Place, error) {
	head := make([]byte, SectorSize)
	if _, err := f.ReadAt(head, SectorSize); err != nil {
		return Place{}, err
	}
	if string(head[:8]) != "EFI PART" {
		return Place{}, errors.New("there is no partition table")
	}
	table := int64(binary.LittleEndian.Uint64(head[72:])) * SectorSize
	entries := make([]byte, entrySize*entryCount)
	if _, err := f.ReadAt(entries, table); err != nil {
		return Place{}, err
	}
	for i := range entryCount {
		e := entries[i*entrySize:][:entrySize]
		first, last := int64(binary.LittleEndian.Uint64(e[32:])), int64(binary.LittleEndian.Uint64(e[40:]))
		if first > 0 && nameOf(e) == name {
			return Place{Start: first * SectorSize, Size: (last - first + 1) * SectorSize}, nil
		}
	}
	return Place{}, errors.New("there is none")
}

// nameOf returns the name of the partition that e is the entry of.
func nameOf(e []byte) string {
	var units []uint16
	for at := 56; at < entrySize; at += 2 {
		u := binary.LittleEndian.Uint16(e[at:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
