package blockpatch

import "encoding/binary"

// A piece of what a segment makes: so many bytes of the old file, from an offset
// on, and then so many of the frame.
type piece struct {
	offset         int64
	copied, framed int
}

// A stretch of the old file.
type stretch struct {
	offset int64
	length int
}

// A recipe says what a payload makes, and out of what. Its lists stand before the
// frame; offsets are relative to where the one before ended, so that most of them
// are zero.
type recipe struct {
	pieces     []piece
	dictionary []stretch
}

// Lists are bounded by what makes sense for blocks of a page: a copied piece is
// rarely shorter, and a stretch of a dictionary never.
const (
	maxPieces    = MaxSegment / 512
	maxStretches = MaxDictionary / 512
)

func (r recipe) append(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(r.pieces)))
	at := int64(0)
	for _, p := range r.pieces {
		out = binary.AppendUvarint(out, uint64(p.copied))
		if p.copied > 0 {
			out = binary.AppendVarint(out, p.offset-at)
			at = p.offset + int64(p.copied)
		}
		out = binary.AppendUvarint(out, uint64(p.framed))
		at += int64(p.framed)
	}
	out = binary.AppendUvarint(out, uint64(len(r.dictionary)))
	at = 0
	for _, d := range r.dictionary {
		out = binary.AppendVarint(out, d.offset-at)
		out = binary.AppendUvarint(out, uint64(d.length))
		at = d.offset + int64(d.length)
	}
	return out
}

// parseRecipe reads the recipe of a segment that makes length bytes, and returns
// it with the frame that follows.
func parseRecipe(payload []byte, length int) (recipe, []byte, error) {
	c := cursor{rest: payload}
	r := recipe{pieces: make([]piece, c.number(maxPieces, "pieces"))}
	at, made := int64(0), 0
	for i := range r.pieces {
		p := &r.pieces[i]
		if p.copied = c.number(length-made, "bytes"); p.copied > 0 {
			p.offset = c.offset(at)
			at = p.offset + int64(p.copied)
		}
		p.framed = c.number(length-made-p.copied, "bytes")
		at += int64(p.framed)
		made += p.copied + p.framed
	}
	r.dictionary = make([]stretch, c.number(maxStretches, "stretches"))
	at = 0
	for i, left := 0, MaxDictionary; i < len(r.dictionary); i++ {
		d := stretch{offset: c.offset(at), length: c.number(left, "bytes of a dictionary")}
		at, left = d.offset+int64(d.length), left-d.length
		r.dictionary[i] = d
	}
	if c.err == nil && made != length {
		c.err = malformed("its pieces have %d bytes, want %d", made, length)
	}
	return r, c.rest, c.err
}

// framed returns how many bytes the frame makes.
func (r recipe) framed() int {
	n := 0
	for _, p := range r.pieces {
		n += p.framed
	}
	return n
}

// A cursor reads numbers until one is wrong; from then on all are 0.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) number(most int, what string) int {
	v, n := binary.Uvarint(c.rest)
	switch {
	case c.err != nil:
		return 0
	case n <= 0:
		c.err = malformed("a payload ends within its lists")
		return 0
	case v > uint64(most):
		c.err = malformed("a payload has %d %s, want at most %d", v, what, most)
		return 0
	}
	c.rest = c.rest[n:]
	return int(v)
}

// offset reads an offset into the old file that is written relative to at.
func (c *cursor) offset(at int64) int64 {
	v, n := binary.Varint(c.rest)
	switch {
	case c.err != nil:
		return 0
	case n <= 0:
		c.err = malformed("a payload ends within its lists")
		return 0
	case v > MaxSize || v < -MaxSize || at+v < 0 || at+v > MaxSize:
		c.err = malformed("a payload goes %d bytes from %d, which is outside of any file", v, at)
		return 0
	}
	c.rest = c.rest[n:]
	return at + v
}
