package blockpatch

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// BlockSize is the size of the blocks that lists of blocks are about.
const BlockSize = block

// BlockSums returns the list of blocks of a file: the SHA-256 of each of its blocks,
// one after the other, of the last one with the bytes that it has. Who has a list
// of what a file is to be, and a file that is nearly so, knows which blocks to
// fetch. An image with a hash tree needs none; this is for those without.
func BlockSums(r io.Reader) ([]byte, error) {
	var out []byte
	buf := make([]byte, BlockSize)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			sum := sha256.Sum256(buf[:n])
			out = append(out, sum[:]...)
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("list blocks: %w", err)
		}
	}
}
