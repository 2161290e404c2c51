package blockpatch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/blockpatch"
)

// noise returns n bytes that cannot be compressed, the same for the same seed.
func noise(seed uint64, n int) []byte {
	out := make([]byte, (n+7)&^7)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(out[i:], r.Uint64())
	}
	return out[:n]
}

// patch returns the patch that makes next from old.
func patch(t testing.TB, old, next []byte) []byte {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "patch"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p, err := blockpatch.Make(t.Context(), out, input(old), input(next), nil)
	if err != nil {
		t.Fatalf("Make of %d and %d bytes: %v", len(old), len(next), err)
	}
	data, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) != p.Size() {
		t.Errorf("Make wrote %d bytes, and Size is %d", len(data), p.Size())
	}
	return data
}

func input(b []byte) blockpatch.Input {
	return blockpatch.Input{ReaderAt: bytes.NewReader(b), Size: int64(len(b))}
}

func TestMake(t *testing.T) {
	base := noise(1, 3<<20)
	tests := []struct {
		name      string
		old, next []byte
		most      int // bytes of the patch
	}{
		{name: "both empty", most: 200},
		{name: "from nothing", next: noise(2, 9000), most: 9300},
		{name: "to nothing", old: base, most: 200},
		{name: "nothing changed", old: base, next: base, most: 400},
		{name: "one byte changed", old: base, next: edit(base, 1<<20, 1, []byte{7}), most: 600},
		{name: "bytes put in", old: base, next: edit(base, 100, 0, []byte("some words")), most: 4000},
		{name: "bytes taken out", old: base, next: edit(base, 2<<20+5, 1000, nil), most: 4000},
		{name: "blocks moved", old: base, next: append(bytes.Clone(base[1<<20:]), base[:1<<20]...), most: 500},
		{name: "end that is no block", old: base[:10_001], next: edit(base, 4097, 0, []byte("x"))[:12_345], most: 2800},
		{name: "all new", old: base, next: noise(3, 3<<20), most: 3<<20 + 2000},
		{name: "text", old: base, next: bytes.Repeat([]byte("the same again\n"), 100_000), most: 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := patch(t, tt.old, tt.next)
			if len(data) > tt.most {
				t.Errorf("Make(%s) made a patch of %d bytes, want at most %d", tt.name, len(data), tt.most)
			}
			var got bytes.Buffer
			if err := blockpatch.Whole(bytes.NewReader(data), bytes.NewReader(tt.old), &got); err != nil {
				t.Fatalf("Whole(%s): %v", tt.name, err)
			}
			if !bytes.Equal(got.Bytes(), tt.next) {
				t.Errorf("Whole(%s) is not the new file", tt.name)
			}
		})
	}
}

// edit returns b with n bytes at offset replaced.
func edit(b []byte, offset, n int, by []byte) []byte {
	return append(append(bytes.Clone(b[:offset]), by...), b[offset+n:]...)
}

// The same files give the same patch, so that a release can be made again.
func TestMakeIsReproducible(t *testing.T) {
	old := noise(4, 3<<20)
	next := edit(old, 1<<20, 10, []byte("twenty bytes or so.."))
	if first, second := patch(t, old, next), patch(t, old, next); !bytes.Equal(first, second) {
		t.Errorf("Make of the same files made two patches, of %d and %d bytes", len(first), len(second))
	}
}

