// Package atomicfile replaces files of the host so that a crash leaves the old
// file or the new one.
//
// The new file has its owner, its mode and its label before it has its name.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Attributes are what a file has besides its contents.
type Attributes struct {
	Mode fs.FileMode
	UID  int // negative: that of this process
	GID  int
}

// Replace gives the file called name in dir the contents data. It keeps the
// label that the file had; a new one is labelled by the policy. Once Replace has
// returned nil, a power cut does not undo it.
//
// What has the name without being a directory is replaced, a symbolic link too.
func Replace(dir *os.Root, name string, data []byte, a Attributes) error {
	label, err := labelOf(dir, name)
	if err != nil {
		return fmt.Errorf("label of %s: %w", name, err)
	}
	// WithRoot keeps the temporary file in dir, and nobody else can read it
	// before it has its owner.
	f, err := renameio.NewPendingFile(name, renameio.WithRoot(dir), renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }() // does nothing after success
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := dress(f.File, a, label); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(dir)
}

// dress gives f its attributes. A change of the owner clears bits of the mode,
// which therefore comes later.
func dress(f *os.File, a Attributes, label []byte) error {
	if a.UID >= 0 || a.GID >= 0 {
		if err := f.Chown(a.UID, a.GID); err != nil {
			return err
		}
	}
	if err := f.Chmod(a.Mode); err != nil {
		return err
	}
	if label == nil {
		return nil
	}
	if err := unix.Fsetxattr(int(f.Fd()), selinux, label, 0); err != nil {
		return fmt.Errorf("set the label: %w", err)
	}
	return nil
}

const selinux = "security.selinux"

// labelOf returns the label of the file called name, or nil when there is
// neither.
func labelOf(dir *os.Root, name string) ([]byte, error) {
	info, err := dir.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, nil // what is wrong, if anything, shows when writing
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil // a sandbox; root may read everything
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	label := make([]byte, 1024)
	n, err := unix.Fgetxattr(int(f.Fd()), selinux, label)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return label[:n], nil
}

// Remove removes the file called name from dir. That there is none is no error.
func Remove(dir *os.Root, name string) error {
	err := dir.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// Sweep removes what a Replace of name left in dir when it was killed.
func Sweep(dir *os.Root, name string) error {
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && isTemporary(e.Name(), name) {
			err = errors.Join(err, dir.Remove(e.Name()))
		}
	}
	return err
}

// isTemporary reports whether entry is a name that renameio gives to the
// temporary file for name: a dot, the name, and a number.
func isTemporary(entry, name string) bool {
	number, ok := strings.CutPrefix(entry, "."+name)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// syncDir makes renames and removals in dir last. renameio syncs the file only.
func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	return nil
}
