package fatdir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf16"
)

// ErrNoRoom says that a directory has no room for another name.
var ErrNoRoom = errors.New("the directory has no room for another name")

// ErrExist says that a name is taken.
var ErrExist = errors.New("there is another file of that name")

// Rename gives the file called from the name to. When it has returned nil, a
// power cut does not undo it. A cut in the middle leaves the old name or the new
// one, or, where the directory has no room in one sector for both, both of them
// for one file.
func (d *Dir) Rename(from, to string) error {
	if err := d.rename(from, to); err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	d.parse()
	return nil
}

func (d *Dir) rename(from, to string) error {
	f, ok := d.Find(from)
	if !ok {
		return ErrNotExist
	}
	if other, ok := d.Find(to); ok && other.first != f.first {
		return ErrExist
	}
	set, err := d.makeSet(f, to)
	if err != nil {
		return err
	}
	was := bytes.Clone(d.b)
	n := len(set) / slotSize
	at, err := d.placeFor(f, n)
	if err != nil {
		return err
	}
	if sector := d.sectorOf(at); sector == d.sectorOf(f.first) && sector == d.sectorOf(f.last) {
		d.free(f)
		copy(d.b[at*slotSize:], set)
		return d.write(was) // the point that counts
	}
	copy(d.b[at*slotSize:], set)
	if err := d.write(was); err != nil { // the point that counts
		return err
	}
	was = bytes.Clone(d.b)
	d.free(f)
	return d.writeBackwards(was) // the short name first: without it the rest is nothing
}

// Unname takes the name of a file away and leaves its contents, which another
// name has.
func (d *Dir) Unname(name string) error {
	f, ok := d.Find(name)
	if !ok {
		return fmt.Errorf("remove the name %s: %w", name, ErrNotExist)
	}
	if !slices.ContainsFunc(d.files, func(o File) bool { return o.Cluster == f.Cluster && o.first != f.first }) {
		return fmt.Errorf("remove the name %s: the file has no other", name)
	}
	was := bytes.Clone(d.b)
	d.free(f)
	if err := d.writeBackwards(was); err != nil {
		return fmt.Errorf("remove the name %s: %w", name, err)
	}
	d.parse()
	return nil
}

// free marks the slots of f as unused.
func (d *Dir) free(f File) {
	for i := f.first; i <= f.last; i++ {
		d.slot(i)[0] = slotFree
	}
}

func (d *Dir) sectorOf(slot int) int { return slot * slotSize / d.fs.sector }

// placeFor returns the first of n slots in one sector that are free, or will be
// once f has lost its name; in the sector of f if possible, which makes one write
// of the rename.
func (d *Dir) placeFor(f File, n int) (int, error) {
	per, home := d.fs.sector/slotSize, d.sectorOf(f.last)
	inside := d.sectorOf(f.first) == home
	sectors := []int{home}
	for s := range len(d.b) / d.fs.sector {
		if s != home {
			sectors = append(sectors, s)
		}
	}
	end := d.end()
	for _, s := range sectors {
		run := 0
		for i := s * per; i < (s+1)*per; i++ {
			own := inside && s == home && f.first <= i && i <= f.last
			if i < end && d.slot(i)[0] != slotFree && !own {
				run = 0
				continue
			}
			if run++; run < n {
				continue
			}
			if err := d.reach(i-n+1, i, end); err != nil {
				return 0, err
			}
			return i - n + 1, nil
		}
	}
	return 0, ErrNoRoom
}

// reach makes the slots from first to last part of the directory, which ends at
// end: those before them are free from then on, and the one behind is the end.
// Where that takes writes of other sectors, they come first; they change nothing
// that anybody reads.
func (d *Dir) reach(first, last, end int) error {
	if last < end {
		return nil
	}
	was := bytes.Clone(d.b)
	if behind := last + 1; behind < d.slots() {
		clear(d.slot(behind))
	}
	for i := end; i < first; i++ {
		clear(d.slot(i))
		d.slot(i)[0] = slotFree
	}
	home := d.sectorOf(first)
	// What is in the sector itself goes with the name.
	own := bytes.Clone(d.b[home*d.fs.sector:][:d.fs.sector])
	copy(d.b[home*d.fs.sector:][:d.fs.sector], was[home*d.fs.sector:])
	if err := d.writeBackwards(was); err != nil {
		return err
	}
	copy(d.b[home*d.fs.sector:], own)
	return nil
}

