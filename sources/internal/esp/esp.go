// Package esp gives access to the partition that the firmware boots from.
//
// It is mounted only while somebody needs it: what is not mounted is not damaged
// by a power cut.
package esp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
)

// Name is that of the partition.
const Name = "ESP"

// Mount mounts the partition of the disk that the root is on, at dir, which is
// made if need be. The process should have mounts of its own. It waits for others
// who use the partition.
func Mount(dir string) (unmount func() error, err error) {
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	// Not into the result, which the function that is returned would then call:
	// itself.
	done, err := mount(dir)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	return func() error { return errors.Join(done(), unlock()) }, nil
}

func mount(dir string) (unmount func() error, err error) {
	node, err := find(os.DirFS("/sys"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME
	if err := unix.Mount(node, dir, "vfat", flags, "umask=0077,errors=remount-ro"); err != nil {
		return nil, fmt.Errorf("mount %s at %s: %w", node, dir, err)
	}
	return func() error {
		if err := unix.Unmount(dir, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
		return nil
	}, nil
}

// find returns the file of the partition.
func find(sys fs.FS) (string, error) {
	disk, err := rootDisk(sys)
	if err != nil {
		return "", err
	}
	return partition(sys, disk)
}

// rootDisk returns the name of the disk that the root is on.
func rootDisk(sys fs.FS) (string, error) {
	var s unix.Stat_t
	if err := unix.Stat("/", &s); err != nil {
		return "", err
	}
	disk, err := sysblock.DiskOf(sys, fmt.Sprintf("%d:%d", unix.Major(s.Dev), unix.Minor(s.Dev)))
	if err != nil {
		return "", fmt.Errorf("disk of the root: %w", err)
	}
	return disk, nil
}

// partition returns the file of the partition on disk.
func partition(sys fs.FS, disk string) (string, error) {
	dir := path.Join("block", disk)
	entries, err := fs.ReadDir(sys, dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		event, err := fs.ReadFile(sys, path.Join(dir, e.Name(), "uevent"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(event)) {
			if strings.TrimSpace(line) == "PARTNAME="+Name {
				return path.Join("/dev", sysblock.NodeName(e.Name())), nil
			}
		}
	}
	return "", fmt.Errorf("disk %s has no partition %s", disk, Name)
}
