package slotwriter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bulkhead-os/bulkhead/sources/internal/download"
)

const (
	// gap is how many blocks that are there already are fetched again rather than
	// asking twice.
	gap = 16
	// extentMax is how many blocks are asked for at once.
	extentMax = 2048
	// rounds is how often what did not come right is asked for again.
	rounds = 4
)

// ErrBlock says that what was fetched is not what was signed.
var ErrBlock = errors.New("it is not what was signed")

// An extent is a run of blocks that are fetched at once.
type extent struct{ first, blocks int64 }

// extents returns what is to be fetched.
func (f *Filler) extents() []extent {
	var out []extent
	for b := int64(0); b < f.Tree.blocks; b++ {
		if f.has(b) {
			continue
		}
		if k := len(out) - 1; k >= 0 {
			e := &out[k]
			if end := e.first + e.blocks; b-end <= gap && b+1-e.first <= extentMax {
				e.blocks = b + 1 - e.first
				continue
			}
		}
		out = append(out, extent{b, 1})
	}
	return out
}

// fetch takes what is missing from the whole image. Blocks that do not come right
// are asked for again, from another place if there is one.
func (f *Filler) fetch(ctx context.Context) error {
	for round := range rounds {
		todo := f.extents()
		if len(todo) == 0 {
			return nil
		}
		if f.Image == nil {
			return fmt.Errorf("%d bytes of the image are missing, and it is not there as a whole", f.missing())
		}
		err := f.fetchAll(ctx, todo, round)
		if errors.Is(err, download.ErrNoRanges) {
			err = f.fetchWhole(ctx, round)
		}
		if err != nil {
			return fmt.Errorf("fetch the root image: %w", err)
		}
	}
	left := f.extents()
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("fetch the root image: block %d: %w, and neither is it when it is asked for %d times", left[0].first, ErrBlock, rounds)
}

func (f *Filler) fetchAll(ctx context.Context, todo []extent, round int) error {
	var mu sync.Mutex // guards todo
	next := func() (extent, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(todo) == 0 {
			return extent{}, false
		}
		e := todo[0]
		todo = todo[1:]
		return e, true
	}
	return parallel(ctx, max(1, f.Streams), func(ctx context.Context) error {
		s := f.newSink()
		for {
			e, ok := next()
			if !ok {
				return nil
			}
			s.at(e.first)
			err := f.Image.Copy(ctx, s, e.first*BlockSize, e.blocks*BlockSize, download.Strictly, round)
			if err = errors.Join(s.end(), err); err != nil {
				return err
			}
		}
	})
}

func (f *Filler) fetchWhole(ctx context.Context, round int) error {
	s := f.newSink()
	s.at(0)
	err := f.Image.Copy(ctx, s, 0, f.Image.Size(), download.Leniently, round)
	return errors.Join(s.end(), err)
}

// sinkLen is how much is compared and written at once.
const sinkLen = 256 << 10

// A sink compares and writes what comes.
type sink struct {
	f    *Filler
	h    *hasher
	next int64 // block
	buf  []byte
	n    int
}

func (f *Filler) newSink() *sink { return &sink{f: f, h: f.Tree.hasher(), buf: make([]byte, sinkLen)} }

func (s *sink) at(block int64) { s.next, s.n = block, 0 }

func (s *sink) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		m := copy(s.buf[s.n:], p)
		s.n += m
		done += m
		p = p[m:]
		if s.n == len(s.buf) {
			if err := s.end(); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// end deals with whole blocks that have come.
func (s *sink) end() error {
	whole := s.n / BlockSize * BlockSize
	if whole == 0 {
		return nil
	}
	err := s.f.put(s.h, s.buf[:whole], s.next, &s.f.Count.Fetched)
	s.next += int64(whole / BlockSize)
	s.n = copy(s.buf, s.buf[whole:s.n])
	return err
}
