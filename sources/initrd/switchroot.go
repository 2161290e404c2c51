package initrd

import (
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// switchRoot makes the mounted image the root of everything and becomes its
// first program. It returns only when something went wrong.
func switchRoot(args []string) error {
	if _, err := os.Stat(system + program); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	for _, m := range kernelMounts {
		if err := unix.Mount(m.target, system+m.target, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s into the root: %w", m.target, err)
		}
	}
	if err := freeRAMDisk("/"); err != nil {
		return err
	}
	if err := enter(system); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	err := unix.Exec(program, append([]string{program}, args...), os.Environ())
	return fmt.Errorf("start %s: %w", program, err)
}

// enter mounts dir over the root and goes there. The root of a RAM disk cannot be
// unmounted or pivoted away from.
func enter(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Chroot("."); err != nil {
		return os.NewSyscallError("chroot", err)
	}
	return os.Chdir("/")
}

// freeRAMDisk gives back the memory that the files of the RAM disk take. Nothing
// but such files is removed: what else is mounted has another device.
func freeRAMDisk(root string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(root, &fs); err != nil {
		return os.NewSyscallError("statfs", err)
	}
	if kinds := []int64{unix.RAMFS_MAGIC, unix.TMPFS_MAGIC}; !slices.Contains(kinds, int64(fs.Type)) {
		return fmt.Errorf("free the RAM disk: %s is something else", root)
	}
	device, err := deviceOf(root)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(root, e.Name())
		if d, err := deviceOf(name); err != nil || d != device {
			continue
		}
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("free the RAM disk: %w", err)
		}
	}
	return nil
}

func deviceOf(name string) (uint64, error) {
	var s unix.Stat_t
	if err := unix.Lstat(name, &s); err != nil {
		return 0, fmt.Errorf("stat %s: %w", name, err)
	}
	return s.Dev, nil
}
