package fatdir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrFull says that a file system has no room for a file.
var ErrFull = errors.New("there is not enough room on the file system")

// attributeArchive is what files have that somebody has written.
const attributeArchive = 0x20

// lastCluster ends the chain of a file.
const lastCluster = 0x0fffffff

// Create makes the file called name of size bytes from r. Its contents are safe
// before it has its name: a cut leaves the file whole or not at all, and in the
// second case clusters that no file has, which Reclaim finds.
func (d *Dir) Create(name string, size int64, r io.Reader) error {
	if err := d.create(name, size, r); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	d.parse()
	return nil
}

func (d *Dir) create(name string, size int64, r io.Reader) error {
	if _, ok := d.Find(name); ok {
		return ErrExist
	}
	if size <= 0 || size > 1<<32-1 {
		return fmt.Errorf("%d bytes, want 1 to %d", size, int64(1<<32-1))
	}
	t, err := d.fs.readTable()
	if err != nil {
		return err
	}
	n := int((size + int64(d.fs.cluster) - 1) / int64(d.fs.cluster))
	clusters := t.unused(n)
	if len(clusters) < n {
		return fmt.Errorf("%w: it has %d bytes left, want %d", ErrFull, int64(len(clusters))*int64(d.fs.cluster), size)
	}
	if err := d.fs.fill(clusters, size, r); err != nil {
		return err
	}
	for i, c := range clusters {
		next := uint32(lastCluster)
		if i+1 < n {
			next = clusters[i+1]
		}
		t.set(c, next)
	}
	if err := t.write(); err != nil {
		return err
	}
	short := make([]byte, slotSize)
	short[slotAttributes] = attributeArchive
	le := binary.LittleEndian
	le.PutUint16(short[20:], uint16(clusters[0]>>16))
	le.PutUint16(short[26:], uint16(clusters[0]))
	le.PutUint32(short[28:], uint32(size))
	return d.add(name, short)
}

// add gives a file its name.
func (d *Dir) add(name string, short []byte) error {
	none := File{first: -1, last: -1}
	set, err := d.setOf(short, none, name)
	if err != nil {
		return err
	}
	at, err := d.placeFor(none, len(set)/slotSize)
	if err != nil {
		return err
	}
	was := bytes.Clone(d.b)
	copy(d.b[at*slotSize:], set)
	return d.write(was) // the point that counts
}

// fill writes size bytes from r to clusters.
func (f *FS) fill(clusters []uint32, size int64, r io.Reader) error {
	buf := make([]byte, f.cluster)
	for _, c := range clusters {
		n := min(size, int64(len(buf)))
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return fmt.Errorf("read its contents: %w", err)
		}
		clear(buf[n:])
		size -= n
		if _, err := f.dev.WriteAt(buf, f.place(c)); err != nil {
			return err
		}
	}
	return f.dev.Sync()
}

