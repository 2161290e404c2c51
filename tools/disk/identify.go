package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

// Identify gives the partition called name on the disk in the file at path another
// UUID, in both tables.
func Identify(path, name string, uuid GUID) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	head := make([]byte, SectorSize)
	if _, err := f.ReadAt(head, SectorSize); err != nil {
		return err
	}
	other := int64(binary.LittleEndian.Uint64(head[32:])) * SectorSize
	for _, at := range []int64{other, SectorSize} {
		if err := identify(f, at, name, uuid); err != nil {
			return fmt.Errorf("identify partition %s on %s: %w", name, path, err)
		}
	}
	return nil
}

// identify changes the table whose header is at a place.
func identify(f *os.File, at int64, name string, uuid GUID) error {
	le := binary.LittleEndian
	head := make([]byte, SectorSize)
	if _, err := f.ReadAt(head, at); err != nil {
		return err
	}
	length := le.Uint32(head[12:])
	if string(head[:8]) != "EFI PART" || length > SectorSize {
		return errors.New("there is no partition table")
	}
	entries, table := make([]byte, entrySize*entryCount), int64(le.Uint64(head[72:]))*SectorSize
	if _, err := f.ReadAt(entries, table); err != nil {
		return err
	}
	found := false
	for i := range entryCount {
		if e := entries[i*entrySize:][:entrySize]; nameOf(e) == name {
			copy(e[16:32], uuid[:])
			found = true
		}
	}
	if !found {
		return errors.New("there is none")
	}
	le.PutUint32(head[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(head[16:], 0)
	le.PutUint32(head[16:], crc32.ChecksumIEEE(head[:length]))
	if _, err := f.WriteAt(entries, table); err != nil {
		return err
	}
	_, err := f.WriteAt(head, at)
	return err
}
