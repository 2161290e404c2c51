package slotwriter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/bulkhead-os/bulkhead/api/blockpatch"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
)

// An Area is where an image is written.
type Area interface {
	io.ReaderAt
	io.WriterAt
	// Begin makes the kernel begin to write out what was written in a place.
	Begin(off, n int64)
	Sync() error
}

// A Blob is a file that is fetched.
type Blob interface {
	Size() int64
	// Copy is that of download.File.
	Copy(ctx context.Context, w io.Writer, off, n int64, part download.Strictness, attempt int) error
}

// Counts are bytes of an image by where they came from.
type Counts struct{ Patched, Reused, Fetched atomic.Int64 }

// Total returns how many bytes are there.
func (c *Counts) Total() int64 { return c.Patched.Load() + c.Reused.Load() + c.Fetched.Load() }

// A Filler fills a slot with an image.
type Filler struct {
	Tree *Tree // of the image; verified
	To   Area
	// There says which blocks may be there already: those of which Before has the
	// same hash. Where All is set, that is every one.
	Before *Tree
	All    bool
	// Running is what runs, with its tree, or nil.
	Running     io.ReaderAt
	RunningTree *Tree
	// Patch returns a patch that makes the image from what runs, if there is one that
	// is worth it when so many bytes are missing, with what is to be called when it
	// is no longer used. It may be nil.
	Patch func(missing int64) (patch io.ReaderAt, done func() error, ok bool)
	// Image is the whole image.
	Image Blob
	// Streams is how many parts of it are fetched at once.
	Streams int
	Count   *Counts

	have []uint64 // a bit for each block
}

// Blocks that are dealt with at once, by one goroutine.
const (
	segment    = 256
	segmentLen = segment * BlockSize
)

// Fill fills the slot. When it has returned nil, all of the image is in the slot,
// and a power cut does not undo it.
func (f *Filler) Fill(ctx context.Context) error {
	f.have = make([]uint64, (f.Tree.blocks+63)/64)
	if err := f.local(ctx); err != nil {
		return err
	}
	if err := f.patch(ctx); err != nil {
		return err
	}
	if err := f.fetch(ctx); err != nil {
		return err
	}
	if err := f.To.Sync(); err != nil {
		return fmt.Errorf("write the slot: %w", err)
	}
	return nil
}

func (f *Filler) has(block int64) bool {
	return atomic.LoadUint64(&f.have[block/64])>>(block%64)&1 == 1
}

func (f *Filler) set(block int64) { atomic.OrUint64(&f.have[block/64], 1<<(block%64)) }

// missing returns how many bytes are not there yet.
func (f *Filler) missing() int64 {
	n := f.Tree.blocks
	for _, w := range f.have {
		n -= int64(bits.OnesCount64(w))
	}
	return n * BlockSize
}

// local takes what is in the slot already and what the running slot has.
func (f *Filler) local(ctx context.Context) error {
	x := indexOf(f.RunningTree, f.Tree)
	if f.Running == nil {
		x = nil
	}
	before := f.Before
	if before != nil && (string(before.salt) != string(f.Tree.salt) || len(before.levels) == 0) {
		before = nil
	}
	if x == nil && before == nil && !f.All {
		return nil
	}
	var next atomic.Int64
	return parallel(ctx, 2, func(ctx context.Context) error {
		l := localizer{f: f, index: x, before: before, h: f.Tree.hasher(), digests: make([]byte, segment*hashSize), old: make([]byte, segment*hashSize), buf: make([]byte, segmentLen)}
		for ctx.Err() == nil {
			first := (next.Add(1) - 1) * segment
			if first >= f.Tree.blocks {
				return nil
			}
			if err := l.segment(first); err != nil {
				return err
			}
		}
		return context.Cause(ctx)
	})
}

// parallel runs n of work and returns the first error, after which the others are
// told to end.
func parallel(ctx context.Context, n int, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			if errs[i] = work(ctx); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx) // nil unless one of them, or the caller, ended it
}

// A localizer is one goroutine of local.
type localizer struct {
	f       *Filler
	index   index
	before  *Tree
	h       *hasher
	digests []byte // of the segment
	old     []byte // of what was there
	buf     []byte
}

func (l *localizer) segment(first int64) error {
	n := min(segment, l.f.Tree.blocks-first)
	l.digests = l.digests[:n*hashSize]
	if err := l.f.Tree.digests(l.digests, first); err != nil {
		return err
	}
	l.there(first, n)
	return l.reuse(first, n)
}

func (l *localizer) digest(i int64) []byte { return l.digests[i*hashSize:][:hashSize] }

// there looks for blocks in the slot itself. What cannot be read is not there.
func (l *localizer) there(first, n int64) {
	may := make([]bool, n)
	found := l.f.All
	for i := range may {
		may[i] = l.f.All
	}
	if l.before != nil && !l.f.All {
		m := min(n, l.before.blocks-first)
		if m > 0 && l.before.digests(l.old[:m*hashSize], first) == nil {
			for i := range m {
				may[i] = string(l.old[i*hashSize:][:hashSize]) == string(l.digest(i))
				found = found || may[i]
			}
		}
	}
	if !found {
		return
	}
	if got, err := l.f.To.ReadAt(l.buf[:n*BlockSize], first*BlockSize); err != nil && !errors.Is(err, io.EOF) {
		n = int64(got) / BlockSize
	}
	for i := range n {
		if may[i] && l.h.is(l.buf[i*BlockSize:][:BlockSize], l.digest(i)) {
			l.f.set(first + i)
			l.f.Count.Reused.Add(BlockSize)
		}
	}
}

