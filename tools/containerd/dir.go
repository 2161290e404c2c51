package containerd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Dir is a directory for a containerd and what its containers are given. A run
// of tests that is killed leaves in it mounts, shims and containers, which the
// next run ends.
type Dir struct {
	Path string

	lock *os.File // held for as long as somebody uses the directory
}

// prefix is what names of directories begin with, and those of control groups,
// which are called as the directories are. Paths of sockets are short.
const prefix = "hc"

// lockName is the file in a directory that is locked while it is used.
const lockName = "lock"

// sweepLimit is how long what was killed may take to be gone.
const sweepLimit = 30 * time.Second

// NewDir makes a directory, after it has removed what killed runs have left.
func NewDir() (*Dir, error) {
	if err := sweep(os.TempDir()); err != nil {
		return nil, err
	}
	for {
		path, err := os.MkdirTemp("", prefix)
		if err != nil {
			return nil, err
		}
		lock, err := take(path, os.O_CREATE)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue // another one takes it for a directory that was left, and removes it
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		return &Dir{Path: path, lock: lock}, nil
	}
}

// Remove removes the directory, whose containers and containerd have ended.
func (d *Dir) Remove() error { return errors.Join(os.RemoveAll(d.Path), d.lock.Close()) }

// take locks the directory at path. It fails when somebody uses it.
func take(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|how, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes the directories in top that nobody uses.
func sweep(top string) error {
	found, err := filepath.Glob(filepath.Join(top, prefix+"[0-9]*"))
	if err != nil {
		return err
	}
	for _, path := range found {
		lock, err := take(path, 0)
		if err != nil {
			continue // it is used, or none of ours
		}
		err = end(path)
		if err := errors.Join(err, lock.Close()); err != nil {
			return fmt.Errorf("remove %s, which a killed run has left: %w", path, err)
		}
	}
	return nil
}

// end ends what lives in the directory at path, and removes it.
func end(path string) error {
	var errs []error
	for _, pid := range append(shims(path), members(filepath.Base(path))...) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	mounts, err := mountsBelow(path)
	errs = append(errs, err)
	for _, m := range slices.Backward(mounts) {
		errs = append(errs, unix.Unmount(m, unix.MNT_DETACH))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return retried(func() error { return errors.Join(os.RemoveAll(path), removeGroups(filepath.Base(path))) })
}

// retried calls f until it succeeds: what was killed takes a moment to be gone.
func retried(f func() error) error {
	for limit := time.Now().Add(sweepLimit); ; time.Sleep(10 * time.Millisecond) {
		if err := f(); err == nil || time.Now().After(limit) {
			return err
		}
	}
}

// shims returns the shims whose files are below path.
func shims(path string) []int {
	var pids []int
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range found {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(filepath.Base(string(bytes.SplitN(line, []byte{0}, 2)[0])), "containerd-shim") || !bytes.Contains(line, []byte(path+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// groups returns the control groups called name, and those below them, the
// innermost last.
func groups(name string) []string {
	tops, _ := filepath.Glob("/sys/fs/cgroup/*/" + name)
	var out []string
	for _, top := range append(tops, "/sys/fs/cgroup/"+name) {
		_ = filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				out = append(out, p)
			}
			return nil // what has gone is not there
		})
	}
	return out
}

// members returns the processes in the control groups called name.
func members(name string) []int {
	var pids []int
	for _, g := range groups(name) {
		text, _ := os.ReadFile(filepath.Join(g, "cgroup.procs")) // it may have gone
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func removeGroups(name string) error {
	var errs []error
	for _, g := range slices.Backward(groups(name)) {
		if err := os.Remove(g); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// mountsBelow returns what is mounted below path, in the order in which it was.
func mountsBelow(path string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], path+"/") {
			out = append(out, fields[4])
		}
	}
	return out, nil
}
