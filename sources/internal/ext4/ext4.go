// Package ext4 knows what an ext4 file system says about itself.
package ext4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Superblock is what a file system says about itself.
type Superblock struct {
	Label     string
	UUID      [16]byte
	BlockSize int64  // bytes
	Blocks    uint64 // of the file system
	// Unclean says that it was not unmounted: there is a journal to replay.
	Unclean bool
	// Faulty says that the kernel found errors in it.
	Faulty bool
}

// Size returns how many bytes of its partition the file system takes.
func (s Superblock) Size() int64 { return int64(s.Blocks) * s.BlockSize }

// ErrNone says that there is no file system of this kind.
var ErrNone = errors.New("no ext4 file system")

// Where things are on the disk.
const (
	offset = 1024 // of the superblock
	size   = 1024
	magic  = 0xef53

	stateValid, stateErrors = 1 << 0, 1 << 1

	needsRecovery  = 1 << 2  // of the features that all programs must know
	sixtyFour      = 1 << 7  // the same
	checksums      = 1 << 10 // of the features that writers must know
	maxLogBlock    = 6       // blocks of 64 KiB
	checksumOffset = 0x3fc
)

// Read returns the superblock of the file system on disk. One that is damaged
// is an error other than ErrNone.
func Read(disk io.ReaderAt) (Superblock, error) {
	b := make([]byte, size)
	if _, err := disk.ReadAt(b, offset); err != nil {
		return Superblock{}, fmt.Errorf("read superblock: %w", err)
	}
	u16 := func(at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	if u16(0x38) != magic {
		return Superblock{}, ErrNone
	}
	incompatible, readOnly := u32(0x60), u32(0x64)
	if got, want := checksum(b), u32(checksumOffset); readOnly&checksums != 0 && got != want {
		return Superblock{}, fmt.Errorf("checksum of the superblock is %08x, want %08x", got, want)
	}
	logBlock := u32(0x18)
	if logBlock > maxLogBlock {
		return Superblock{}, fmt.Errorf("superblock: blocks of 2^%d KiB, want at most 64 KiB", logBlock)
	}
	s := Superblock{
		UUID: [16]byte(b[0x68:]), BlockSize: 1024 << logBlock, Blocks: uint64(u32(0x4)),
		Unclean: incompatible&needsRecovery != 0 || u16(0x3a)&stateValid == 0,
		Faulty:  u16(0x3a)&stateErrors != 0,
	}
	if incompatible&sixtyFour != 0 {
		s.Blocks |= uint64(u32(0x150)) << 32
	}
	if s.Blocks > 1<<63/uint64(s.BlockSize)-1 {
		return Superblock{}, fmt.Errorf("superblock: %d blocks are more than there can be", s.Blocks)
	}
	label, _, _ := bytes.Cut(b[0x78:][:16], []byte{0})
	s.Label = string(label)
	return s, nil
}

// checksum returns that of a superblock, which is not inverted at its end as
// elsewhere.
func checksum(b []byte) uint32 {
	return ^crc32.Checksum(b[:checksumOffset], crc32.MakeTable(crc32.Castagnoli))
}

// resize is EXT4_IOC_RESIZE_FS of the kernel's header: it takes the new number of
// blocks.
const resize = 1<<30 | 8<<16 | 'f'<<8 | 16

// Grow gives the mounted file system that dir belongs to the given number of
// blocks. Each of its steps goes through the journal: a power cut leaves a file
// system of a size in between.
func Grow(dir *os.File, blocks uint64) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), resize, uintptr(unsafe.Pointer(&blocks)))
	if errno != 0 {
		return fmt.Errorf("grow the file system at %s to %d blocks: %w", dir.Name(), blocks, errno)
	}
	return nil
}
