package storage

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of linux/blkpg.h.
const (
	addPartition    = 1
	resizePartition = 3
)

// partitionRequest is struct blkpg_partition.
type partitionRequest struct {
	start, length int64 // bytes
	number        int32
	_             [128]byte // names, which nobody reads
}

// request is struct blkpg_ioctl_arg.
type request struct {
	op, flags, length int32
	data              *partitionRequest
}

// tellKernel adds a partition to those that the kernel has, or makes it larger.
// The kernel does so with a disk in use, and has made the file of the partition
// when it answers.
func (m *machine) tellKernel(s TellKernel) error {
	p := &partitionRequest{start: s.Extent.Start, length: s.Extent.Size, number: int32(s.Number)}
	r := request{op: resizePartition, length: int32(unsafe.Sizeof(*p)), data: p}
	if s.New {
		r.op = addPartition
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, m.file.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&r)))
	runtime.KeepAlive(p)
	if errno != 0 {
		return fmt.Errorf("%s: %w", s, errno)
	}
	return nil
}
