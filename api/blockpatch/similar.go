package blockpatch

import (
	"cmp"
	"crypto/sha256"
	"io"
	"slices"
)

// Sizes that patches are made with; a reader does not depend on them.
const (
	block = 4 << 10  // what is looked for in the old file as a whole, at any multiple of it
	page  = 16 << 10 // what a dictionary is put together from
)

type blockSum [16]byte

func sumOf(b []byte) blockSum {
	full := sha256.Sum256(b)
	return blockSum(full[:16])
}

// An oldFile knows where what is in the old file.
type oldFile struct {
	io.ReaderAt
	size   int64
	sums   []blockSum         // of each whole block
	blocks map[blockSum]int32 // the first block with a sum
	marks  map[uint32]int32   // the page in which some short stretches are that are taken as marks
	shift  uint               // one stretch in 1<<shift is a mark
}

// maxMarks bounds the memory for marks to some 100 MB, however large the file is.
const maxMarks = 4 << 20

func newOldFile(r io.ReaderAt, size int64) *oldFile {
	f := &oldFile{ReaderAt: r, size: size, blocks: map[blockSum]int32{}, marks: map[uint32]int32{}, shift: 4}
	for size>>f.shift > maxMarks {
		f.shift++
	}
	return f
}

// add takes up what the old file has at offset, a multiple of the page.
func (f *oldFile) add(data []byte, offset int64) {
	for at := 0; at+block <= len(data); at += block {
		s := sumOf(data[at : at+block])
		if _, ok := f.blocks[s]; !ok {
			f.blocks[s] = int32(len(f.sums))
		}
		f.sums = append(f.sums, s)
	}
	for at := 0; at < len(data); at += page {
		n := int32((offset + int64(at)) / page)
		eachMark(data[at:min(at+page, len(data))], f.shift, func(m uint32) { f.marks[m] = n })
	}
}

// find returns the number of a block with the sum s, the one that is wanted if it
// is one.
func (f *oldFile) find(s blockSum, wanted int32) (int32, bool) {
	if wanted >= 0 && int(wanted) < len(f.sums) && f.sums[wanted] == s {
		return wanted, true
	}
	n, ok := f.blocks[s]
	return n, ok
}

// similar returns the pages of the old file that have most in common with data,
// as many as make a dictionary, in the order of the file.
func (f *oldFile) similar(data []byte) []stretch {
	votes := map[int32]int{}
	eachMark(data, f.shift, func(m uint32) {
		if n, ok := f.marks[m]; ok {
			votes[n]++
		}
	})
	type vote struct {
		page  int32
		count int
	}
	var all []vote
	for n, count := range votes {
		all = append(all, vote{n, count})
	}
	slices.SortFunc(all, func(a, b vote) int { return cmp.Or(b.count-a.count, int(a.page-b.page)) })
	all = all[:min(len(all), MaxDictionary/page)]
	slices.SortFunc(all, func(a, b vote) int { return int(a.page - b.page) })
	var out []stretch
	for _, v := range all {
		s := stretch{offset: int64(v.page) * page}
		s.length = int(min(page, f.size-s.offset))
		if last := len(out) - 1; last >= 0 && out[last].offset+int64(out[last].length) == s.offset {
			out[last].length += s.length
		} else {
			out = append(out, s)
		}
	}
	return out
}

// eachMark calls f for some stretches of data, of a dozen bytes, that are chosen
// by what is in them: so the same ones are found wherever they are.
func eachMark(data []byte, shift uint, f func(uint32)) {
	const step, width = 5, 13 // so many bits a byte: after so many bytes a byte is out of the hash
	const odd = 0x9e3779b97f4a7c15
	hash := uint64(0)
	for i, b := range data {
		hash = hash<<step + uint64(b+1)*odd
		if i >= width && hash>>(64-shift) == 0 {
			f(uint32(hash * odd >> 32))
		}
	}
}
