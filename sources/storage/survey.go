package storage

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
)

// diskOfRoot returns the disk that the root of the node is on.
func diskOfRoot(sys fs.FS) (string, error) {
	var s unix.Stat_t
	if err := unix.Stat("/", &s); err != nil {
		return "", fmt.Errorf("disk of the root: %w", err)
	}
	disk, err := sysblock.DiskOf(sys, fmt.Sprintf("%d:%d", unix.Major(s.Dev), unix.Minor(s.Dev)))
	if err != nil {
		return "", fmt.Errorf("disk of the root: %w", err)
	}
	return disk, nil
}

// survey returns what is on a disk, which is open as f. Whatever cannot be read
// is part of the state.
func survey(sys fs.FS, disk string, f io.ReaderAt) (State, error) {
	size, sector, err := sysblock.Size(sys, disk)
	if err != nil {
		return State{}, fmt.Errorf("disk %s: %w", disk, err)
	}
	s := State{Sector: sector, Kernel: map[int]Extent{}, Contents: map[int]Content{}, ID: newGUID()}
	if s.Table, s.Fault = gpt.ReadTable(f, size, sector); s.Fault != nil {
		return s, nil
	}
	// A table that cannot be written is found out when it is written.
	s.Written, _ = s.Table.Written(f)
	for _, p := range s.Table.Partitions {
		if p.Name != disklayout.Data && p.Name != disklayout.NewData && p.Name != disklayout.Private {
			continue
		}
		s.Contents[p.Number] = identify(f, int64(p.First)*sector)
		part, err := sysblock.Partition(sys, disk, p.Number)
		if errors.Is(err, sysblock.ErrAbsent) {
			continue
		}
		if err != nil {
			return State{}, fmt.Errorf("disk %s: %w", disk, err)
		}
		s.Kernel[p.Number] = Extent{Start: part.Start, Size: part.Size}
		s.Contents[p.Number] = identifyNode(part)
	}
	if begin := roomBegins(s.Table, sector); begin < s.Table.Last() {
		s.Free = identify(f, int64(begin)*sector)
	}
	return s, nil
}

// identifyNode reads a partition by its own file: what was written by that is
// not yet to be seen by the file of the disk.
func identifyNode(p sysblock.Part) Content {
	f, err := os.Open(path.Join("/dev", sysblock.NodeName(p.Name)))
	if err != nil {
		return Content{Fault: err}
	}
	defer f.Close()
	return identify(f, 0)
}

func newGUID() gpt.GUID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return gpt.FromBytes(b)
}
