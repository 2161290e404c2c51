package nocloud

import (
	"encoding/binary"
	"strings"
)

// The places of an image, in sectors. The directory has one sector, which a
// handful of files cannot fill.
const (
	sector    = 2048
	primary   = 16 // volume descriptor
	end       = 17 // of volume descriptors
	pathLess  = 18 // path table, least significant byte first
	pathMost  = 19 // the same, most significant byte first
	directory = 20
	firstFile = 21
)

// ISO returns an image of a CD with files. Their names are there as they are by
// the Rock Ridge extension; the plain ones have capital letters and underscores.
func ISO(files []File) ([]byte, error) {
	files, err := check(files)
	if err != nil {
		return nil, err
	}
	sectors := firstFile
	for _, f := range files {
		sectors += up(len(f.Data), sector)
	}
	img := make([]byte, sectors*sector)
	writePrimary(img[primary*sector:], sectors)
	copy(img[end*sector:], "\xffCD001\x01")
	table := pathTable(binary.LittleEndian)
	copy(img[pathLess*sector:], table)
	copy(img[pathMost*sector:], pathTable(binary.BigEndian))
	dir := img[directory*sector : directory*sector]
	dir = append(dir, record("\x00", directory, sector, true, slot("SP", 1, 0xBE, 0xEF, 0), owner(true), extension())...)
	dir = append(dir, record("\x01", directory, sector, true, owner(true))...)
	at := firstFile
	for _, f := range files {
		name := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")) + ".;1"
		dir = append(dir, record(name, at, len(f.Data), false, owner(false), slot("NM", append([]byte{1, 0}, f.Name...)...))...)
		copy(img[at*sector:], f.Data)
		at += up(len(f.Data), sector)
	}
	return img, nil
}

// both returns v in both orders of bytes, as most fields have it.
func both(v int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(v))
	return binary.BigEndian.AppendUint32(b, uint32(v))
}

func both16(v int) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(v))
	return binary.BigEndian.AppendUint16(b, uint16(v))
}

// noDate is 1980-01-01 in a record: years since 1900, month, day.
var noDate = []byte{80, 1, 1, 0, 0, 0, 0}

// record returns an entry of the directory with fields of the system's use.
func record(name string, at, size int, isDir bool, use ...[]byte) []byte {
	b := []byte{0, 0}
	b = append(b, both(at)...)
	b = append(b, both(size)...)
	b = append(b, noDate...)
	flags := byte(0)
	if isDir {
		flags = 2
	}
	b = append(b, flags, 0, 0)
	b = append(b, both16(1)...)
	b = append(b, byte(len(name)))
	b = append(b, name...)
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	for _, u := range use {
		b = append(b, u...)
	}
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	b[0] = byte(len(b))
	return b
}

// slot returns a field of the system's use. The first byte of data is its
// version.
func slot(kind string, data ...byte) []byte {
	b := append([]byte(kind), byte(3+len(data)))
	return append(b, data...)
}

// owner is the field with mode, links, user and group.
func owner(isDir bool) []byte {
	mode, links := 0o100444, 1
	if isDir {
		mode, links = 0o040555, 2
	}
	data := []byte{1}
	for _, v := range []int{mode, links, 0, 0} {
		data = append(data, both(v)...)
	}
	return slot("PX", data...)
}

// extension is the field that names Rock Ridge.
func extension() []byte {
	const id = "RRIP_1991A"
	return slot("ER", append([]byte{1, byte(len(id)), 0, 0, 1}, id...)...)
}

// pathTable has the one directory that there is.
func pathTable(order binary.AppendByteOrder) []byte {
	b := []byte{1, 0}
	b = order.AppendUint32(b, directory)
	b = order.AppendUint16(b, 1)
	return append(b, 0, 0)
}

// writePrimary describes the volume.
func writePrimary(b []byte, sectors int) {
	text := func(from, size int, s string) {
		copy(b[from:from+size], s+strings.Repeat(" ", size-len(s)))
	}
	copy(b, "\x01CD001\x01")
	text(8, 32, "")
	text(40, 32, Label)
	copy(b[80:], both(sectors))
	copy(b[120:], both16(1)) // volumes in the set
	copy(b[124:], both16(1)) // the number of this one
	copy(b[128:], both16(sector))
	copy(b[132:], both(len(pathTable(binary.LittleEndian))))
	binary.LittleEndian.PutUint32(b[140:], pathLess)
	binary.BigEndian.PutUint32(b[148:], pathMost)
	copy(b[156:], record("\x00", directory, sector, true))
	text(190, 128, "") // volume set
	text(318, 128, "") // publisher
	text(446, 128, "") // preparer
	text(574, 128, "BULKHEAD")
	text(702, 37*3, "") // copyright, abstract, bibliography
	const created, never = "1980010100000000\x00", "0000000000000000\x00"
	copy(b[813:], created+created+never+never)
	b[881] = 1 // version of the format
}
