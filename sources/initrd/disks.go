package initrd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// A disk can be read anywhere.
type disk interface {
	io.ReaderAt
	io.Closer
}

// rootParts is where a root is, and what the node keeps beside it.
type rootParts struct {
	disk       string
	data, tree sysblock.Part
	private    int // number of the partition; 0 if there is none
}

// awaitRoot loads drivers and reads partition tables until the root appears. It
// looks after each driver, so that no more are loaded than it takes: all others
// are loaded by the system in its own time.
func awaitRoot(d *drivers, opt options) (rootParts, error) {
	sys := os.DirFS("/sys")
	open := func(name string) (disk, error) { return os.Open(path.Join("/dev", name)) }
	// What is slept is counted and no clock read: that of an emulated processor
	// may leap by a minute while the kernel makes up its mind about it.
	var waited time.Duration
	for wait := 2 * time.Millisecond; ; {
		more := d.loadNext(sys)
		parts, err := findRoot(sys, open, opt.root)
		switch {
		case err == nil:
			return parts, nil
		case more:
			continue
		case waited >= opt.wait:
			return rootParts{}, errors.Join(append([]error{err}, d.faults...)...)
		}
		time.Sleep(wait)
		waited += wait
		wait = min(2*wait, 100*time.Millisecond)
	}
}

// findRoot looks for the partitions that hash names, on the disks that sys
// lists. Both must be on one disk. Disks are taken in the order of their names;
// it does not matter which of several copies is found, since each block is
// checked.
func findRoot(sys fs.FS, open func(name string) (disk, error), hash verity.RootHash) (rootParts, error) {
	data, tree := hash.Partitions()
	dataID, treeID := gpt.FromBytes(data), gpt.FromBytes(tree)
	faults := []error{fmt.Errorf("no disk has the partitions %s and %s of root hash %s", dataID, treeID, hash)}
	entries, err := fs.ReadDir(sys, "block")
	if err != nil {
		return rootParts{}, fmt.Errorf("list disks: %w", err)
	}
	for _, e := range entries {
		if !mayHaveRoot(e.Name()) {
			continue
		}
		parts, err := rootOn(sys, open, e.Name(), dataID, treeID)
		if err == nil {
			return parts, nil
		}
		faults = append(faults, fmt.Errorf("disk %s: %w", e.Name(), err))
	}
	if len(faults) == 1 {
		faults = append(faults, errors.New("there is no disk at all: is its driver in the image?"))
	}
	return rootParts{}, errors.Join(faults...)
}

// mayHaveRoot leaves out what are no disks, and drives whose medium nobody
// boots this way; reading an empty one takes seconds.
func mayHaveRoot(name string) bool {
	for _, kind := range []string{"dm-", "fd", "loop", "mtdblock", "ram", "sr", "zram"} {
		if strings.HasPrefix(name, kind) {
			return false
		}
	}
	return true
}

func rootOn(sys fs.FS, open func(name string) (disk, error), name string, data, tree gpt.GUID) (rootParts, error) {
	table, err := readTable(sys, open, name)
	if err != nil {
		return rootParts{}, err
	}
	parts := rootParts{disk: name}
	for _, p := range table {
		switch {
		case p.ID == data:
			parts.data, err = sysblock.Partition(sys, name, p.Number)
		case p.ID == tree:
			parts.tree, err = sysblock.Partition(sys, name, p.Number)
		case p.Name == disklayout.Private:
			parts.private = p.Number // a root starts without it, too
		}
		if err != nil {
			return rootParts{}, err
		}
	}
	switch noData, noTree := parts.data.Name == "", parts.tree.Name == ""; {
	case noData && noTree:
		return rootParts{}, fmt.Errorf("both are missing among its %d partitions", len(table))
	case noData:
		return rootParts{}, fmt.Errorf("partition %s is missing", data)
	case noTree:
		return rootParts{}, fmt.Errorf("partition %s, which is to check the root, is missing", tree)
	}
	return parts, nil
}

func readTable(sys fs.FS, open func(name string) (disk, error), name string) ([]gpt.Partition, error) {
	size, sector, err := sysblock.Size(sys, name)
	if err != nil {
		return nil, err
	}
	d, err := open(sysblock.NodeName(name))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return gpt.Read(d, size, sector)
}