// Remove takes away the file called name with its contents.
func (d *Dir) Remove(name string) error {
	f, ok := d.Find(name)
	if !ok {
		return fmt.Errorf("remove %s: %w", name, ErrNotExist)
	}
	if f.IsDir {
		return fmt.Errorf("remove %s: it is a directory", name)
	}
	shared := slices.ContainsFunc(d.files, func(o File) bool { return o.Cluster == f.Cluster && o.first != f.first })
	was := bytes.Clone(d.b)
	d.free(f)
	if err := d.writeBackwards(was); err != nil { // the point that counts
		return fmt.Errorf("remove %s: %w", name, err)
	}
	d.parse()
	if f.Cluster == 0 || shared {
		return nil
	}
	t, err := d.fs.readTable()
	if err == nil {
		t.release(f.Cluster)
		err = t.write()
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// Free returns how many bytes there is room for.
func (f *FS) Free() (int64, error) {
	t, err := f.readTable()
	if err != nil {
		return 0, err
	}
	return int64(len(t.unused(int(f.count)))) * int64(f.cluster), nil
}

// A table is the first of those of clusters, in memory.
type table struct {
	fs  *FS
	b   []byte
	was []byte
}

func (f *FS) readTable() (*table, error) {
	if f.single {
		return nil, errors.New("the file system is used in a way that is not known here: not all its tables count")
	}
	size := min(f.size, (4*(int64(f.count)+2)+int64(f.sector)-1)/int64(f.sector)*int64(f.sector))
	t := &table{fs: f, b: make([]byte, size)}
	if _, err := f.dev.ReadAt(t.b, f.fat); err != nil {
		return nil, fmt.Errorf("read the table of clusters: %w", err)
	}
	t.was = bytes.Clone(t.b)
	return t, nil
}

func (t *table) get(c uint32) uint32 { return binary.LittleEndian.Uint32(t.b[4*c:]) & 0x0fffffff }

// set keeps the bits that are not the number of a cluster.
func (t *table) set(c, v uint32) {
	old := binary.LittleEndian.Uint32(t.b[4*c:])
	binary.LittleEndian.PutUint32(t.b[4*c:], old&^0x0fffffff|v)
}

// unused returns at most n clusters that no file has.
func (t *table) unused(n int) []uint32 {
	var out []uint32
	for c := uint32(2); t.fs.valid(c) && len(out) < n; c++ {
		if t.get(c) == 0 {
			out = append(out, c)
		}
	}
	return out
}

// release frees the chain that begins with c.
func (t *table) release(c uint32) {
	for t.fs.valid(c) && t.get(c) != 0 {
		next := t.get(c)
		t.set(c, 0)
		c = next
	}
}

// write writes the sectors that were changed, to all tables. Where the hint of
// how much room there is would no longer be true, it is taken away first.
func (t *table) write() error {
	if err := t.fs.forgetRoom(); err != nil {
		return err
	}
	size := t.fs.sector
	for at := 0; at < len(t.b); at += size {
		part := t.b[at:min(at+size, len(t.b))]
		if bytes.Equal(part, t.was[at:at+len(part)]) {
			continue
		}
		for i := range t.fs.tables {
			if _, err := t.fs.dev.WriteAt(part, t.fs.fat+i*t.fs.size+int64(at)); err != nil {
				return err
			}
		}
	}
	return t.fs.dev.Sync()
}

// forgetRoom makes the hint of how many clusters are free say that nobody knows.
func (f *FS) forgetRoom() error {
	if f.info == 0 || f.info >= f.fat {
		return nil
	}
	b := make([]byte, f.sector)
	if _, err := f.dev.ReadAt(b, f.info); err != nil {
		return err
	}
	le := binary.LittleEndian
	const unknown = 0xffffffff
	if le.Uint32(b) != 0x41615252 || le.Uint32(b[484:]) != 0x61417272 || le.Uint32(b[488:]) == unknown {
		return nil
	}
	le.PutUint32(b[488:], unknown)
	le.PutUint32(b[492:], unknown)
	_, err := f.dev.WriteAt(b, f.info)
	return err
}

// Reclaim frees the clusters that no file has.
func (f *FS) Reclaim() error {
	t, err := f.readTable()
	if err != nil {
		return err
	}
	used := make([]bool, f.count+2)
	if err := f.mark(t, f.root, used, 0); err != nil {
		return fmt.Errorf("look for lost clusters: %w", err)
	}
	for c := uint32(2); f.valid(c); c++ {
		const bad = 0x0ffffff7
		if v := t.get(c); v != 0 && v != bad && !used[c] {
			t.set(c, 0)
		}
	}
	if bytes.Equal(t.b, t.was) {
		return nil
	}
	return t.write()
}

// maxDepth bounds how deep directories may lie.
const maxDepth = 16

// mark notes what the directory that begins with c has.
func (f *FS) mark(t *table, c uint32, used []bool, depth int) error {
	if depth > maxDepth {
		return errors.New("directories lie too deep")
	}
	d, err := f.dir(c)
	if err != nil {
		return err
	}
	for _, c := range d.clusters {
		used[c] = true
	}
	for _, file := range d.files {
		if file.IsDir {
			if f.valid(file.Cluster) && used[file.Cluster] {
				return errors.New("a directory is in itself")
			}
			if err := f.mark(t, file.Cluster, used, depth+1); err != nil {
				return err
			}
			continue
		}
		for c := file.Cluster; f.valid(c) && !used[c]; c = t.get(c) {
			used[c] = true
		}
	}
	return nil
}
