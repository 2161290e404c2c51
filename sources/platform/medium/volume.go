package medium

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// attributes of all mounts: nothing on a medium is run, is a device, leads
// elsewhere or is written to.
const attributes = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW

// mount opens the file system on a device. It is mounted nowhere, and gone when
// what is returned is closed, or the program has ended in whichever way.
func mount(device, kind string) (root fs.FS, done func(), err error) {
	fd, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("mount %s: %w", device, os.NewSyscallError("fsopen", err))
	}
	defer unix.Close(fd)
	err = errors.Join(unix.FsconfigSetString(fd, "source", device), unix.FsconfigSetFlag(fd, "ro"))
	if err == nil {
		err = unix.FsconfigCreate(fd)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("mount %s: %w", device, os.NewSyscallError("fsconfig", err))
	}
	top, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, attributes)
	if err != nil {
		return nil, nil, fmt.Errorf("mount %s: %w", device, os.NewSyscallError("fsmount", err))
	}
	defer unix.Close(top)
	dir, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", top))
	if err != nil {
		return nil, nil, err
	}
	return dir.FS(), func() { _ = dir.Close() }, nil
}

// read returns the contents of the first of names that is there, and which one
// that is. One that is empty is as good as none.
func read(root fs.FS, names ...string) ([]byte, string, error) {
	for _, name := range names {
		f, err := root.Open(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, name, err
		}
		data, err := readFile(f)
		if err != nil {
			return nil, name, fmt.Errorf("%s: %w", name, err)
		}
		if len(data) > 0 {
			return data, name, nil
		}
	}
	return nil, "", nil
}

func readFile(f fs.File) ([]byte, error) {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	return platform.ReadAll(f)
}

// Names of files with user data, wherever they are ours to choose.
var userDataNames = []string{"user-data.toml", "user-data.json", "user-data"}

// Files reads the files of a directory: one with user data, and net.toml.
func Files(root fs.FS, dir string) (platform.Data, error) {
	var names []string
	for _, n := range userDataNames {
		names = append(names, path.Join(dir, n))
	}
	data, name, err := read(root, names...)
	d := platform.Data{UserData: data, From: name}
	if err != nil {
		return platform.Data{}, err
	}
	d.Network, name, err = read(root, path.Join(dir, "net.toml"))
	if d.From == "" {
		d.From = name
	}
	return d, err
}

// same reports whether two labels are the same. FAT has capitals only.
func same(a, b string) bool { return strings.EqualFold(a, b) }
