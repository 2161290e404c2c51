// Package machineid keeps the number by which a node is known for ever: to
// systemd, to its journal and to whoever collects that.
package machineid

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// Name is what the file is called on the partition that the node keeps.
const Name = "machine-id"

// An ID is the number of a node, as 32 digits. The zero value means that there
// is none.
type ID struct{ s string }

// New returns a number that no node has.
func New() ID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	// The bits by which a UUID says that it is random: systemd wants them.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return ID{hex.EncodeToString(b[:])}
}

// Parse returns the number that the contents of a file are.
func Parse(text string) (ID, error) {
	s := strings.TrimSuffix(text, "\n")
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 16 || strings.ToLower(s) != s || strings.Trim(s, "0") == "" {
		return ID{}, fmt.Errorf("machine id %.40q: want 32 small hexadecimal digits, not all zero", s)
	}
	return ID{s}, nil
}

func (id ID) String() string { return id.s }

// IsZero reports whether there is no number.
func (id ID) IsZero() bool { return id.s == "" }

// File returns what a file holds for id.
func (id ID) File() []byte { return []byte(id.s + "\n") }

// Read returns the number that dir keeps. Without the file the error is
// fs.ErrNotExist.
func Read(dir *os.Root) (ID, error) {
	f, err := dir.Open(Name)
	if err != nil {
		return ID{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return ID{}, err
	}
	return Parse(string(text))
}

// Keep writes id to dir. Once it has returned nil, a power cut does not undo it.
func Keep(dir *os.Root, id ID) error {
	if id.IsZero() {
		return errors.New("keep a machine id: there is none")
	}
	if err := atomicfile.Sweep(dir, Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep machine id %s: %w", id, err)
	}
	if err := atomicfile.Replace(dir, Name, id.File(), atomicfile.Attributes{Mode: 0o444, UID: -1, GID: -1}); err != nil {
		return fmt.Errorf("keep machine id %s: %w", id, err)
	}
	return nil
}
