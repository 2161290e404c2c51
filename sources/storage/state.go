package storage

import (
	"github.com/bulkhead-os/bulkhead/sources/internal/ext4"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

// A State is what was found on the disk, and all that a plan depends on.
type State struct {
	Sector  int64      // bytes
	Table   *gpt.Table // nil if it cannot be read
	Fault   error      // why not
	Written bool       // the disk holds the table as it should: twice, one copy at its end
	// Kernel and Contents have what is known of the partitions DATA and PRIVATE,
	// by number.
	Kernel   map[int]Extent
	Contents map[int]Content
	// Free is what lies where the next partition would begin.
	Free Content
	// ID is for a partition to be made.
	ID gpt.GUID
}

// An Extent is where a partition lies as the kernel has it, in bytes.
type Extent struct{ Start, Size int64 }

// A Content is what begins at some place of a disk: a file system of ours,
// something else that has a name, or neither.
type Content struct {
	System *ext4.Superblock
	Other  string // what it is called, such as "xfs"
	Fault  error  // why it cannot be told
}

// Empty reports whether nothing is known to be there.
func (c Content) Empty() bool { return c.System == nil && c.Other == "" && c.Fault == nil }
