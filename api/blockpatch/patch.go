// Package blockpatch makes one file out of another that a node already has, from a
// patch that holds only what is new.
//
// A patch is cut into segments. Each makes at most MaxSegment bytes of the new
// file, on its own: from stretches of the old file, and from a zstd frame whose
// dictionary is other stretches of the old file, at most MaxDictionary bytes. So
// a node can fetch, apply and verify one segment after the other, begin again
// after any of them, and needs memory for one only, however large the files are.
//
//	magic      8 bytes, "BHPATCH1"
//	header     sizes and SHA-256 of both files; the number of segments; of each
//	           segment the lengths of what it makes and of its payload, and the
//	           SHA-256 of what it makes
//	check      32 bytes, SHA-256 of all before it
//	payloads   one for each segment, in order, without gaps
//
// Numbers in the header are big endian. A payload is a list of pieces, in order of
// the new file: so many bytes of the old file, then so many of the frame; a list
// of stretches that are the dictionary; and the frame. Its numbers are varints.
//
// Whoever applies a patch need trust it as little as any other source of bytes.
// What a segment makes has the sum that the header names, or it is an error, and
// nothing that a patch says makes a reader use more than the memory named above.
package blockpatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits of the format. A patch that goes beyond one is refused.
const (
	MaxSegment    = 8 << 20            // bytes that a segment makes
	MaxDictionary = 8 << 20            // bytes of the old file that its dictionary holds
	MaxPayload    = MaxSegment + 1<<20 // bytes of the patch that it takes
	MaxSegments   = 1 << 16            // in a patch
	MaxSize       = 64 << 30           // bytes of the old file, and of the new one
)

const (
	magic      = "BHPATCH1"
	prefixSize = 8 + 2*(8+sha256.Size) + 4 // of all before the segments
	entrySize  = 4 + 4 + sha256.Size       // of a segment in the header
)

// ErrFormat is wrapped by the errors of what is no patch, or a damaged one.
var ErrFormat = errors.New("not a valid patch")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// A Sum is the SHA-256 of a file or of a part of it.
type Sum = [sha256.Size]byte

// A Patch is the header of a patch: what it is made from, what it makes, and
// where its segments are.
type Patch struct {
	Old, New File
	Segments []Segment // they make the new file from its start to its end, without gaps
}

// A File is a file as a whole.
type File struct {
	Size int64
	Sum  Sum
}

// A Segment is a part of the new file, and where the patch has what makes it.
type Segment struct {
	Offset int64 // in the new file
	Length int   // at most MaxSegment
	Sum    Sum   // of the part of the new file

	PayloadOffset int64 // in the patch
	PayloadLength int   // at most MaxPayload
}

// Size returns the length of the patch with all its payloads.
func (p *Patch) Size() int64 {
	size := p.headerSize()
	for _, s := range p.Segments {
		size += int64(s.PayloadLength)
	}
	return size
}

func (p *Patch) headerSize() int64 {
	return int64(prefixSize + len(p.Segments)*entrySize + sha256.Size)
}

// Read reads the header of a patch from r and checks it. Afterwards r stands at
// the payload of the first segment.
func Read(r io.Reader) (*Patch, error) {
	head := make([]byte, prefixSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, short("header", err)
	}
	if string(head[:len(magic)]) != magic {
		return nil, malformed("it begins with %q, want %q", head[:len(magic)], magic)
	}
	n := binary.BigEndian.Uint32(head[prefixSize-4:])
	if n > MaxSegments {
		return nil, malformed("it has %d segments, want at most %d", n, MaxSegments)
	}
	// Memory grows with what really comes, not with what is announced.
	rest := int64(n)*entrySize + sha256.Size
	var buf bytes.Buffer
	buf.Write(head)
	if got, err := io.CopyN(&buf, r, rest); err != nil {
		return nil, short(fmt.Sprintf("header (%d of %d bytes)", prefixSize+got, prefixSize+rest), err)
	}
	return parse(buf.Bytes())
}

// short tells what ends too early from what cannot be read.
func short(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends within its %s", what)
	}
	return fmt.Errorf("read %s of patch: %w", what, err)
}

// parse reads a whole header, of which the magic and the length are right.
func parse(head []byte) (*Patch, error) {
	body := head[:len(head)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], head[len(body):]) {
		return nil, malformed("its header is damaged")
	}
	p := &Patch{}
	at := body[len(magic):]
	for _, f := range []*File{&p.Old, &p.New} {
		size := binary.BigEndian.Uint64(at)
		if size > MaxSize {
			return nil, malformed("a file of it has %d bytes, want at most %d", size, int64(MaxSize))
		}
		f.Size = int64(size)
		at = at[8+copy(f.Sum[:], at[8:]):]
	}
	offset, payload := int64(0), int64(len(head))
	for at = at[4:]; len(at) > 0; at = at[entrySize:] {
		length, packed := binary.BigEndian.Uint32(at), binary.BigEndian.Uint32(at[4:])
		if length == 0 || length > MaxSegment || packed > MaxPayload {
			return nil, malformed("segment %d makes %d bytes from %d, want 1 to %d from at most %d", len(p.Segments), length, packed, MaxSegment, MaxPayload)
		}
		s := Segment{Offset: offset, Length: int(length), PayloadOffset: payload, PayloadLength: int(packed)}
		copy(s.Sum[:], at[8:])
		p.Segments = append(p.Segments, s)
		offset, payload = offset+int64(length), payload+int64(packed)
	}
	if offset != p.New.Size {
		return nil, malformed("its segments make %d bytes, and the file has %d", offset, p.New.Size)
	}
	return p, nil
}

// header returns p as Read reads it.
func (p *Patch) header() []byte {
	out := append(make([]byte, 0, p.headerSize()), magic...)
	for _, f := range []File{p.Old, p.New} {
		out = binary.BigEndian.AppendUint64(out, uint64(f.Size))
		out = append(out, f.Sum[:]...)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(p.Segments)))
	for _, s := range p.Segments {
		out = binary.BigEndian.AppendUint32(out, uint32(s.Length))
		out = binary.BigEndian.AppendUint32(out, uint32(s.PayloadLength))
		out = append(out, s.Sum[:]...)
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}
