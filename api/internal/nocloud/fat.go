package nocloud

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The geometry of an image. FAT12 has at most 4084 clusters, which at this size
// is more than a medium may hold.
const (
	fatSector  = 512
	fatCluster = 4096
	fatRoot    = 64 // entries of the root directory
	fatEntry   = 32
	leastSize  = 256 // clusters of the smallest image: a megabyte
)

// FAT returns an image of a disk with a FAT file system, without partitions,
// that holds files.
func FAT(files []File) ([]byte, error) {
	files, err := check(files)
	if err != nil {
		return nil, err
	}
	clusters := leastSize
	used := 0
	for _, f := range files {
		used += up(len(f.Data), fatCluster)
	}
	clusters = max(clusters, used+1)
	tableSectors := up(up((clusters+2)*3, 2), fatSector)
	root := 1 + 2*tableSectors // in sectors
	data := root + fatRoot*fatEntry/fatSector
	total := data + clusters*fatCluster/fatSector
	img := make([]byte, total*fatSector)
	writeBoot(img, tableSectors, total)

	table := allocation{img[fatSector : fatSector*(1+tableSectors)]}
	table.set(0, 0xFF8)
	table.set(1, 0xFFF)
	dir := img[root*fatSector : root*fatSector]
	dir = append(dir, entry(strings.ToUpper(Label), 0x08, 0, 0)...)
	next := 2
	for i, f := range files {
		n := up(len(f.Data), fatCluster)
		first := next
		if n == 0 {
			first = 0
		}
		short := fmt.Sprintf("%.6s~%d", strings.ToUpper(f.Name)+"______", i+1)
		dir = append(dir, longName(f.Name, short)...)
		dir = append(dir, entry(short, 0x01, first, len(f.Data))...)
		copy(img[data*fatSector+(next-2)*fatCluster:], f.Data)
		for c := range n {
			table.set(next+c, next+c+1)
		}
		if n > 0 {
			table.set(next+n-1, 0xFFF)
		}
		next += n
	}
	copy(img[fatSector*(1+tableSectors):], table.bytes) // the second copy
	return img, nil
}

// writeBoot writes the sector that describes the file system.
func writeBoot(b []byte, tableSectors, total int) {
	le := binary.LittleEndian
	copy(b, "\xEB\x3C\x90BULKHEAD")
	le.PutUint16(b[11:], fatSector)
	b[13] = fatCluster / fatSector
	le.PutUint16(b[14:], 1) // sectors before the tables
	b[16] = 2               // tables
	le.PutUint16(b[17:], fatRoot)
	if total < 1<<16 {
		le.PutUint16(b[19:], uint16(total))
	} else {
		le.PutUint32(b[32:], uint32(total))
	}
	b[21] = 0xF8 // a disk
	le.PutUint16(b[22:], uint16(tableSectors))
	le.PutUint16(b[24:], 32) // sectors per track, of a disk that has none
	le.PutUint16(b[26:], 2)  // heads
	b[36] = 0x80
	b[38] = 0x29                        // the next three fields are there
	le.PutUint32(b[39:], 0x42554C4B)    // serial number
	copy(b[43:], "CIDATA     FAT12   ") // label, type
	b[510], b[511] = 0x55, 0xAA
}

// An allocation is a table that chains clusters, twelve bits each.
type allocation struct{ bytes []byte }

func (a allocation) set(cluster, value int) {
	at := cluster * 3 / 2
	if cluster%2 == 0 {
		a.bytes[at] = byte(value)
		a.bytes[at+1] = a.bytes[at+1]&0xF0 | byte(value>>8)
		return
	}
	a.bytes[at] = a.bytes[at]&0x0F | byte(value<<4)
	a.bytes[at+1] = byte(value >> 4)
}

// fatDate is 1980-01-01.
const fatDate = 1<<5 | 1

// entry returns an entry of the directory with a short name.
func entry(name string, attributes byte, first, size int) []byte {
	b := make([]byte, fatEntry)
	copy(b, fmt.Sprintf("%-11s", name))
	b[11] = attributes
	le := binary.LittleEndian
	le.PutUint16(b[16:], fatDate)
	le.PutUint16(b[18:], fatDate)
	le.PutUint16(b[24:], fatDate)
	le.PutUint16(b[26:], uint16(first))
	le.PutUint32(b[28:], uint32(size))
	return b
}

// longName returns the entries that give the file with the name short its real
// one, thirteen letters each, the last first.
func longName(name, short string) []byte {
	var sum byte
	for _, c := range []byte(fmt.Sprintf("%-11s", short)) {
		sum = sum>>1 | sum<<7
		sum += c
	}
	places := []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}
	n := up(len(name), len(places))
	var out []byte
	for i := n; i >= 1; i-- {
		b := make([]byte, fatEntry)
		b[0], b[11], b[13] = byte(i), 0x0F, sum
		if i == n {
			b[0] |= 0x40
		}
		for j, at := range places {
			letter := uint16(0xFFFF)
			switch k := (i-1)*len(places) + j; {
			case k < len(name):
				letter = uint16(name[k])
			case k == len(name):
				letter = 0
			}
			binary.LittleEndian.PutUint16(b[at:], letter)
		}
		out = append(out, b...)
	}
	return out
}
