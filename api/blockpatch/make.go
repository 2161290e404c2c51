package blockpatch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// An Input is a file that a patch is made from.
type Input struct {
	io.ReaderAt
	Size int64
}

// segmentSize is what each segment of a patch makes, but for the last one. Small ones
// need little memory, and cost no bytes: see docs/design.
const segmentSize = 2 << 20

// Make writes a patch that makes the file next from the file old, and returns its
// header. It calls step, if there is one, with how many bytes of both files it is
// done with. What it writes has been applied and compared.
func Make(ctx context.Context, w io.WriterAt, old, next Input, step func(done int64)) (*Patch, error) {
	if old.Size > MaxSize || next.Size > MaxSize {
		return nil, fmt.Errorf("make patch: files of %d and %d bytes, want at most %d", old.Size, next.Size, int64(MaxSize))
	}
	m := maker{old: newOldFile(old, old.Size), step: step}
	var err error
	if m.check, err = NewApplier(old); err != nil {
		return nil, err
	}
	defer m.check.Close()
	if m.patch.Old, err = m.learn(ctx, old); err != nil {
		return nil, fmt.Errorf("make patch: old file: %w", err)
	}
	if err := m.make(ctx, w, next); err != nil {
		return nil, fmt.Errorf("make patch: %w", err)
	}
	_, err = w.WriteAt(m.patch.header(), 0)
	return &m.patch, err
}

type maker struct {
	patch Patch
	old   *oldFile
	check *Applier
	step  func(int64)
	done  int64
}

func (m *maker) advance(n int) {
	m.done += int64(n)
	if m.step != nil {
		m.step(m.done)
	}
}

// learn reads the old file.
func (m *maker) learn(ctx context.Context, old Input) (File, error) {
	return m.each(ctx, old, func(data []byte, offset int64) error {
		m.old.add(data, offset)
		return nil
	})
}

// each reads a file in pieces of a segment, and returns what file it was.
func (m *maker) each(ctx context.Context, in Input, f func(data []byte, offset int64) error) (File, error) {
	sum, buf := sha256.New(), make([]byte, min(segmentSize, in.Size))
	for at := int64(0); at < in.Size; at += segmentSize {
		if err := ctx.Err(); err != nil {
			return File{}, err
		}
		data := buf[:min(segmentSize, in.Size-at)]
		if n, err := in.ReadAt(data, at); n < len(data) {
			return File{}, errors.Join(err, fmt.Errorf("it has %d bytes, want %d", at+int64(n), in.Size))
		}
		sum.Write(data)
		if err := f(data, at); err != nil {
			return File{}, err
		}
		m.advance(len(data))
	}
	return File{Size: in.Size, Sum: Sum(sum.Sum(nil))}, nil
}

func (m *maker) make(ctx context.Context, w io.WriterAt, next Input) (err error) {
	m.patch.Segments = make([]Segment, (next.Size+segmentSize-1)/segmentSize)
	at, i := m.patch.headerSize(), 0
	m.patch.New, err = m.each(ctx, next, func(data []byte, offset int64) error {
		payload, err := m.segment(data, offset)
		if err != nil {
			return err
		}
		s := Segment{Offset: offset, Length: len(data), Sum: sha256.Sum256(data), PayloadOffset: at, PayloadLength: len(payload)}
		if _, err := m.check.Apply(s, payload); err != nil {
			return fmt.Errorf("what was made is wrong: %w", err)
		}
		m.patch.Segments[i] = s
		at, i = at+int64(len(payload)), i+1
		_, err = w.WriteAt(payload, s.PayloadOffset)
		return err
	})
	return err
}

// segment returns the payload of what makes data, which is at offset.
func (m *maker) segment(data []byte, offset int64) ([]byte, error) {
	r, framed := m.match(data, offset)
	if len(framed) == 0 {
		return r.append(nil), nil
	}
	r.dictionary = m.old.similar(framed)
	var dictionary []byte
	for _, d := range r.dictionary {
		part := make([]byte, d.length)
		if _, err := m.old.ReadAt(part, d.offset); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		dictionary = append(dictionary, part...)
	}
	return compress(r.append(nil), framed, dictionary)
}

// match finds what the old file has of data, in whole blocks, and returns it with
// all the rest.
func (m *maker) match(data []byte, offset int64) (recipe, []byte) {
	var r recipe
	var framed []byte
	var last *piece
	for at := 0; at < len(data); at += block {
		part := data[at:min(at+block, len(data))]
		// Best is what goes on where the last piece ended, or else what is at the
		// same place: then there is nothing to say about it.
		wanted := int32((offset + int64(at)) / block)
		if last != nil && last.copied > 0 {
			wanted = int32((last.offset + int64(last.copied+last.framed)) / block)
		}
		n, ok := int32(0), false
		if len(part) == block {
			n, ok = m.old.find(sumOf(part), wanted)
		}
		switch {
		case ok && last != nil && last.framed == 0 && n == wanted:
			last.copied += block
		case ok:
			r.pieces = append(r.pieces, piece{offset: int64(n) * block, copied: block})
		default:
			if last == nil {
				r.pieces = append(r.pieces, piece{})
			}
			r.pieces[len(r.pieces)-1].framed += len(part)
			framed = append(framed, part...)
		}
		last = &r.pieces[len(r.pieces)-1]
	}
	return r, framed
}

// little is what need not be compressed with tables of many megabytes.
const little = 256 << 10

// compress appends data to out as a frame that looks back into the dictionary.
func compress(out, data, dictionary []byte) ([]byte, error) {
	window := zstd.MinWindowSize
	for window < len(data)+len(dictionary) {
		window *= 2
	}
	level := zstd.SpeedBestCompression
	if len(data)+len(dictionary) < little {
		level = zstd.SpeedBetterCompression
	}
	opts := []zstd.EOption{
		zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(window), zstd.WithSingleSegment(true),
	}
	if len(dictionary) > 0 {
		opts = append(opts, zstd.WithEncoderDictRaw(0, dictionary))
	}
	e, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(data, out), e.Close()
}
