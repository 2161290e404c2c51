package slotwriter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/blockpatch"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// random returns blocks by chance.
func random(seed uint64, blocks int) []byte {
	b := make([]byte, blocks*BlockSize)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b) // it never fails
	return b
}

// tree returns the tree of data, as its makers write it.
func tree(data []byte, salt byte) ([]byte, verity.RootHash) {
	le := binary.LittleEndian
	sb := make([]byte, BlockSize)
	copy(sb, "verity\x00\x00")
	le.PutUint32(sb[8:], 1)
	le.PutUint32(sb[12:], 1)
	copy(sb[32:], "sha256")
	le.PutUint32(sb[64:], BlockSize)
	le.PutUint32(sb[68:], BlockSize)
	le.PutUint64(sb[72:], uint64(len(data)/BlockSize))
	le.PutUint16(sb[80:], 1)
	sb[88] = salt
	var levels [][]byte
	for level := data; ; {
		var up []byte
		for at := 0; at < len(level); at += BlockSize {
			sum := sha256.Sum256(append([]byte{salt}, level[at:at+BlockSize]...))
			up = append(up, sum[:]...)
		}
		if len(up) == hashSize {
			out := sb
			for i := len(levels) - 1; i >= 0; i-- {
				out = append(out, levels[i]...)
			}
			return out, verity.RootHash(up)
		}
		if over := len(up) % BlockSize; over > 0 {
			up = append(up, make([]byte, BlockSize-over)...)
		}
		levels = append(levels, up)
		level = up
	}
}

// A slot is a partition in memory.
type slot struct {
	mu      sync.Mutex
	b       []byte
	written int
	fail    int64 // writes from here on fail; 0 for none
}

