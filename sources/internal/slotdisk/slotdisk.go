// Package slotdisk gives access to the partitions of the slots of a node, and to
// what identifies them.
package slotdisk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// A Disk is the disk that the root is on, or a file with an image of one.
type Disk struct {
	name  string // in sysfs; empty for an image
	sys   fs.FS
	file  *os.File
	size  int64
	unit  int64 // bytes in a sector
	table *gpt.Table
}

// Open opens the disk that the root is on. Nobody else changes its table until it
// is closed.
func Open() (*Disk, error) {
	sys := os.DirFS("/sys")
	var s unix.Stat_t
	if err := unix.Stat("/", &s); err != nil {
		return nil, err
	}
	name, err := sysblock.DiskOf(sys, fmt.Sprintf("%d:%d", unix.Major(s.Dev), unix.Minor(s.Dev)))
	if err != nil {
		return nil, fmt.Errorf("disk of the root: %w", err)
	}
	d := &Disk{name: name, sys: sys}
	if d.size, d.unit, err = sysblock.Size(sys, name); err != nil {
		return nil, err
	}
	return d, d.open(path.Join("/dev", sysblock.NodeName(name)))
}

// OpenImage opens a file with an image of a disk.
func OpenImage(name string) (*Disk, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	d := &Disk{size: info.Size(), unit: 512}
	return d, d.open(name)
}

func (d *Disk) open(name string) (err error) {
	if d.file, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
		return err
	}
	if d.table, err = gpt.ReadTable(d.file, d.size, d.unit); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), d.file.Close())
	}
	return nil
}

// Close closes the disk.
func (d *Disk) Close() error { return d.file.Close() }

// A Part is one partition, or a part of the file that stands for the disk.
type Part struct {
	file   *os.File
	offset int64
	size   int64
	own    bool // the file is the partition's
}

// Part opens the partition called name, to be written.
func (d *Disk) Part(name string) (*Part, error) { return d.part(name, os.O_RDWR) }

// ReadPart opens the partition called name, to be read only: what runs is on it.
func (d *Disk) ReadPart(name string) (*Part, error) { return d.part(name, os.O_RDONLY) }

func (d *Disk) part(name string, flags int) (*Part, error) {
	i, err := d.table.Find(name)
	if err != nil {
		return nil, fmt.Errorf("partition %s: %w", name, err)
	}
	if i < 0 {
		return nil, fmt.Errorf("the disk has no partition %s", name)
	}
	entry := d.table.Partitions[i]
	if d.name == "" {
		return &Part{file: d.file, offset: int64(entry.First) * d.unit, size: int64(entry.Sectors()) * d.unit}, nil
	}
	part, err := sysblock.Partition(d.sys, d.name, entry.Number)
	if err != nil {
		return nil, fmt.Errorf("partition %s: %w", name, err)
	}
	f, err := os.OpenFile(path.Join("/dev", sysblock.NodeName(part.Name)), flags, 0)
	if err != nil {
		return nil, fmt.Errorf("partition %s: %w", name, err)
	}
	return &Part{file: f, size: part.Size, own: true}, nil
}

// Size returns how many bytes p has.
func (p *Part) Size() int64 { return p.size }

// ReadAt reads from p.
func (p *Part) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= p.size {
		return 0, io.EOF
	}
	n, err := p.file.ReadAt(b[:min(int64(len(b)), p.size-off)], p.offset+off)
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

// WriteAt writes to p.
func (p *Part) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off > p.size || int64(len(b)) > p.size-off {
		return 0, fmt.Errorf("write %d bytes at %d of a partition that has %d: %w", len(b), off, p.size, io.ErrShortWrite)
	}
	return p.file.WriteAt(b, p.offset+off)
}

// Begin makes the kernel begin to write out what was written in a place, so that
// Sync has less to wait for.
func (p *Part) Begin(off, n int64) {
	// It is a hint: where it does not work, Sync does it all.
	_ = unix.SyncFileRange(int(p.file.Fd()), p.offset+off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// Sync makes what was written last.
func (p *Part) Sync() error { return p.file.Sync() }

// Forget makes what was written be read from the disk again.
func (p *Part) Forget() {
	_ = unix.Fadvise(int(p.file.Fd()), p.offset, p.size, unix.FADV_DONTNEED) // a hint, too
}

// Close closes p.
func (p *Part) Close() error {
	if !p.own {
		return nil
	}
	return p.file.Close()
}

// Names returns the names of the partitions of a slot.
func Names(slot string) (data, tree string) { return "ROOT-" + slot, "ROOT-" + slot + "-VERITY" }

// Identify makes the boot program for root find the slot. Once it has returned nil, a
// power cut does not undo it.
func (d *Disk) Identify(slot string, root verity.RootHash) error {
	data, tree := root.Partitions()
	return d.identify(slot, gpt.FromBytes(data), gpt.FromBytes(tree))
}

// Disguise makes no boot program find the slot.
func (d *Disk) Disguise(slot string) error {
	var ids [2]gpt.GUID
	for i := range ids {
		if _, err := rand.Read(ids[i][:]); err != nil {
			return err
		}
		ids[i][7] = ids[i][7]&0x0f | 0x40 // random, as such identifiers say of themselves
		ids[i][8] = ids[i][8]&0x3f | 0x80
	}
	return d.identify(slot, ids[0], ids[1])
}

func (d *Disk) identify(slot string, ids ...gpt.GUID) error {
	// udev takes the same lock while it reads a table.
	if err := unix.Flock(int(d.file.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the disk: %w", err)
	}
	defer func() { _ = unix.Flock(int(d.file.Fd()), unix.LOCK_UN) }() // closing does it, too
	table, err := gpt.ReadTable(d.file, d.size, d.unit)               // others write it as well
	if err != nil {
		return err
	}
	data, tree := Names(slot)
	for i, name := range []string{data, tree} {
		k, err := table.Find(name)
		if err != nil || k < 0 {
			return fmt.Errorf("partition %s: not found: %w", name, err)
		}
		table.Partitions[k].ID = ids[i]
	}
	if err := table.Write(d.file); err != nil { // the point that counts
		return fmt.Errorf("write the partition table: %w", err)
	}
	d.table = table
	return nil
}
