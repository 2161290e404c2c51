package medium

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// isoImage returns an ISO 9660 file system with files at its top, and nothing
// that only some readers know.
func isoImage(label string, files map[string]string) []byte {
	const sector, root, first = 2048, 20, 21
	img := make([]byte, (first+len(files))*sector)
	both := func(at int, v uint32) {
		binary.LittleEndian.PutUint32(img[at:], v)
		binary.BigEndian.PutUint32(img[at+4:], v)
	}
	both16 := func(at int, v uint16) {
		binary.LittleEndian.PutUint16(img[at:], v)
		binary.BigEndian.PutUint16(img[at+2:], v)
	}
	at := root * sector
	record := func(at int, name string, extent, size int, flags byte) int {
		length := (33 + len(name) + 1) &^ 1
		img[at] = byte(length)
		both(at+2, uint32(extent))
		both(at+10, uint32(size))
		img[at+25] = flags
		both16(at+28, 1)
		img[at+32] = byte(len(name))
		copy(img[at+33:], name)
		return at + length
	}
	at = record(at, "\x00", root, sector, 2)
	at = record(at, "\x01", root, sector, 2)
	for i, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		at = record(at, strings.ToUpper(name)+";1", first+i, len(text), 0)
		copy(img[(first+i)*sector:], text)
	}
	pvd := 16 * sector
	copy(img[pvd:], "\x01CD001\x01")
	copy(img[pvd+8:pvd+72], strings.Repeat(" ", 64))
	copy(img[pvd+40:], label)
	both(pvd+80, uint32(len(img)/sector))
	both16(pvd+120, 1)
	both16(pvd+124, 1)
	both16(pvd+128, sector)
	both(pvd+132, 10)
	binary.LittleEndian.PutUint32(img[pvd+140:], 18)
	binary.BigEndian.PutUint32(img[pvd+148:], 19)
	record(pvd+156, "\x00", root, sector, 2)
	img[pvd+881] = 1
	copy(img[17*sector:], "\xffCD001\x01")
	for _, table := range []int{18, 19} {
		img[table*sector] = 1
		img[table*sector+6] = 1
		img[table*sector+8] = 0
	}
	binary.LittleEndian.PutUint32(img[18*sector+2:], root)
	binary.BigEndian.PutUint32(img[19*sector+2:], root)
	img[18*sector+6], img[18*sector+7] = 1, 0
	img[19*sector+6], img[19*sector+7] = 0, 1
	return img
}

// fatImage returns a FAT12 file system with small files at its top, or below the
// directory dir if that is not empty. Names may be long.
func fatImage(label, dir string, files map[string]string) []byte {
	const sector, sectors, fats, entries = 512, 2880, 9, 224
	const rootAt, dataAt = (1 + 2*fats) * sector, (1+2*fats)*sector + entries*32
	img := make([]byte, sectors*sector)
	copy(img, "\xeb\x3c\x90mkfs.fat")
	le := binary.LittleEndian
	le.PutUint16(img[11:], sector)
	img[13], img[14], img[16] = 1, 1, 2
	le.PutUint16(img[17:], entries)
	le.PutUint16(img[19:], sectors)
	img[21] = 0xf0
	le.PutUint16(img[22:], fats)
	le.PutUint16(img[24:], 18)
	le.PutUint16(img[26:], 2)
	img[38] = 0x29
	copy(img[43:], "NO NAME    FAT12   ")
	img[510], img[511] = 0x55, 0xaa
	next := 2
	set := func(cluster, value int) {
		for f := range 2 {
			at := (1+f*fats)*sector + cluster*3/2
			old := le.Uint16(img[at:])
			if cluster%2 == 0 {
				le.PutUint16(img[at:], old&0xf000|uint16(value))
			} else {
				le.PutUint16(img[at:], old&0x000f|uint16(value)<<4)
			}
		}
	}
	set(0, 0xff0)
	set(1, 0xfff)
	take := func(text string) (cluster int) {
		n := max((len(text)+sector-1)/sector, 1)
		cluster = next
		for i := range n {
			set(next, next+1)
			if i == n-1 {
				set(next, 0xfff)
			}
			next++
		}
		copy(img[dataAt+(cluster-2)*sector:], text)
		return cluster
	}
	entry := func(at int, short string, attributes byte, cluster, size int) int {
		copy(img[at:at+11], short)
		img[at+11] = attributes
		le.PutUint16(img[at+26:], uint16(cluster))
		le.PutUint32(img[at+28:], uint32(size))
		return at + 32
	}
	at := entry(rootAt, (label + "           ")[:11], 0x08, 0, 0)
	if dir != "" {
		cluster := take("")
		entry(at, (strings.ToUpper(dir) + "           ")[:11], 0x10, cluster, 0)
		at = dataAt + (cluster-2)*sector
		at = entry(at, ".          ", 0x10, cluster, 0)
		at = entry(at, "..         ", 0x10, 0, 0)
	}
	for i, name := range slices.Sorted(maps.Keys(files)) {
		short := "FILE" + string(rune('0'+i)) + "         "
		at = long(img, at, name, short[:11])
		at = entry(at, short[:11], 0x20, take(files[name]), len(files[name]))
	}
	return img
}

// long writes the entry with the long name of the file that is short[:11], and
// returns where the next one goes.
func long(img []byte, at int, name, short string) int {
	var sum byte
	for i := range 11 {
		sum = sum>>1 | sum<<7
		sum += short[i]
	}
	var text [26]uint16
	for i := range text {
		text[i] = 0xffff
	}
	for i := range name {
		text[i] = uint16(name[i])
	}
	text[len(name)] = 0
	parts := (len(name) + 12) / 13
	for p := parts - 1; p >= 0; p-- {
		img[at] = byte(p + 1)
		if p == parts-1 {
			img[at] |= 0x40
		}
		img[at+11], img[at+13] = 0x0f, sum
		for i, offset := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
			binary.LittleEndian.PutUint16(img[at+offset:], text[p*13+i])
		}
		at += 32
	}
	return at
}