func (s *slot) ReadAt(b []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(b, s.b[min(off, int64(len(s.b))):])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

var errDisk = errors.New("input/output error")

func (s *slot) WriteAt(b []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail > 0 && off+int64(len(b)) > s.fail {
		return 0, errDisk
	}
	s.written += len(b)
	return copy(s.b[off:], b), nil
}

func (*slot) Begin(int64, int64) {}
func (*slot) Sync() error        { return nil }

// A blob is a file on a server.
type blob struct {
	b      []byte
	whole  bool // it is given whole only
	damage int  // so many parts have a wrong byte

	mu    sync.Mutex
	given int
}

func (b *blob) Size() int64 { return int64(len(b.b)) }

func (b *blob) Copy(_ context.Context, w io.Writer, off, n int64, part download.Strictness, _ int) error {
	if b.whole && part == download.Strictly && n < b.Size() {
		return download.ErrNoRanges
	}
	b.mu.Lock()
	data := bytes.Clone(b.b[off : off+n])
	b.given += int(n)
	if b.damage > 0 {
		b.damage--
		data[len(data)/2]++
	}
	b.mu.Unlock()
	for len(data) > 0 {
		k := min(len(data), 1000)
		if _, err := w.Write(data[:k]); err != nil {
			return err
		}
		data = data[k:]
	}
	return nil
}

// A scene is a node and a release.
type scene struct {
	t          *testing.T
	old, image []byte
	to         *slot
	blob       *blob
	f          *Filler
}

func newScene(t *testing.T, blocks int) *scene {
	t.Helper()
	s := &scene{t: t, old: random(1, blocks)}
	s.image = bytes.Clone(s.old)
	copy(s.image[3*BlockSize:], random(2, 5))                       // new
	copy(s.image[20*BlockSize:30*BlockSize], s.old[100*BlockSize:]) // from elsewhere
	clear(s.image[40*BlockSize : 44*BlockSize])                     // nothing
	s.image[(blocks-1)*BlockSize]++                                 // the last one
	s.to, s.blob = &slot{b: make([]byte, len(s.image)+BlockSize)}, &blob{b: s.image}
	data, root := tree(s.image, 7)
	now, err := VerifyTree(bytes.NewReader(data), root, int64(len(s.image)))
	if err != nil {
		t.Fatal(err)
	}
	s.f = &Filler{Tree: now, To: s.to, Image: s.blob, Streams: 3, Count: &Counts{}}
	return s
}

// running gives the filler what runs.
func (s *scene) running() {
	data, _ := tree(s.old, 7)
	t, err := ReadTree(bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	s.f.Running, s.f.RunningTree = bytes.NewReader(s.old), t
}

func TestFill(t *testing.T) {
	const blocks = 1000
	tests := []struct {
		name    string
		arrange func(*scene)
		want    string
		reused  int // blocks
		patched int
		given   int // at most so many blocks came from the server; 0 for all
	}{
		{name: "all from the server", arrange: func(*scene) {}},
		{name: "a server that gives no parts", arrange: func(s *scene) { s.blob.whole = true }},
		{name: "what runs", arrange: (*scene).running, reused: blocks - 5 - 4 - 1, given: 5 + 4 + 1 + 3*gap},
		{name: "what runs, and a server that gives no parts", arrange: func(s *scene) { s.running(); s.blob.whole = true }, reused: blocks - 10, given: blocks},
		{name: "what runs is damaged", arrange: func(s *scene) {
			s.running()
			damaged := bytes.Clone(s.old)
			damaged[500*BlockSize]++
			s.f.Running = bytes.NewReader(damaged)
		}, reused: blocks - 11, given: 11 + 4*gap},
		{name: "what runs has another salt", arrange: func(s *scene) {
			s.running()
			data, _ := tree(s.old, 8)
			s.f.RunningTree, _ = ReadTree(bytes.NewReader(data))
		}},
		{name: "all is there", arrange: func(s *scene) { s.f.All = true; copy(s.to.b, s.image); s.f.Image = nil }, reused: blocks},
		{name: "half is there", arrange: func(s *scene) { s.f.All = true; copy(s.to.b, s.image[:blocks/2*BlockSize]) }, reused: blocks / 2, given: blocks / 2},
		{name: "what was there before", arrange: func(s *scene) {
			copy(s.to.b, s.old)
			data, _ := tree(s.old, 7)
			s.f.Before, _ = ReadTree(bytes.NewReader(data))
		}, reused: blocks - 5 - 10 - 4 - 1, given: 20 + 4*gap},
		{name: "what was there before is a lie", arrange: func(s *scene) {
			data, _ := tree(s.old, 7)
			s.f.Before, _ = ReadTree(bytes.NewReader(data))
		}},
		{name: "a patch", arrange: func(s *scene) {
			s.running()
			s.f.Image = nil
			s.f.Patch = s.patch(func(b []byte) []byte { return b })
		}, reused: blocks - 10, patched: 10},
		{name: "a damaged patch", arrange: func(s *scene) {
			s.running()
			s.f.Patch = s.patch(func(b []byte) []byte { b[len(b)/2]++; return b })
		}, reused: blocks - 10, patched: 1, given: 10 + 3*gap}, // the one in the other segment
		{name: "no patch", arrange: func(s *scene) {
			s.running()
			s.f.Patch = s.patch(func([]byte) []byte { return []byte("nothing of the kind") })
		}, reused: blocks - 10, given: 10 + 3*gap},
		{name: "a wrong byte now and then", arrange: func(s *scene) { s.blob.damage = 3 }, given: 2 * blocks},
		{name: "a wrong byte each time", arrange: func(s *scene) { s.blob.damage = 1 << 30 }, want: "it is not what was signed"},
		{name: "nowhere to be had", arrange: func(s *scene) { s.f.Image = nil }, want: "4096000 bytes of the image are missing"},
		{name: "a disk that does not write", arrange: func(s *scene) { s.to.fail = 2_000_000 }, want: "write the slot: input/output error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, blocks)
			tt.arrange(s)
			err := s.f.Fill(t.Context())
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("Fill: %v, want %q in it", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatalf("Fill: %v", err)
			}
			if !bytes.Equal(s.to.b[:len(s.image)], s.image) {
				t.Error("Fill returned nil, and the slot has something else")
			}
			c := s.f.Count
			if c.Reused.Load() != int64(tt.reused)*BlockSize || c.Patched.Load() != int64(tt.patched)*BlockSize || c.Total() != blocks*BlockSize {
				t.Errorf("%d reused, %d patched, %d fetched blocks, want %d reused, %d patched of %d",
					c.Reused.Load()/BlockSize, c.Patched.Load()/BlockSize, c.Fetched.Load()/BlockSize, tt.reused, tt.patched, blocks)
			}
			if tt.given > 0 && s.blob.given > tt.given*BlockSize {
				t.Errorf("the server gave %d blocks, want at most %d", s.blob.given/BlockSize, tt.given)
			}
		})
	}
}

// patch returns what gives a patch from what runs.
func (s *scene) patch(change func([]byte) []byte) func(int64) (io.ReaderAt, func() error, bool) {
	s.t.Helper()
	out, err := os.Create(filepath.Join(s.t.TempDir(), "patch"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	if _, err := blockpatch.Make(s.t.Context(), out, input(s.old), input(s.image), nil); err != nil {
		s.t.Fatal(err)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	data := change(b)
	return func(int64) (io.ReaderAt, func() error, bool) {
		return bytes.NewReader(data), func() error { return nil }, true
	}
}

// A slot whose writes fail somewhere is gone on with once they do not.
func TestFillAgain(t *testing.T) {
	s := newScene(t, 3000)
	s.running()
	s.f.All = true
	for fail := int64(100_000); fail < int64(len(s.image)); fail += 1_300_000 {
		s.to.fail = fail
		if err := s.f.Fill(t.Context()); !errors.Is(err, errDisk) {
			t.Fatalf("Fill with a disk that fails at %d: %v, want its error", fail, err)
		}
	}
	s.to.fail, s.to.written = 0, 0
	if err := s.f.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.to.b[:len(s.image)], s.image) {
		t.Error("Fill returned nil, and the slot has something else")
	}
	if s.to.written > len(s.image)/2 {
		t.Errorf("the last time %d bytes were written of %d, want fewer: most were there", s.to.written, len(s.image))
	}
}

func TestVerifyTree(t *testing.T) {
	for _, blocks := range []int{2, 127, 128, 129, 128 * 128, 128*128 + 1} {
		t.Run(fmt.Sprint(blocks), func(t *testing.T) {
			image := make([]byte, blocks*BlockSize)
			copy(image, "something")
			data, root := tree(image, 3)
			if got := TreeSize(int64(blocks)); got != int64(len(data)) {
				t.Errorf("TreeSize(%d) = %d, want %d", blocks, got, len(data))
			}
			if _, err := VerifyTree(bytes.NewReader(data), root, int64(len(image))); err != nil {
				t.Errorf("VerifyTree: %v", err)
			}
			if _, err := VerifyTree(bytes.NewReader(data), root, int64(len(image))+BlockSize); err == nil {
				t.Error("VerifyTree for another size = nil, want that it is refused")
			}
			for at := BlockSize; at < len(data); at += max(BlockSize, len(data)/17) {
				data[at+31]++
				if _, err := VerifyTree(bytes.NewReader(data), root, int64(len(image))); err == nil {
					t.Errorf("VerifyTree with a wrong byte at %d = nil, want that it is refused", at+31)
				}
				data[at+31]--
			}
		})
	}
}

// What a superblock says does not make its reader fail in other ways than with an
// error.
func FuzzReadTree(f *testing.F) {
	data, _ := tree(make([]byte, 3*BlockSize), 1)
	f.Add(data)
	f.Add(data[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadTree(bytes.NewReader(b))
		if err == nil && got.Blocks() <= 0 {
			t.Errorf("ReadTree: %d blocks", got.Blocks())
		}
	})
}

func input(b []byte) blockpatch.Input {
	return blockpatch.Input{ReaderAt: bytes.NewReader(b), Size: int64(len(b))}
}
