package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/ext4"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
)

// A machine carries steps out.
type machine struct {
	sys  fs.FS
	disk string   // in sysfs
	file *os.File // the disk
	root string   // what stands for the root of the node
}

// openMachine opens disk, and keeps others from reading its table while that is
// being written: udev takes the same lock.
func openMachine(sys fs.FS, disk, root string) (*machine, error) {
	f, err := os.OpenFile(path.Join("/dev", sysblock.NodeName(disk)), os.O_RDWR, 0)
	if errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) {
		f, err = os.Open(path.Join("/dev", sysblock.NodeName(disk))) // what can be read is mounted
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return &machine{sys: sys, disk: disk, file: f, root: root}, nil
}

func (m *machine) close() error { return m.file.Close() }

// do carries a step out. What it says beside an error is worth telling.
func (m *machine) do(ctx context.Context, s Step) (note string, err error) {
	switch s := s.(type) {
	case WriteTable:
		return "", s.Table.Write(m.file)
	case TellKernel:
		return "", m.tellKernel(s)
	case MakeSystem:
		return "", m.makeSystem(ctx, s)
	case CheckSystem:
		return m.check(ctx, s.Number)
	case Mount:
		return m.mount(ctx, s)
	case GrowSystem:
		return "", m.grow(s)
	}
	panic(fmt.Sprintf("step of an unknown kind: %T", s))
}

// node returns the file of a partition.
func (m *machine) node(number int) (string, error) {
	p, err := sysblock.Partition(m.sys, m.disk, number)
	if err != nil {
		return "", err
	}
	return path.Join("/dev", sysblock.NodeName(p.Name)), nil
}

// longTime is what no program takes. Killing one in the middle of its work on a
// file system would be worse than waiting for it.
const longTime = 24 * time.Hour

// makeSystem leaves to the kernel, in its idle time, what need not be written at
// once: a large disk is ready as soon as a small one.
func (m *machine) makeSystem(ctx context.Context, s MakeSystem) error {
	node, err := m.node(s.Number)
	if err != nil {
		return err
	}
	// For those who are not root's, so that the system can log when they have
	// filled the rest.
	reserved := math.Min(1, 100*reserve/float64(s.Size))
	_, err = program.Run(context.WithoutCancel(ctx), longTime, "mke2fs", "-q", "-t", "ext4", "-b", "4096", "-I", "256", "-i", "16384",
		"-m", strconv.FormatFloat(reserved, 'f', 4, 64), "-L", s.Label, "-O", "64bit,metadata_csum",
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0", node)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// reserve is the most that is kept for root, in bytes.
const reserve = 256 * mebibyte

// Results of e2fsck, which are bits.
const (
	fsckMended = 1
	fsckReboot = 2 // only of a file system that is mounted
)

// check mends the file system of a partition, and returns what it did.
func (m *machine) check(ctx context.Context, number int) (string, error) {
	node, err := m.node(number)
	if err != nil {
		return "", err
	}
	out, err := program.Run(context.WithoutCancel(ctx), longTime, "e2fsck", "-p", node)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if ok && exit.ExitCode() > 0 && exit.ExitCode()&^(fsckMended|fsckReboot) == 0 {
		return strings.TrimSpace(out), nil
	}
	return "", err
}

// mount mounts a partition. Where the kernel refuses a file system that looked
// clean, that is checked first.
func (m *machine) mount(ctx context.Context, s Mount) (note string, err error) {
	node, err := m.node(s.Number)
	if err != nil {
		return "", err
	}
	dir, err := m.makeDir(s.Dir)
	if err != nil {
		return "", err
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOATIME)
	if s.NoExec {
		flags |= unix.MS_NOEXEC
	}
	err = mount(node, dir, "ext4", flags, "errors=remount-ro")
	if err == nil {
		return "", nil
	}
	note, checkErr := m.check(ctx, s.Number)
	if checkErr != nil {
		return "", errors.Join(err, checkErr)
	}
	return note, mount(node, dir, "ext4", flags, "errors=remount-ro")
}

// mountMemory mounts memory at dir, in place of a volume that is lost.
func (m *machine) mountMemory(v Volume) error {
	dir, err := m.makeDir(v.Dir)
	if err != nil {
		return err
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if v.private() {
		return mount("tmpfs", dir, "tmpfs", flags|unix.MS_NOEXEC, "mode=0755,size=64M")
	}
	return mount("tmpfs", dir, "tmpfs", flags, "mode=0755,size=25%")
}

// bind shows a directory of DATA in a second place.
func (m *machine) bind(from, to string) error {
	source, err := m.makeDir(from)
	if err != nil {
		return err
	}
	target := filepath.Join(m.root, to)
	info, err := os.Lstat(target)
	if err != nil {
		return fmt.Errorf("bind %s: %w", from, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("bind %s: %s is no directory", from, target)
	}
	return mount(source, target, "", unix.MS_BIND, "")
}

// makeDir makes a directory that everybody can read.
func (m *machine) makeDir(dir string) (string, error) {
	dir = filepath.Join(m.root, dir)
	return dir, os.MkdirAll(dir, 0o755)
}

func mount(source, dir, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, dir, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", source, dir, err)
	}
	return nil
}

// mounted reports whether something is mounted at dir.
func (m *machine) mounted(dir string) (bool, error) {
	var s unix.Statx_t
	dir = filepath.Join(m.root, dir)
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, 0, &s); err != nil {
		return false, fmt.Errorf("statx %s: %w", dir, err)
	}
	return s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

func (m *machine) grow(s GrowSystem) error {
	dir, err := os.Open(filepath.Join(m.root, s.Dir))
	if err != nil {
		return err
	}
	defer dir.Close()
	return ext4.Grow(dir, s.Blocks)
}
