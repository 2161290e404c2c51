// Package verity makes the hash tree by which dm-verity checks a device.
//
// The format is that of veritysetup: a superblock, then the levels of the tree
// from the top down, with SHA-256 over blocks of 4096 bytes.
package verity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

// BlockSize is the size of the blocks that are hashed, and of those that hold
// hashes.
const BlockSize = 4096

const perBlock = BlockSize / sha256.Size

// A Hash is the root of a tree: whoever knows it can tell whether the data is
// the data it was made of.
type Hash [sha256.Size]byte

// String returns h as the kernel's command line has it.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Params are what a tree depends on beside the data.
type Params struct {
	Salt [32]byte
	UUID [16]byte
}

// Format writes the superblock and the tree of data, whose size in bytes is
// given, to w.
func Format(w io.Writer, data io.Reader, size int64, p Params) (Hash, error) {
	if size <= 0 || size%BlockSize != 0 {
		return Hash{}, fmt.Errorf("make hash tree: %d bytes of data, want a multiple of %d", size, BlockSize)
	}
	level, err := hashBlocks(data, size/BlockSize, p.Salt[:])
	if err != nil {
		return Hash{}, fmt.Errorf("make hash tree: %w", err)
	}
	var levels [][]byte
	for len(level) > sha256.Size {
		level = pad(level)
		levels = append(levels, level)
		next := make([]byte, 0, len(level)/perBlock)
		for block := range slices.Chunk(level, BlockSize) {
			next = appendHash(next, p.Salt[:], block)
		}
		level = next
	}
	if _, err := w.Write(superblock(size/BlockSize, p)); err != nil {
		return Hash{}, err
	}
	for i := len(levels) - 1; i >= 0; i-- {
		if _, err := w.Write(levels[i]); err != nil {
			return Hash{}, err
		}
	}
	return Hash(level), nil
}

// hashBlocks returns the hashes of count blocks read from r, one after the
// other.
func hashBlocks(r io.Reader, count int64, salt []byte) ([]byte, error) {
	hashes := make([]byte, 0, count*sha256.Size)
	block := make([]byte, BlockSize)
	for range count {
		if _, err := io.ReadFull(r, block); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		hashes = appendHash(hashes, salt, block)
	}
	return hashes, nil
}

func appendHash(to, salt, block []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(block)
	return h.Sum(to)
}

func pad(b []byte) []byte {
	if over := len(b) % BlockSize; over > 0 {
		b = append(b, make([]byte, BlockSize-over)...)
	}
	return b
}

// superblock returns the block in front of the tree, from which the device is
// opened.
func superblock(blocks int64, p Params) []byte {
	b := make([]byte, BlockSize)
	copy(b, "verity\x00\x00")
	binary.LittleEndian.PutUint32(b[8:], 1)  // version of the superblock
	binary.LittleEndian.PutUint32(b[12:], 1) // the salt comes before the block
	copy(b[16:32], p.UUID[:])
	copy(b[32:64], "sha256")
	binary.LittleEndian.PutUint32(b[64:], BlockSize)
	binary.LittleEndian.PutUint32(b[68:], BlockSize)
	binary.LittleEndian.PutUint64(b[72:], uint64(blocks))
	binary.LittleEndian.PutUint16(b[80:], uint16(len(p.Salt)))
	copy(b[88:344], p.Salt[:])
	return b
}
