// Package efivar reads and writes the variables of the firmware.
package efivar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/unix"
)

// Dir is where the kernel shows the variables.
const Dir = "/sys/firmware/efi/efivars"

// Vendors: whose variables there are.
const (
	Global   = "8be4df61-93ca-11d2-aa0d-00e098032b8c" // the specification's
	Security = "d719b2cb-3d3a-4596-a3bc-dad00e67656f" // lists of what is trusted
	Loader   = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" // of boot loaders and stubs
)

// attributes of what is written: kept without power, seen by loaders and systems.
const attributes = 7

// maxSize bounds what is read of a variable.
const maxSize = 1 << 20

// Vars are the variables in a directory.
type Vars struct{ Dir string }

func (v Vars) file(name, vendor string) string { return filepath.Join(v.Dir, name+"-"+vendor) }

// Read returns the value of a variable. Without it, or without such a firmware,
// the error is fs.ErrNotExist.
func (v Vars) Read(name, vendor string) ([]byte, error) {
	data, err := os.ReadFile(v.file(name, vendor))
	if err != nil {
		return nil, err
	}
	if len(data) < 4 || len(data) > maxSize {
		return nil, fmt.Errorf("variable %s has %d bytes, want 4 to %d", name, len(data), maxSize)
	}
	return data[4:], nil // behind its attributes
}

// Text returns the value of a variable that is a text, or "" without it.
func (v Vars) Text(name, vendor string) string {
	data, err := v.Read(name, vendor)
	if err != nil {
		return ""
	}
	return decodeText(data)
}

// SecureBoot reports whether the firmware starts only what is signed.
func (v Vars) SecureBoot() bool {
	data, err := v.Read("SecureBoot", Global)
	return err == nil && len(data) == 1 && data[0] == 1
}

// Write gives a variable a value. The firmware does that at once or not at all.
func (v Vars) Write(name, vendor string, data []byte) error {
	file := v.file(name, vendor)
	if err := unlock(file); err != nil {
		return err
	}
	b := append(binary.LittleEndian.AppendUint32(nil, attributes), data...)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b) // in one piece, as the kernel wants it
	return errors.Join(err, f.Close())
}

// Remove removes a variable. That there is none is no error.
func (v Vars) Remove(name, vendor string) error {
	file := v.file(name, vendor)
	if err := unlock(file); err != nil {
		return err
	}
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unlock lets the file of a variable be changed, which the kernel forbids unless
// it is asked not to.
func unlock(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	const immutable = 0x10
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil || flags&immutable == 0 {
		return nil // another file system
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags&^immutable); err != nil {
		return fmt.Errorf("unlock variable %s: %w", filepath.Base(file), err)
	}
	return nil
}

func decodeText(b []byte) string {
	var chars []uint16
	for ; len(b) >= 2; b = b[2:] {
		c := binary.LittleEndian.Uint16(b)
		if c == 0 {
			break
		}
		chars = append(chars, c)
	}
	return strings.ToValidUTF8(string(utf16.Decode(chars)), "\uFFFD")
}

func encodeText(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}
