package slotwriter

import (
	"cmp"
	"slices"
)

// An index finds blocks of a slot by their hashes. It is a guess: what it finds has
// to be compared.
type index []entry

// An entry has 16 bytes: 8 MB for an image of 2 GiB.
type entry struct {
	key   uint64
	block uint32
}

// indexOf returns the index of the blocks of t, or nothing where its hashes are of
// another kind than those of like, or where it cannot be read.
func indexOf(t, like *Tree) index {
	if t == nil || string(t.salt) != string(like.salt) || t.blocks > 1<<32-1 || len(t.levels) == 0 {
		return nil
	}
	const at = 1 << 12
	buf := make([]byte, at*hashSize)
	out := make(index, 0, t.blocks)
	for first := int64(0); first < t.blocks; first += at {
		part := buf[:min(at, t.blocks-first)*hashSize]
		if err := t.digests(part, first); err != nil {
			return nil
		}
		for i := range len(part) / hashSize {
			out = append(out, entry{key(part[i*hashSize:]), uint32(first) + uint32(i)})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.block, b.block)) })
	return out
}

// alike bounds how many equal blocks are looked at.
const alike = 64

// find returns a block with the hash digest; after, if that is one, since blocks
// that follow one another are read at once.
func (x index) find(digest []byte, after int64) (int64, bool) {
	k := key(digest)
	i, ok := slices.BinarySearchFunc(x, k, func(e entry, k uint64) int { return cmp.Compare(e.key, k) })
	if !ok {
		return 0, false
	}
	first := int64(x[i].block)
	for n := 0; i < len(x) && x[i].key == k && n < alike; i, n = i+1, n+1 {
		if int64(x[i].block) == after {
			return after, true
		}
	}
	return first, true
}
