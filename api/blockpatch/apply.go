package blockpatch

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// An Applier applies segments. It keeps its buffers from one to the next, and is
// for one goroutine.
type Applier struct {
	old     io.ReaderAt
	decoder *zstd.Decoder

	out, frame, dictionary []byte
	copied, patched        int
}

// NewApplier returns an Applier that makes new files from old. Close it. Whether
// old is the file that a patch was made from is for the caller to know: if it is
// not, segments have wrong sums.
func NewApplier(old io.ReaderAt) (*Applier, error) {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.IgnoreChecksum(true),
		zstd.WithDecoderMaxMemory(MaxSegment), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	return &Applier{old: old, decoder: d}, nil
}

// maxWindow is as far as a frame looks back: over all of the dictionary and of
// itself.
const maxWindow = MaxDictionary + MaxSegment

// Apply returns the part of the new file that s makes with its payload. It is
// valid until the next call. Segments can be applied in any order.
func (a *Applier) Apply(s Segment, payload []byte) ([]byte, error) {
	if s.Length < 0 || s.Length > MaxSegment || len(payload) != s.PayloadLength || len(payload) > MaxPayload {
		return nil, malformed("segment at %d makes %d bytes from %d, and %d are given", s.Offset, s.Length, s.PayloadLength, len(payload))
	}
	r, frame, err := parseRecipe(payload, s.Length)
	if err == nil {
		err = a.cook(r, frame, s.Length)
	}
	if err != nil {
		return nil, fmt.Errorf("segment at %d: %w", s.Offset, err)
	}
	if sha256.Sum256(a.out) != s.Sum {
		return nil, malformed("segment at %d does not make what it should: the old file is another one, or the patch is damaged", s.Offset)
	}
	return a.out, nil
}

// cook makes what r says.
func (a *Applier) cook(r recipe, frame []byte, length int) error {
	framed, err := a.unpack(r, frame)
	if err != nil {
		return err
	}
	a.out = grow(a.out, length)
	a.copied, a.patched = length-len(framed), len(framed)
	at := 0
	for _, p := range r.pieces {
		if err := a.read(a.out[at:at+p.copied], p.offset); err != nil {
			return err
		}
		at += p.copied
		at += copy(a.out[at:at+p.framed], framed)
		framed = framed[p.framed:]
	}
	return nil
}

// unpack returns what is in the frame.
func (a *Applier) unpack(r recipe, frame []byte) ([]byte, error) {
	want := r.framed()
	if want == 0 {
		return nil, nil
	}
	size := 0
	for _, d := range r.dictionary {
		size += d.length
	}
	a.dictionary = grow(a.dictionary, size)
	at := 0
	for _, d := range r.dictionary {
		if err := a.read(a.dictionary[at:at+d.length], d.offset); err != nil {
			return nil, err
		}
		at += d.length
	}
	opts := []zstd.DOption{zstd.WithDecoderDictDelete()}
	if size > 0 {
		opts = append(opts, zstd.WithDecoderDictRaw(0, a.dictionary))
	}
	if err := a.decoder.ResetWithOptions(nil, opts...); err != nil {
		return nil, err
	}
	a.frame = grow(a.frame, want)
	out, err := a.decoder.DecodeAll(frame, a.frame[:0:want])
	switch {
	case err != nil:
		return nil, malformed("%v", err)
	case len(out) != want:
		return nil, malformed("a frame has %d bytes, want %d", len(out), want)
	}
	return out, nil
}

func (a *Applier) read(p []byte, offset int64) error {
	n, err := a.old.ReadAt(p, offset)
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF):
		return malformed("it wants bytes %d to %d of the old file, which ends before", offset, offset+int64(len(p)))
	}
	return fmt.Errorf("read old file: %w", err)
}

// grow returns a slice of n bytes, that of before where it is large enough. Steps
// of a mebibyte keep segments of nearly the same size from leaving garbage each.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		b = make([]byte, (n+1<<20-1)&^(1<<20-1))
	}
	return b[:n]
}

// Made says where the bytes of the last segment came from: so many were in the
// old file as they are, and so many were in the frame.
func (a *Applier) Made() (copied, patched int) { return a.copied, a.patched }

// Close lets go of the memory.
func (a *Applier) Close() { a.decoder.Close(); *a = Applier{} }

// Whole makes a whole file: it applies the patch in r to old and writes what comes
// of it to w, and fails unless that is the new file that the patch was made for.
func Whole(r io.Reader, old io.ReaderAt, w io.Writer) error {
	p, err := Read(r)
	if err != nil {
		return err
	}
	a, err := NewApplier(old)
	if err != nil {
		return err
	}
	defer a.Close()
	sum, payload := sha256.New(), []byte(nil)
	for _, s := range p.Segments {
		payload = grow(payload, s.PayloadLength)
		if _, err := io.ReadFull(r, payload); err != nil {
			return short(fmt.Sprintf("segment at %d", s.Offset), err)
		}
		out, err := a.Apply(s, payload)
		if err != nil {
			return err
		}
		if _, err := io.MultiWriter(sum, w).Write(out); err != nil {
			return err
		}
	}
	if Sum(sum.Sum(nil)) != p.New.Sum {
		return malformed("its segments do not make the new file")
	}
	return nil
}
