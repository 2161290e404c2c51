// Package slotwriter writes a root image into a slot, block by block, from the
// cheapest places that have its blocks.
//
// The hash tree of the image, whose root is signed, says what each block has to be.
// So it does not matter where a block comes from, or who wrote to the slot before:
// every block is compared with the tree before it is written, and what is there
// already is left. An attempt that was cut off is gone on with by doing all again.
package slotwriter

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// BlockSize is the size of blocks of data, and of the tree.
const BlockSize = 4096

const (
	hashSize = sha256.Size
	perBlock = BlockSize / hashSize
)

// A Tree is a hash tree: what each block of some data has to be.
type Tree struct {
	r      io.ReaderAt
	salt   []byte
	blocks int64 // of data
	levels []level
}

// A level is a part of the tree, of which each hash is that of a block of the level
// below it, or of the data.
type level struct{ first, blocks int64 } // blocks of the file

// TreeSize returns how long the tree of so many blocks of data is in bytes.
func TreeSize(blocks int64) int64 {
	levels := layOut(blocks)
	if len(levels) == 0 {
		return BlockSize
	}
	last := levels[len(levels)-1]
	return (last.first + last.blocks) * BlockSize
}

// layOut returns the levels of a tree from the top down, behind the superblock.
func layOut(blocks int64) []level {
	var sizes []int64
	for n := blocks; n > 1; {
		n = (n + perBlock - 1) / perBlock
		sizes = append(sizes, n)
	}
	var out []level
	at := int64(1)
	for i := len(sizes) - 1; i >= 0; i-- {
		out = append(out, level{at, sizes[i]})
		at += sizes[i]
	}
	return out
}

// ReadTree returns the tree in r without checking it: what it says of blocks is a
// guess.
func ReadTree(r io.ReaderAt) (*Tree, error) {
	sb, err := verity.ReadSuperblock(io.NewSectionReader(r, 0, BlockSize))
	if err != nil {
		return nil, err
	}
	if sb.DataBlock != BlockSize || sb.HashBlock != BlockSize {
		return nil, fmt.Errorf("hash tree: blocks have %d and %d bytes, want %d", sb.DataBlock, sb.HashBlock, BlockSize)
	}
	return &Tree{r: r, salt: sb.Salt, blocks: int64(sb.DataBlocks), levels: layOut(int64(sb.DataBlocks))}, nil
}

// VerifyTree returns the tree in r, of which every block is what root demands, for
// data of size bytes.
func VerifyTree(r io.ReaderAt, root verity.RootHash, size int64) (*Tree, error) {
	t, err := ReadTree(r)
	if err != nil {
		return nil, err
	}
	if t.blocks*BlockSize != size {
		return nil, fmt.Errorf("hash tree: it is for %d bytes, and the image has %d", t.blocks*BlockSize, size)
	}
	if len(t.levels) == 0 {
		return nil, errors.New("hash tree: the image has one block, and needs none")
	}
	h, above := t.hasher(), root[:]
	for i, l := range t.levels {
		below := make([]byte, 0, l.blocks*BlockSize)
		last := i == len(t.levels)-1
		for k := range l.blocks {
			block := make([]byte, BlockSize)
			if _, err := r.ReadAt(block, (l.first+k)*BlockSize); err != nil {
				return nil, fmt.Errorf("hash tree: %w", err)
			}
			if !h.is(block, above[k*hashSize:][:hashSize]) {
				return nil, fmt.Errorf("hash tree: block %d is not what the root hash %s demands", l.first+k, root)
			}
			if !last {
				below = append(below, block...)
			}
		}
		above = below
	}
	return t, nil
}

// Sums returns what stands for a tree where there is only a list of the hashes of so
// many blocks, without a salt.
func Sums(r io.ReaderAt, blocks int64) *Tree {
	return &Tree{r: r, blocks: blocks, levels: []level{{first: 0}}}
}

// Blocks returns how many blocks the data has.
func (t *Tree) Blocks() int64 { return t.blocks }

// digests puts the hashes of blocks from first on into to, as many as it has room
// for.
func (t *Tree) digests(to []byte, first int64) error {
	leaves := t.levels[len(t.levels)-1]
	_, err := t.r.ReadAt(to, leaves.first*BlockSize+first*hashSize)
	if err != nil {
		return fmt.Errorf("hash tree: %w", err)
	}
	return nil
}

// A hasher hashes blocks as a tree does. It is for one goroutine.
type hasher struct {
	h    hash.Hash
	salt []byte
	sum  [hashSize]byte
}

func (t *Tree) hasher() *hasher { return &hasher{h: sha256.New(), salt: t.salt} }

// is reports whether block has the hash want.
func (h *hasher) is(block, want []byte) bool {
	h.h.Reset()
	h.h.Write(h.salt)
	h.h.Write(block)
	return bytes.Equal(h.h.Sum(h.sum[:0]), want)
}

// key returns the part of a hash by which an index finds it.
func key(digest []byte) uint64 { return binary.LittleEndian.Uint64(digest) }

// Copy returns a tree that stays as it is when the one that it was read from
// changes, kept in a file that has no name. It is nil where there is no room for
// it, or t cannot be read: a guess is not needed.
func (t *Tree) Copy(name string) *Tree {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil
	}
	if err := os.Remove(name); err != nil {
		return nil
	}
	size := TreeSize(t.blocks)
	if n, err := io.Copy(f, io.NewSectionReader(t.r, 0, size)); err != nil || n != size {
		return nil
	}
	c := *t
	c.r = f // closed once nobody has it
	return &c
}
