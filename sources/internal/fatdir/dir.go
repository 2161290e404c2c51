package fatdir

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// Parts of a slot of a directory, and the values of some.
const (
	slotSize = 32

	slotAttributes = 11
	slotCase       = 12
	slotChecksum   = 13

	slotFree = 0xe5
	slotEnd  = 0x00

	attributeVolume    = 0x08
	attributeDirectory = 0x10
	attributeLong      = 0x0f

	longLast  = 0x40 // in the number of the slot that holds the end of a name
	longChars = 13
	maxLong   = 20 // slots
)

// longPlaces are where a slot has the characters of a long name.
var longPlaces = [longChars]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

// A Dir is a directory as it was read. Changes go to the device as well.
type Dir struct {
	fs       *FS
	clusters []uint32
	b        []byte
	files    []File
}

func (f *FS) dir(c uint32) (*Dir, error) {
	all, err := f.chain(c, maxClusters)
	if err != nil {
		return nil, err
	}
	d := &Dir{fs: f, clusters: all, b: make([]byte, len(all)*f.cluster)}
	for i, c := range all {
		if _, err := f.dev.ReadAt(d.b[i*f.cluster:][:f.cluster], f.place(c)); err != nil {
			return nil, err
		}
	}
	d.parse()
	return d, nil
}

// Files returns the files and directories in d.
func (d *Dir) Files() []File { return slices.Clone(d.files) }

// Find returns the file called name, in whatever case, as FAT has it.
func (d *Dir) Find(name string) (File, bool) {
	i := slices.IndexFunc(d.files, func(f File) bool { return strings.EqualFold(f.Name, name) || strings.EqualFold(f.Short, name) })
	if i < 0 {
		return File{}, false
	}
	return d.files[i], true
}

func (d *Dir) slot(i int) []byte { return d.b[i*slotSize:][:slotSize] }

func (d *Dir) slots() int { return len(d.b) / slotSize }

// end returns the first slot that was never used, or the number of all.
func (d *Dir) end() int {
	for i := range d.slots() {
		if d.slot(i)[0] == slotEnd {
			return i
		}
	}
	return d.slots()
}

// parse reads the slots. Those of a long name count only when they are complete
// and belong to the short name behind them.
func (d *Dir) parse() {
	d.files = nil
	var long []uint16
	var sum byte
	want, first := 0, 0 // the number that the next slot of a long name has
	for i := range d.end() {
		s := d.slot(i)
		number := int(s[0] &^ longLast)
		switch {
		case s[0] == slotFree:
			want, long = 0, nil
		case s[slotAttributes]&0x3f == attributeLong:
			if s[0]&longLast != 0 && number >= 1 && number <= maxLong {
				long, sum, want, first = nil, s[slotChecksum], number, i
			}
			if number != want || s[slotChecksum] != sum || want == 0 {
				want, long = 0, nil
				continue
			}
			long = append(longPart(s), long...)
			if want--; want == 0 {
				want = -1 // complete
			}
		default:
			f := readShort(s)
			f.first, f.last = i, i
			if want == -1 && sum == checksum(s) {
				f.Name, f.first = string(utf16.Decode(long)), first
			}
			if s[slotAttributes]&attributeVolume == 0 && f.Short != "." && f.Short != ".." {
				d.files = append(d.files, f)
			}
			want, long = 0, nil
		}
	}
}

func longPart(s []byte) []uint16 {
	var out []uint16
	for _, at := range longPlaces {
		c := binary.LittleEndian.Uint16(s[at:])
		if c == 0 {
			break
		}
		out = append(out, c)
	}
	return out
}

func readShort(s []byte) File {
	base, ext := strings.TrimRight(string(s[:8]), " "), strings.TrimRight(string(s[8:11]), " ")
	if s[0] == 0x05 { // stands for the mark of a free slot
		base = "\xe5" + base[1:]
	}
	short := base
	if ext != "" {
		short += "." + ext
	}
	le := binary.LittleEndian
	return File{
		Name: short, Short: short, IsDir: s[slotAttributes]&attributeDirectory != 0, Size: int64(le.Uint32(s[28:])),
		Cluster: uint32(le.Uint16(s[20:]))<<16 | uint32(le.Uint16(s[26:])),
	}
}

// checksum returns what ties the slots of a long name to the short one.
func checksum(short []byte) byte {
	var sum byte
	for _, c := range short[:11] {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}
