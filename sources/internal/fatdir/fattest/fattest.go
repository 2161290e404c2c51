// Package fattest makes small FAT32 file systems for tests, and checks what
// became of them.
package fattest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
)

// The file systems have sectors of 512 bytes, which are the clusters, and two
// tables.
const (
	sector   = 512
	reserved = 32
	tables   = 2
)

type maker struct {
	b    []byte
	size int // of a table, in sectors
	next uint32
}

// Make returns a file system of size bytes with files in the directory dir, which
// has two parts. Before the files stand as many slots that were used once as
// pad says.
func Make(size int, dir string, pad int, files map[string][]byte) []byte {
	return MakeTree(size, pad, map[string]map[string][]byte{dir: files})
}

// MakeTree is Make for several directories in one.
func MakeTree(size, pad int, dirs map[string]map[string][]byte) []byte {
	m := &maker{b: make([]byte, size), size: size / sector * 4 / sector, next: 2}
	le := binary.LittleEndian
	copy(m.b, "\xeb\x58\x90mkfs.fat")
	le.PutUint16(m.b[11:], sector)
	m.b[13] = 1
	le.PutUint16(m.b[14:], reserved)
	m.b[16] = tables
	le.PutUint32(m.b[32:], uint32(size/sector))
	le.PutUint32(m.b[36:], uint32(m.size))
	le.PutUint32(m.b[44:], 2)
	m.b[510], m.b[511] = 0x55, 0xaa

	root, first := m.alloc(1), m.alloc(1)
	entries := slices.Concat(slot(".", 0x10, first, 0), slot("..", 0x10, root, 0))
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		top, sub, found := strings.Cut(dir, "/")
		if !found || top != "EFI" || len(sub) > 8 {
			panic("want a directory with a short name in EFI")
		}
		last := m.alloc(4)
		copy(m.at(root), slot(top, 0x10, first, 0))
		entries = append(entries, slot(sub, 0x10, last, 0)...)
		m.fill(last, first, pad, dirs[dir])
	}
	copy(m.at(first), entries)
	return m.b
}

// fill makes the files of the directory in the clusters that begin with c.
func (m *maker) fill(c, parent uint32, pad int, files map[string][]byte) {
	entries := slices.Concat(slot(".", 0x10, c, 0), slot("..", 0x10, parent, 0))
	for range pad {
		free := make([]byte, 32)
		free[0] = 0xe5
		entries = append(entries, free...)
	}
	for i, name := range slices.Sorted(maps.Keys(files)) {
		to := m.alloc(max(1, (len(files[name])+sector-1)/sector))
		copy(m.at(to), files[name])
		entries = append(entries, long(name, fmt.Sprintf("FILE~%d.EFI", i+1), to, len(files[name]))...)
	}
	copy(m.at(c), entries) // its clusters follow one another
}

func (m *maker) at(c uint32) []byte {
	return m.b[(reserved+tables*m.size+int(c)-2)*sector:]
}

// alloc returns the first of n clusters that follow one another.
func (m *maker) alloc(n int) uint32 {
	first := m.next
	for i := range n {
		v := m.next + 1
		if i == n-1 {
			v = 0x0fffffff
		}
		for t := range tables {
			binary.LittleEndian.PutUint32(m.b[(reserved+t*m.size)*sector+4*int(m.next):], v)
		}
		m.next++
	}
	return first
}

func slot(short string, attributes byte, c uint32, size int) []byte {
	b := []byte(strings.Repeat(" ", 11) + strings.Repeat("\x00", 21))
	base, ext, _ := strings.Cut(strings.ToUpper(short), ".")
	if strings.Trim(short, ".") == "" {
		base, ext = short, ""
	}
	copy(b, base)
	copy(b[8:], ext)
	b[11] = attributes
	binary.LittleEndian.PutUint16(b[20:], uint16(c>>16))
	binary.LittleEndian.PutUint16(b[26:], uint16(c))
	binary.LittleEndian.PutUint32(b[28:], uint32(size))
	return b
}

