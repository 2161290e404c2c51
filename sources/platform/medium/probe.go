package medium

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

// A volume is a file system that a medium may have.
type volume struct {
	kind  string // as mount knows it
	label string
	names []string // of FAT: the entries at the top that have short names
}

// probe finds out what is on a device, as far as it may be a medium. It looks at
// the bytes itself: that costs two reads, and a device that nobody labelled for
// us is never mounted.
func probe(r io.ReaderAt) (volume, bool) {
	if v, ok := probeISO(r); ok {
		return v, true
	}
	return probeFAT(r)
}

// probeISO looks for the primary volume descriptor of ISO 9660.
func probeISO(r io.ReaderAt) (volume, bool) {
	d := make([]byte, 72)
	if _, err := r.ReadAt(d, 16*2048); err != nil || d[0] != 1 || string(d[1:6]) != "CD001" {
		return volume{}, false
	}
	return volume{kind: "iso9660", label: strings.TrimRight(string(d[40:72]), " \x00")}, true
}

// fatLayout is what the boot sector of FAT says, see Microsoft's description.
type fatLayout struct {
	bytes, cluster, reserved, copies, entries, size int64
	first                                           int64 // cluster of the directory at the top; of FAT32
}

func probeFAT(r io.ReaderAt) (volume, bool) {
	s := make([]byte, 512)
	if _, err := r.ReadAt(s, 0); err != nil || s[510] != 0x55 || s[511] != 0xaa {
		return volume{}, false
	}
	v := volume{kind: "vfat"}
	wide := string(s[82:90]) == "FAT32   "
	switch {
	case wide:
		v.label = fatLabel(s[71:82])
	case bytes.HasPrefix(s[54:62], []byte("FAT")):
		v.label = fatLabel(s[43:54])
	default:
		return volume{}, false
	}
	at, length := fatRoot(s, wide)
	if at <= 0 || length <= 0 || length > 1<<20 {
		return volume{}, false
	}
	dir := make([]byte, length)
	n, _ := r.ReadAt(dir, at) // a short read has fewer entries
	v.readRoot(dir[:n])
	return v, true
}

// fatRoot returns where the directory at the top begins, and how long it is, of
// FAT32 as far as it lies in one piece.
func fatRoot(s []byte, wide bool) (at, length int64) {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint16(s[i:])) }
	l := fatLayout{bytes: word(11), cluster: int64(s[13]), reserved: word(14), copies: int64(s[16]), entries: word(17), size: word(22)}
	if wide {
		l.size, l.first = int64(binary.LittleEndian.Uint32(s[36:])), int64(binary.LittleEndian.Uint32(s[44:]))
	}
	at = (l.reserved + l.copies*l.size) * l.bytes
	if !wide {
		return at, l.entries * 32
	}
	return at + (l.first-2)*l.cluster*l.bytes, l.cluster * l.bytes
}

// readRoot reads names, and the label that tools change, which need not be that
// of the boot sector.
func (v *volume) readRoot(dir []byte) {
	const (
		size, attributes     = 32, 11
		label, folder        = 0x08, 0x10
		end, deleted, longer = 0x00, 0xe5, 0x0f
	)
	for ; len(dir) >= size && dir[0] != end; dir = dir[size:] {
		switch a := dir[attributes]; {
		case dir[0] == deleted || a&longer == longer:
		case a&label != 0 && a&folder == 0:
			v.label = fatLabel(dir[:11])
		default:
			name := strings.TrimRight(string(dir[:8]), " ")
			if extension := strings.TrimRight(string(dir[8:11]), " "); extension != "" {
				name += "." + extension
			}
			v.names = append(v.names, name)
		}
	}
}

func fatLabel(b []byte) string {
	label := strings.TrimRight(string(b), " \x00")
	if label == "NO NAME" {
		return ""
	}
	return label
}