// reuse copies blocks of the running slot, those that follow one another at once.
func (l *localizer) reuse(first, n int64) error {
	if l.index == nil {
		return nil
	}
	for i := int64(0); i < n; {
		from, ok := int64(0), false
		if !l.f.has(first + i) {
			from, ok = l.index.find(l.digest(i), -1)
		}
		if !ok {
			i++
			continue
		}
		run := int64(1)
		for i+run < n && !l.f.has(first+i+run) {
			if next, ok := l.index.find(l.digest(i+run), from+run); !ok || next != from+run {
				break
			}
			run++
		}
		if err := l.copy(first, i, from, run); err != nil {
			return err
		}
		i += run
	}
	return nil
}

func (l *localizer) copy(first, i, from, run int64) error {
	b := l.buf[:run*BlockSize]
	got, err := l.f.Running.ReadAt(b, from*BlockSize)
	if err != nil && !errors.Is(err, io.EOF) {
		b = b[:got/BlockSize*BlockSize] // others have them, too
	}
	w := writer{f: l.f, first: first + i, count: &l.f.Count.Reused}
	for k := range int64(len(b)) / BlockSize {
		w.take(b, k, l.h.is(b[k*BlockSize:][:BlockSize], l.digest(i+k)))
	}
	return w.flush(b)
}

// A writer writes those of blocks that are good, in as few pieces as possible.
type writer struct {
	f     *Filler
	first int64 // block that the buffer begins with
	count *atomic.Int64

	from, to int64 // blocks of the buffer that are to be written
	err      error
}

// take notes that block k of b is to be written, or not.
func (w *writer) take(b []byte, k int64, good bool) {
	if good && w.from == w.to {
		w.from, w.to = k, k
	}
	if good && w.to == k {
		w.to++
		return
	}
	w.err = errors.Join(w.err, w.flush(b))
	if good {
		w.from, w.to = k, k+1
	}
}

func (w *writer) flush(b []byte) error {
	if w.from == w.to || w.err != nil {
		return w.err
	}
	off, n := (w.first+w.from)*BlockSize, (w.to-w.from)*BlockSize
	if _, err := w.f.To.WriteAt(b[w.from*BlockSize:][:n], off); err != nil {
		return fmt.Errorf("write the slot: %w", err)
	}
	w.f.To.Begin(off, n)
	for i := w.from; i < w.to; i++ {
		w.f.set(w.first + i)
	}
	w.count.Add(n)
	w.from = w.to
	return nil
}

// patch makes blocks that are missing from what runs. A patch that does not do
// what it should is left: others have the blocks, too.
func (f *Filler) patch(ctx context.Context) error {
	missing := f.missing()
	if f.Patch == nil || f.Running == nil || missing == 0 {
		return nil
	}
	from, done, ok := f.Patch(missing)
	if !ok {
		return nil
	}
	err := f.patchFrom(ctx, from)
	return errors.Join(err, done())
}

func (f *Filler) patchFrom(ctx context.Context, from io.ReaderAt) error {
	p, err := blockpatch.Read(io.NewSectionReader(from, 0, 1<<62))
	if err != nil || p.New.Size != f.Tree.blocks*BlockSize {
		return nil
	}
	a, err := blockpatch.NewApplier(f.Running)
	if err != nil {
		return nil
	}
	defer a.Close()
	var payload []byte
	h := f.Tree.hasher()
	for _, s := range p.Segments {
		if s.Offset%BlockSize != 0 || s.Length%BlockSize != 0 || !f.lacks(s.Offset/BlockSize, int64(s.Length)/BlockSize) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if cap(payload) < s.PayloadLength {
			payload = make([]byte, s.PayloadLength)
		}
		payload = payload[:s.PayloadLength]
		if _, err := from.ReadAt(payload, s.PayloadOffset); err != nil && !errors.Is(err, io.EOF) {
			return nil
		}
		made, err := a.Apply(s, payload)
		if err != nil {
			continue
		}
		if err := f.put(h, made, s.Offset/BlockSize, &f.Count.Patched); err != nil {
			return err
		}
	}
	return nil
}

// lacks reports whether one of n blocks from first on is missing.
func (f *Filler) lacks(first, n int64) bool {
	for b := first; b < first+n; b++ {
		if !f.has(b) {
			return true
		}
	}
	return false
}

// put writes those of the blocks in data that are missing and what they have to be.
func (f *Filler) put(h *hasher, data []byte, first int64, count *atomic.Int64) error {
	n := int64(len(data)) / BlockSize
	digests := make([]byte, n*hashSize)
	if err := f.Tree.digests(digests, first); err != nil {
		return err
	}
	w := writer{f: f, first: first, count: count}
	for k := range n {
		w.take(data, k, !f.has(first+k) && h.is(data[k*BlockSize:][:BlockSize], digests[k*hashSize:][:hashSize]))
	}
	return w.flush(data)
}