func long(name, short string, c uint32, size int) []byte {
	last := slot(short, 0x20, c, size)
	var sum byte
	for _, x := range last[:11] {
		sum = sum>>1 + sum<<7 + x
	}
	chars := append(utf16.Encode([]rune(name)), 0)
	for len(chars)%13 != 0 {
		chars = append(chars, 0xffff)
	}
	if len(chars)-1 == len(name) && len(name)%13 == 0 {
		chars = chars[:len(name)]
	}
	n := len(chars) / 13
	var out []byte
	for i := n; i > 0; i-- {
		b := make([]byte, 32)
		b[0], b[11], b[13] = byte(i), 0x0f, sum
		if i == n {
			b[0] |= 0x40
		}
		for j, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
			binary.LittleEndian.PutUint16(b[at:], chars[(i-1)*13+j])
		}
		out = append(out, b...)
	}
	return append(out, last...)
}

// A Disk keeps in mind what was written since the last Sync: a power cut may
// leave any of it undone.
type Disk struct {
	Safe    []byte
	pending []write
	// Cut ends the run before the write or Sync with that number, from 1.
	Cut   int
	steps int
}

type write struct {
	at   int64
	data []byte
}

// ErrCut is what a write gives once the power is cut.
var ErrCut = errors.New("the power was cut")

// ReadAt reads what was written last.
func (d *Disk) ReadAt(b []byte, off int64) (int, error) {
	n := copy(b, d.Safe[min(off, int64(len(d.Safe))):])
	for _, w := range d.pending {
		from, to := max(off, w.at), min(off+int64(n), w.at+int64(len(w.data)))
		if from < to {
			copy(b[from-off:to-off], w.data[from-w.at:])
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes sectors.
func (d *Disk) WriteAt(b []byte, off int64) (int, error) {
	if off%sector != 0 || len(b) != sector {
		return 0, fmt.Errorf("a write of %d bytes at %d, want one sector", len(b), off)
	}
	if err := d.step(); err != nil {
		return 0, err
	}
	d.pending = append(d.pending, write{off, slices.Clone(b)})
	return len(b), nil
}

// Sync makes what was written safe.
func (d *Disk) Sync() error {
	if err := d.step(); err != nil {
		return err
	}
	for _, w := range d.pending {
		copy(d.Safe[w.at:], w.data)
	}
	d.pending = nil
	return nil
}

func (d *Disk) step() error {
	if d.steps++; d.Cut > 0 && d.steps >= d.Cut {
		return ErrCut
	}
	return nil
}

// Steps returns how many writes and syncs there were.
func (d *Disk) Steps() int { return d.steps }

// AfterCut returns each state that the disk may be in when the power is cut now:
// with any of the writes that were not safe.
func (d *Disk) AfterCut() [][]byte {
	var all [][]byte
	for set := range 1 << len(d.pending) {
		b := slices.Clone(d.Safe)
		for i, w := range d.pending {
			if set>>i&1 == 1 {
				copy(b[w.at:], w.data)
			}
		}
		all = append(all, b)
	}
	return all
}

// Contents returns the files in dir, by their names. Two names of one file, and
// clusters that no file has, are errors unless halved says that they may be.
func Contents(b []byte, dir string, halved bool) (map[string]string, error) {
	fs, err := fatdir.Open(&Disk{Safe: b})
	if err != nil {
		return nil, err
	}
	d, err := fs.Dir(dir)
	if err != nil {
		return nil, err
	}
	out, seen := map[string]string{}, map[uint32]string{}
	for _, f := range d.Files() {
		if other, ok := seen[f.Cluster]; ok && !halved {
			return nil, fmt.Errorf("%s and %s are one file", other, f.Name)
		}
		seen[f.Cluster] = f.Name
		r, err := fs.Open(f)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Name, err)
		}
		if _, ok := out[f.Name]; ok {
			return nil, fmt.Errorf("two files are called %s", f.Name)
		}
		out[f.Name] = string(data)
	}
	return out, nil
}
