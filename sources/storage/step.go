package storage

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

// A Step is one thing that is done. It prints as that.
type Step interface{ fmt.Stringer }

// The steps.
type (
	// WriteTable writes a partition table.
	WriteTable struct {
		Table *gpt.Table
		Why   string
	}
	// TellKernel makes the kernel take over a partition, since it does not read
	// the table of a disk in use again.
	TellKernel struct {
		Number int
		Extent Extent
		New    bool // otherwise it has grown
	}
	// MakeSystem makes the file system of a partition that nobody has used.
	MakeSystem struct {
		Number int
		Label  string
		Size   int64 // bytes
	}
	// CheckSystem mends what can be mended without a question.
	CheckSystem struct {
		Number int
		Name   string
	}
	// Mount mounts a partition.
	Mount struct {
		Number int
		Dir    string
		NoExec bool
	}
	// GrowSystem gives a mounted file system a number of blocks.
	GrowSystem struct {
		Dir    string
		Blocks uint64
	}
)

func (s WriteTable) String() string { return s.Why }

func (s TellKernel) String() string {
	if s.New {
		return fmt.Sprintf("tell the kernel of partition %d", s.Number)
	}
	return fmt.Sprintf("tell the kernel that partition %d has %d MiB", s.Number, s.Extent.Size/mebibyte)
}

func (s MakeSystem) String() string {
	return fmt.Sprintf("make the file system %s on partition %d", s.Label, s.Number)
}

func (s CheckSystem) String() string {
	return fmt.Sprintf("check the file system of partition %d", s.Number)
}

func (s Mount) String() string {
	return fmt.Sprintf("mount partition %d at %s", s.Number, s.Dir)
}

func (s GrowSystem) String() string {
	return fmt.Sprintf("grow the file system at %s to %d blocks", s.Dir, s.Blocks)
}
