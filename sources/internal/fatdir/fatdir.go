// Package fatdir reads and renames files of a FAT32 file system that is not
// mounted, such that a power cut leaves the old name or the new one.
//
// A kernel renames on FAT by writing two places in no order: a cut can leave a
// file with no name, or with two, and deleting one of two names of a file frees
// what the other needs. Here a rename is a write of one sector wherever a
// directory has the room for that, and else the new name is safe before the old
// one goes; of two names of one file, one can be taken away without its contents.
package fatdir

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Device is what a file system is on. Writes of one sector are whole or not
// there at all.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// maxClusters bounds what a directory can make its reader hold in memory.
const maxClusters = 64

// ErrNotExist says that there is no such file or directory.
var ErrNotExist = errors.New("there is none")

// An FS is a file system.
type FS struct {
	dev     Device
	sector  int   // bytes
	cluster int   // bytes
	fat     int64 // where the first table of clusters is
	data    int64 // where cluster 2 is
	count   uint32
	root    uint32
	tables  int64 // of clusters, one behind the other
	size    int64 // of one in bytes
	info    int64 // where hints for those who look for room are; 0 for nowhere
	single  bool  // of the tables only one counts
}

// Open reads the description of the file system on dev.
func Open(dev Device) (*FS, error) {
	b := make([]byte, 512)
	if _, err := dev.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("read file system: %w", err)
	}
	le := binary.LittleEndian
	sector, per := int(le.Uint16(b[11:])), int(b[13])
	reserved, tables, size := int64(le.Uint16(b[14:])), int64(b[16]), int64(le.Uint32(b[36:]))
	total := int64(le.Uint32(b[32:]))
	powers := sector >= 512 && sector <= 4096 && sector&(sector-1) == 0 && per > 0 && per&(per-1) == 0
	if b[510] != 0x55 || b[511] != 0xaa || !powers || le.Uint16(b[17:]) != 0 || le.Uint16(b[22:]) != 0 || tables == 0 || size == 0 {
		return nil, errors.New("read file system: it is not FAT32")
	}
	first := reserved + tables*size
	if total <= first {
		return nil, errors.New("read file system: its tables are larger than itself")
	}
	count := min((total-first)/int64(per), size*int64(sector)/4-2)
	return &FS{
		dev: dev, sector: sector, cluster: sector * per,
		fat: reserved * int64(sector), data: first * int64(sector), count: uint32(min(count, 1<<28)), root: le.Uint32(b[44:]),
		tables: tables, size: size * int64(sector), info: int64(le.Uint16(b[48:])) * int64(sector), single: le.Uint16(b[40:])&0x80 != 0,
	}, nil
}

// next returns the cluster behind c, or 0 at the end.
func (f *FS) next(c uint32) (uint32, error) {
	var b [4]byte
	if _, err := f.dev.ReadAt(b[:], f.fat+4*int64(c)); err != nil {
		return 0, err
	}
	const last = 0x0ffffff8
	switch n := binary.LittleEndian.Uint32(b[:]) & 0x0fffffff; {
	case n >= last:
		return 0, nil
	case !f.valid(n):
		return 0, fmt.Errorf("cluster %d is followed by %d, which does not exist", c, n)
	default:
		return n, nil
	}
}

func (f *FS) valid(c uint32) bool { return c >= 2 && c-2 < f.count }

func (f *FS) place(c uint32) int64 { return f.data + int64(c-2)*int64(f.cluster) }

// chain returns the clusters that begin with c, which are at most limit.
func (f *FS) chain(c uint32, limit int) ([]uint32, error) {
	if !f.valid(c) {
		return nil, fmt.Errorf("cluster %d does not exist", c)
	}
	var all []uint32
	for c != 0 {
		if len(all) == limit {
			return nil, fmt.Errorf("more than %d clusters", limit)
		}
		all = append(all, c)
		var err error
		if c, err = f.next(c); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// A File is what a directory says of one file.
type File struct {
	Name    string // the long one where there is one
	Short   string // as FAT without long names has it
	IsDir   bool
	Size    int64
	Cluster uint32 // where its contents begin; two files with one are the same

	first, last int // slots of the directory
}

// HasLongName reports whether f has a name beside the short one.
func (f File) HasLongName() bool { return f.first != f.last }

// Open returns the contents of file.
func (f *FS) Open(file File) (*io.SectionReader, error) {
	if file.Size == 0 {
		return io.NewSectionReader(strings.NewReader(""), 0, 0), nil
	}
	want := int((file.Size + int64(f.cluster) - 1) / int64(f.cluster))
	if want > int(f.count) {
		return nil, fmt.Errorf("open %s: it is larger than its file system", file.Name)
	}
	all, err := f.chain(file.Cluster, want)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file.Name, err)
	}
	if len(all) < want {
		return nil, fmt.Errorf("open %s: it has %d clusters, want %d", file.Name, len(all), want)
	}
	return io.NewSectionReader(contents{f, all}, 0, file.Size), nil
}

type contents struct {
	fs  *FS
	all []uint32
}

// ReadAt reads from as many clusters as it takes. Those that follow one another
// on the disk are read at once.
func (c contents) ReadAt(b []byte, off int64) (n int, err error) {
	size := int64(c.fs.cluster)
	for n < len(b) {
		i := int((off + int64(n)) / size)
		if i >= len(c.all) {
			return n, io.EOF
		}
		j := i + 1
		for j < len(c.all) && c.all[j] == c.all[j-1]+1 {
			j++
		}
		at := (off + int64(n)) % size
		part := b[n:min(len(b), n+int(int64(j-i)*size-at))]
		m, err := c.fs.dev.ReadAt(part, c.fs.place(c.all[i])+at)
		n += m
		if err != nil && m < len(part) {
			return n, err
		}
	}
	return n, nil
}

// Dir opens the directory at path, whose parts are joined by slashes.
func (f *FS) Dir(path string) (*Dir, error) {
	d, err := f.dir(f.root)
	if err != nil {
		return nil, fmt.Errorf("open directory /: %w", err)
	}
	for part := range strings.SplitSeq(path, "/") {
		file, ok := d.Find(part)
		if !ok || !file.IsDir {
			return nil, fmt.Errorf("open directory %s: %w", path, ErrNotExist)
		}
		if d, err = f.dir(file.Cluster); err != nil {
			return nil, fmt.Errorf("open directory %s: %w", path, err)
		}
	}
	return d, nil
}
