package authenticode

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Offsets in a Portable Executable of 64 bits, from the start of its optional
// header (Microsoft's PE format, "Optional Header").
const (
	peMagic         = 0x20b
	peHeadersSize   = 60
	peChecksum      = 64
	peDirectories   = 112
	peSecurityIndex = 4
	peSectionHeader = 40
)

// Kinds of a certificate in a program (Microsoft's PE format, "The Attribute
// Certificate Table").
const (
	certificateRevision = 0x0200
	certificatePKCS7    = 0x0002
)

// ErrSigned says that a program has a signature.
var ErrSigned = errors.New("it is signed")

// A program is a PE file of which the parts are known that a signature leaves
// out.
type program struct {
	b        []byte
	checksum int // where the checksum is
	security int // where the place of the signature is told
	headers  int // how long all headers are
	sections []span
}

type span struct{ from, to int }

// parseProgram reads the headers of b, a program for 64 bits.
func parseProgram(b []byte) (p program, err error) {
	defer func() {
		if recover() != nil { // an index out of range: every place comes from the file itself
			err = errors.New("not a PE program: its headers point outside of it")
		}
	}()
	b = slices.Clip(b) // places may not lie in the room behind it either
	le := binary.LittleEndian
	if string(b[:2]) != "MZ" {
		return p, errors.New("not a PE program")
	}
	pe := int(le.Uint32(b[0x3c:]))
	if string(b[pe:pe+4]) != "PE\x00\x00" {
		return p, errors.New("not a PE program")
	}
	count, optSize, opt := int(le.Uint16(b[pe+6:])), int(le.Uint16(b[pe+20:])), pe+24
	if magic := le.Uint16(b[opt:]); magic != peMagic {
		return p, fmt.Errorf("a PE program of kind %#x, want %#x", magic, peMagic)
	}
	p = program{b: b, checksum: opt + peChecksum, security: opt + peDirectories + 8*peSecurityIndex, headers: int(le.Uint32(b[opt+peHeadersSize:]))}
	left := len(b) - p.headers // of what is not hashed yet; what overlaps would be hashed again and again
	for i := range count {
		h := b[opt+optSize+i*peSectionHeader:]
		size, from := int(le.Uint32(h[16:])), int(le.Uint32(h[20:]))
		if size > 0 {
			_ = b[from : from+size]
			if left -= size; left < 0 {
				return p, errors.New("not a PE program: its sections overlap")
			}
			p.sections = append(p.sections, span{from, from + size})
		}
	}
	slices.SortFunc(p.sections, func(a, b span) int { return a.from - b.from })
	_ = b[p.security+8 : p.headers]
	return p, p.checkSignature(len(b) - left)
}

// checkSignature checks that the table of signatures, if there is one, is the end
// of the program, behind what is hashed of it: firmware hashes all but so many
// bytes at the end.
func (p program) checkSignature(hashed int) error {
	s := p.signature()
	switch {
	case s.from == 0:
		return nil
	case s.from < hashed || s.to > len(p.b):
		return errOutside
	case s.to < len(p.b):
		return errors.New("its signature is not at its end")
	}
	return nil
}

// errOutside says that a table of signatures is not where one can be.
var errOutside = errors.New("its signature lies outside of it")

// signature returns where the table of signatures is.
func (p program) signature() span {
	from := int(binary.LittleEndian.Uint32(p.b[p.security:]))
	return span{from, from + int(binary.LittleEndian.Uint32(p.b[p.security+4:]))}
}

// digest returns the hash that a signature covers: the program without its
// checksum and without all that belongs to signatures (Windows Authenticode
// Portable Executable Signature Format, "Calculating the PE Image Hash").
func (p program) digest() [sha256.Size]byte {
	h := sha256.New()
	h.Write(p.b[:p.checksum])
	h.Write(p.b[p.checksum+4 : p.security])
	h.Write(p.b[p.security+8 : p.headers])
	hashed := p.headers
	for _, s := range p.sections {
		h.Write(p.b[s.from:s.to])
		hashed += s.to - s.from
	}
	end := len(p.b)
	if s := p.signature(); s.from > 0 {
		end = s.from
	}
	if hashed < end {
		h.Write(p.b[hashed:end])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Sign returns the program in b, a PE file for 64 bits without a signature, with
// one by key, which cert is for. Its error is ErrSigned when there is one.
func Sign(b []byte, key *rsa.PrivateKey, cert *x509.Certificate) ([]byte, error) {
	out := bytes.Clone(b)
	out = append(out, make([]byte, -len(out)&7)...) // signatures begin at eight bytes
	p, err := parseProgram(out)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if p.signature().from != 0 {
		return nil, fmt.Errorf("sign: %w", ErrSigned)
	}
	blob, err := signedData(p.digest(), key, cert)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	length := 8 + len(blob)
	le := binary.LittleEndian
	le.PutUint32(out[p.security:], uint32(len(out)))
	le.PutUint32(out[p.security+4:], uint32((length+7)&^7))
	out = le.AppendUint32(out, uint32(length))
	out = le.AppendUint16(out, certificateRevision)
	out = le.AppendUint16(out, certificatePKCS7)
	out = append(out, blob...)
	return append(out, make([]byte, -length&7)...), nil
}
