package initrd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the RAM disk gives to the root.
const (
	factory = system + "/usr/share/factory/etc"
	extra   = "/.extra"     // where the UKI's stub puts what it found beside the UKI
	handed  = "/run/.extra" // where the same is found later
)

// fillEtc gives the root an /etc that can be written to and is forgotten at the
// next boot, filled with what the image brings.
func fillEtc() error {
	err := mount{"tmpfs", system + "/etc", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "mode=0755,size=64M,nr_inodes=64k"}.mount()
	if err != nil {
		return err
	}
	if err := copyTree(factory, system+"/etc"); err != nil {
		return fmt.Errorf("fill /etc: %w", err)
	}
	return nil
}

// mountHome gives programs that run as root a home that can be written to and is
// forgotten at the next boot: their credentials are rendered there.
func mountHome() error {
	return mount{"tmpfs", system + "/root", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "mode=0700,size=16M,nr_inodes=4k"}.mount()
}

// handOver keeps what the stub put into the RAM disk, which goes away.
func handOver() error {
	err := copyTree(extra, handed)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not started by a stub
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", extra, err)
	}
	// Credentials are in there.
	return os.Chmod(handed, 0o700)
}

// copyTree copies directories, files and links with their owners and modes. The
// directory to may exist, and what it holds stays.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return copyEntry(name, filepath.Join(to, rel), info)
	})
}

func copyEntry(from, to string, info fs.FileInfo) error {
	var err error
	switch info.Mode().Type() {
	case fs.ModeDir:
		err = os.MkdirAll(to, 0o700)
	case fs.ModeSymlink:
		var target string
		if target, err = os.Readlink(from); err == nil {
			err = os.Symlink(target, to)
		}
	case 0:
		err = copyFile(from, to)
	default:
		return fmt.Errorf("copy %s: neither a file nor a directory nor a link", from)
	}
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t) // what file systems of this kernel give
	if err := os.Lchown(to, int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return nil // has no mode
	}
	return os.Chmod(to, info.Mode()) // after the owner, which takes special bits away
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
