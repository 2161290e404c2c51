package esp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
)

// lockFile is locked by whoever uses the partition: two file system drivers on
// one partition would destroy it.
const lockFile = "/run/bulkhead/esp.lock"

// An Access is what a partition is opened for.
type Access int

// Whether the partition is changed.
const (
	Read Access = iota
	Write
)

// A Partition is the ESP without a file system mounted from it.
type Partition struct {
	Table *gpt.Table    // of its disk
	Entry gpt.Partition // in the table

	file   *os.File
	offset int64 // of the partition in file
	size   int64
	unlock func() error
}

// Open opens the partition of the disk that the root is on. It waits for others
// who use it.
func Open(access Access) (p *Partition, err error) {
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock())
		}
	}()
	sys := os.DirFS("/sys")
	disk, err := rootDisk(sys)
	if err != nil {
		return nil, err
	}
	table, err := readTable(sys, disk)
	if err != nil {
		return nil, fmt.Errorf("disk %s: %w", disk, err)
	}
	entry, err := entryOf(table)
	if err != nil {
		return nil, fmt.Errorf("disk %s: %w", disk, err)
	}
	part, err := sysblock.Partition(sys, disk, entry.Number)
	if err != nil {
		return nil, fmt.Errorf("disk %s: %w", disk, err)
	}
	flags := os.O_RDONLY
	if access == Write {
		flags = os.O_RDWR | os.O_EXCL // fails while it is mounted
	}
	f, err := os.OpenFile(path.Join("/dev", sysblock.NodeName(part.Name)), flags, 0)
	if err != nil {
		return nil, err
	}
	// What a mounted file system wrote since somebody last read here did not go
	// the same way.
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // the last one to close does it, too
	return &Partition{Table: table, Entry: entry, file: f, size: part.Size, unlock: unlock}, nil
}

// OpenImage opens the partition in a file with an image of a whole disk.
func OpenImage(name string, access Access) (*Partition, error) {
	flags := os.O_RDONLY
	if access == Write {
		flags = os.O_RDWR
	}
	f, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return nil, err
	}
	p, err := inImage(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return p, nil
}

func inImage(f *os.File) (*Partition, error) {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const sector = 512
	table, err := gpt.ReadTable(f, info.Size(), sector)
	if err != nil {
		return nil, err
	}
	entry, err := entryOf(table)
	if err != nil {
		return nil, err
	}
	return &Partition{
		Table: table, Entry: entry, file: f, offset: int64(entry.First) * sector, size: int64(entry.Sectors()) * sector,
		unlock: func() error { return nil }, // by closing it
	}, nil
}

func entryOf(t *gpt.Table) (gpt.Partition, error) {
	i, err := t.Find(Name)
	if err != nil {
		return gpt.Partition{}, err
	}
	if i < 0 {
		return gpt.Partition{}, fmt.Errorf("no partition %s", Name)
	}
	return t.Partitions[i], nil
}

func readTable(sys fs.FS, disk string) (*gpt.Table, error) {
	size, sector, err := sysblock.Size(sys, disk)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path.Join("/dev", sysblock.NodeName(disk)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return gpt.ReadTable(f, size, sector)
}

// lock waits until nobody else uses the partition.
func lock() (unlock func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(lockFile), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", lockFile, err), f.Close())
	}
	return f.Close, nil
}

// ReadAt reads from the partition.
func (p *Partition) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off > p.size || int64(len(b)) > p.size-off {
		return 0, fmt.Errorf("read behind the end of the partition: %w", io.ErrUnexpectedEOF)
	}
	return p.file.ReadAt(b, p.offset+off)
}

// WriteAt writes to the partition.
func (p *Partition) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off > p.size || int64(len(b)) > p.size-off {
		return 0, fmt.Errorf("write behind the end of the partition: %w", io.ErrShortWrite)
	}
	return p.file.WriteAt(b, p.offset+off)
}

// Sync makes what was written last.
func (p *Partition) Sync() error { return p.file.Sync() }

// Close lets others use the partition.
func (p *Partition) Close() error { return errors.Join(p.file.Close(), p.unlock()) }
