package blockpatch

import (
	"bytes"
	"crypto/sha256"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// Whatever is made of two files makes the second from the first again.
func FuzzMake(f *testing.F) {
	f.Add([]byte("old"), []byte("new"), uint16(3), uint16(0))
	f.Add(bytes.Repeat([]byte("block"), 2000), []byte{}, uint16(4096), uint16(5000))
	f.Fuzz(func(t *testing.T, old, more []byte, from, to uint16) {
		// Most of what is new is old, elsewhere.
		next := append(bytes.Clone(old[min(len(old), int(from)):]), more...)
		next = append(next, old[:min(len(old), int(to))]...)
		file, err := os.Create(filepath.Join(t.TempDir(), "patch"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := Make(t.Context(), file, Input{bytes.NewReader(old), int64(len(old))}, Input{bytes.NewReader(next), int64(len(next))}, nil); err != nil {
			t.Fatalf("Make of %d and %d bytes: %v", len(old), len(next), err)
		}
		var got bytes.Buffer
		if err := Whole(file, bytes.NewReader(old), &got); err != nil || !bytes.Equal(got.Bytes(), next) {
			t.Errorf("Whole of the patch from %d to %d bytes: error %v, or another file", len(old), len(next), err)
		}
	})
}

// A header that is accepted prints back the same, and its segments lie in the
// files without gaps.
func FuzzRead(f *testing.F) {
	p := Patch{Old: File{Size: 10}, New: File{Size: 300}, Segments: []Segment{{Length: 200, PayloadLength: 5}, {Length: 100}}}
	f.Add(p.header()[:p.headerSize()-sha256.Size])
	f.Add((&Patch{}).header()[:prefixSize])
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		data := append(bytes.Clone(body), sum[:]...)
		p, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if got := p.header(); !bytes.Equal(got, data[:len(got)]) {
			t.Errorf("Read(%x) prints as %x", data, got)
		}
		offset, payload := int64(0), p.headerSize()
		for i, s := range p.Segments {
			if s.Offset != offset || s.PayloadOffset != payload || s.Length > MaxSegment || s.PayloadLength > MaxPayload {
				t.Errorf("Read(%x): segment %d is %+v, want it at %d and %d", data, i, s, offset, payload)
			}
			offset, payload = offset+int64(s.Length), payload+int64(s.PayloadLength)
		}
		if offset != p.New.Size || payload != p.Size() {
			t.Errorf("Read(%x): segments end at %d and %d, want %d and %d", data, offset, payload, p.New.Size, p.Size())
		}
	})
}

// A payload makes what it says or fails, and never reads or makes more than it
// may.
func FuzzApply(f *testing.F) {
	old := bytes.Repeat([]byte("what the node has already; "), 1000)
	for _, next := range [][]byte{old[:5000], append([]byte("new "), old[4000:9000]...), bytes.Repeat([]byte{0}, 9000)} {
		m := maker{old: newOldFile(bytes.NewReader(old), int64(len(old)))}
		m.old.add(old, 0)
		payload, err := m.segment(next, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload, len(next))
	}
	f.Add(recipe{pieces: []piece{{offset: 1, copied: 2, framed: 0}}}.append(nil), 2)
	f.Add(recipe{pieces: []piece{{copied: math.MaxInt32}}}.append(nil), math.MaxInt32)
	f.Add(recipe{pieces: []piece{{framed: 1}}, dictionary: []stretch{{offset: -1, length: 5}}}.append(nil), 1)
	a, err := NewApplier(bytes.NewReader(old))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte, length int) {
		a.out = a.out[:0]
		out, err := a.Apply(Segment{Length: length, PayloadLength: len(payload)}, payload)
		if err == nil {
			t.Errorf("Apply(%x) made %d bytes with the sum 0", payload, len(out))
		}
		if n := cap(a.out) + cap(a.frame) + cap(a.dictionary); n > 2*MaxSegment+MaxDictionary {
			t.Errorf("Apply(%x) took %d bytes", payload, n)
		}
		if r, _, err := parseRecipe(payload, length); err == nil && (r.framed() > length || len(a.out) > length) {
			t.Errorf("Apply(%x) made %d bytes, want %d", payload, len(a.out), length)
		}
	})
}
