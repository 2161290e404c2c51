// Package cpio writes archives that the kernel unpacks as its first file
// system.
//
// The format is "newc". Owner and times are zero, so that equal files give
// equal archives.
package cpio

import (
	"fmt"
	"io"
	"io/fs"
)

// File types in the mode of an entry.
const (
	typeDir     = 0o040000
	typeRegular = 0o100000
	typeLink    = 0o120000
)

// A Writer writes an archive. It must be closed.
type Writer struct {
	w       io.Writer
	entries uint32
	err     error
}

// NewWriter returns a Writer of an archive to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Dir adds a directory. Those above it must have been added.
func (w *Writer) Dir(name string, perm fs.FileMode) error {
	return w.entry(name, typeDir|uint32(perm.Perm()), nil)
}

// File adds a file.
func (w *Writer) File(name string, data []byte, perm fs.FileMode) error {
	return w.entry(name, typeRegular|uint32(perm.Perm()), data)
}

// Link adds a symbolic link.
func (w *Writer) Link(name, target string) error {
	return w.entry(name, typeLink|0o777, []byte(target))
}

// Close ends the archive. It does not close what the archive is written to.
func (w *Writer) Close() error { return w.entry("TRAILER!!!", 0, nil) }

// entry writes one entry. The header has 110 bytes, and header with name as
// well as data end at a multiple of four.
func (w *Writer) entry(name string, mode uint32, data []byte) error {
	if w.err != nil {
		return w.err
	}
	w.entries++
	fields := [13]uint32{0: w.entries, 1: mode, 4: 1, 6: uint32(len(data)), 11: uint32(len(name) + 1)}
	head := []byte("070701")
	for _, f := range fields {
		head = fmt.Appendf(head, "%08X", f)
	}
	head = padded(append(append(head, name...), 0))
	for _, b := range [][]byte{head, data, make([]byte, -len(data)&3)} {
		if _, err := w.w.Write(b); err != nil {
			w.err = fmt.Errorf("write %s to archive: %w", name, err)
			return w.err
		}
	}
	return nil
}

func padded(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