// Segments need each other neither in order nor at all.
func TestApply(t *testing.T) {
	old := noise(5, 5<<20)
	next := edit(old, 5, 3, []byte("hello, hello"))
	data := patch(t, old, next)
	p, err := blockpatch.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	want := blockpatch.File{Size: int64(len(next)), Sum: sha256.Sum256(next)}
	if diff := cmp.Diff(want, p.New); diff != "" {
		t.Errorf("Read: new file (-want +got):\n%s", diff)
	}
	a, err := blockpatch.NewApplier(bytes.NewReader(old))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for i := len(p.Segments) - 1; i >= 0; i-- {
		s := p.Segments[i]
		got, err := a.Apply(s, data[s.PayloadOffset:][:s.PayloadLength])
		if err != nil {
			t.Fatalf("Apply(segment %d): %v", i, err)
		}
		if !bytes.Equal(got, next[s.Offset:][:s.Length]) {
			t.Errorf("Apply(segment %d) is not that part of the new file", i)
		}
		if copied, patched := a.Made(); copied+patched != s.Length {
			t.Errorf("Made() = %d, %d after segment %d of %d bytes", copied, patched, i, s.Length)
		}
	}
}

// What goes wrong is told, whatever it is.
func TestWholeErrors(t *testing.T) {
	old := noise(6, 3<<20)
	next := edit(old, 100, 0, []byte("new"))
	good := patch(t, old, next)
	changed := func(offset int) []byte {
		b := bytes.Clone(good)
		b[offset] ^= 1
		return b
	}
	tests := []struct {
		name       string
		patch, old []byte
		want       string
	}{
		{name: "empty", old: old, want: "not a valid patch: it ends within its header"},
		{name: "another format", patch: bytes.Repeat([]byte("no"), 200), old: old, want: `not a valid patch: it begins with "nononono", want "BHPATCH1"`},
		{name: "cut in the header", patch: good[:100], old: old, want: "not a valid patch: it ends within its header (100 of 204 bytes)"},
		{name: "damaged header", patch: changed(30), old: old, want: "not a valid patch: its header is damaged"},
		{name: "absurd number of segments", patch: changed(88), old: old, want: "not a valid patch: it has 16777218 segments, want at most 65536"},
		{name: "cut in a segment", patch: good[:len(good)-1], old: old, want: "not a valid patch: it ends within its segment at 2097152"},
		{name: "damaged segment", patch: changed(len(good) - 20), old: old, want: "segment at 2097152"},
		{name: "another old file", patch: good, old: noise(7, 3<<20), want: "not a valid patch: segment at 0 does not make what it should"},
		{name: "short old file", patch: good, old: old[:1<<20], want: "segment at 0: not a valid patch: it wants bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := blockpatch.Whole(bytes.NewReader(tt.patch), bytes.NewReader(tt.old), io.Discard)
			if !errors.Is(err, blockpatch.ErrFormat) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Whole(%s): error %v, want %q", tt.name, err, tt.want)
			}
		})
	}
}

// A fault of the disk is not one of the patch.
func TestWholeReadError(t *testing.T) {
	old := noise(8, 1<<20)
	fault := errors.New("input/output error")
	err := blockpatch.Whole(bytes.NewReader(patch(t, old, old)), readerAt(func([]byte, int64) (int, error) { return 0, fault }), io.Discard)
	if !errors.Is(err, fault) || errors.Is(err, blockpatch.ErrFormat) {
		t.Errorf("Whole with a bad disk: error %v, want %v", err, fault)
	}
}

type readerAt func([]byte, int64) (int, error)

func (f readerAt) ReadAt(p []byte, offset int64) (int, error) { return f(p, offset) }

func TestBlockSums(t *testing.T) {
	sum := func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	data := noise(9, 2*blockpatch.BlockSize+5)
	tests := []struct {
		name string
		in   []byte
		want []byte
	}{
		{name: "empty"},
		{name: "one byte", in: data[:1], want: sum(data[:1])},
		{name: "whole block", in: data[:4096], want: sum(data[:4096])},
		{name: "last one short", in: data, want: append(append(sum(data[:4096]), sum(data[4096:8192])...), sum(data[8192:])...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := blockpatch.BlockSums(bytes.NewReader(tt.in))
			if err != nil || !bytes.Equal(got, tt.want) {
				t.Errorf("BlockSums(%d bytes) = %x, %v, want %x", len(tt.in), got, err, tt.want)
			}
		})
	}
}