// write writes the sectors that differ from was.
func (d *Dir) write(was []byte) error {
	changed := false
	for s := range len(d.b) / d.fs.sector {
		if err := d.writeSector(s, was, &changed); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return d.fs.dev.Sync()
}

// writeBackwards is write with the last sector first, each of them safe before
// the next.
func (d *Dir) writeBackwards(was []byte) error {
	for s := len(d.b)/d.fs.sector - 1; s >= 0; s-- {
		changed := false
		if err := d.writeSector(s, was, &changed); err != nil {
			return err
		}
		if changed {
			if err := d.fs.dev.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dir) writeSector(s int, was []byte, changed *bool) error {
	size := d.fs.sector
	part := d.b[s*size:][:size]
	if bytes.Equal(part, was[s*size:][:size]) {
		return nil
	}
	*changed = true
	per := d.fs.cluster / size
	_, err := d.fs.dev.WriteAt(part, d.fs.place(d.clusters[s/per])+int64(s%per*size))
	return err
}

// makeSet returns the slots that give f the name to.
func (d *Dir) makeSet(f File, to string) ([]byte, error) {
	return d.setOf(bytes.Clone(d.slot(f.last)), f, to)
}

// setOf is makeSet with the short slot, of which all but the name is kept.
func (d *Dir) setOf(short []byte, f File, to string) ([]byte, error) {
	chars := utf16.Encode([]rune(to))
	n := (len(chars) + longChars - 1) / longChars
	if to == "" || n > maxLong || strings.ContainsAny(to, "\"*/:<>?\\|\x00") || strings.HasSuffix(to, ".") || strings.HasSuffix(to, " ") {
		return nil, errors.New("that is no name")
	}
	copy(short, d.alias(f, to))
	short[slotCase] = 0 // it is in capitals
	for _, at := range datePlaces {
		if binary.LittleEndian.Uint16(short[at:]) == 0 {
			binary.LittleEndian.PutUint16(short[at:], firstDate)
		}
	}
	sum := checksum(short)
	out := make([]byte, 0, (n+1)*slotSize)
	for i := n; i >= 1; i-- {
		s := make([]byte, slotSize)
		s[0], s[slotAttributes], s[slotChecksum] = byte(i), attributeLong, sum
		if i == n {
			s[0] |= longLast
		}
		for j, at := range longPlaces {
			c := uint16(0xffff)
			switch k := (i-1)*longChars + j; {
			case k < len(chars):
				c = chars[k]
			case k == len(chars):
				c = 0
			}
			binary.LittleEndian.PutUint16(s[at:], c)
		}
		out = append(out, s...)
	}
	return append(out, short...), nil
}

// datePlaces are the dates in a slot: when the file was made, read and written.
var datePlaces = [3]int{16, 18, 24}

// firstDate is the first of January 1980. A file without dates is refused by the
// driver of many firmwares when a loader renames it, which it does to count.
const firstDate = 1<<5 | 1

// alias returns a short name that no other file has. It ends as name does, and is
// made of its hash.
func (d *Dir) alias(f File, name string) []byte {
	ext := "TMP"
	if i := strings.LastIndexByte(name, '.'); strings.EqualFold(name[i+1:], "efi") {
		ext = "EFI"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	for sum := h.Sum32(); ; sum++ {
		base := fmt.Sprintf("B%07X", sum&0xfffffff)
		taken := func(o File) bool { return o.Short == base+"."+ext && o.first != f.first }
		if !slices.ContainsFunc(d.files, taken) {
			return []byte(base + ext)
		}
	}
}
