package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Names of files in the directory of a cluster.
const (
	lockFile   = "supervisor.lock" // held by the supervisor, as long as it lives
	launchFile = "launch.lock"     // held by who starts a supervisor
	socketFile = "supervisor.sock"
)

// errHeld says that another process holds a lock.
var errHeld = errors.New("held by another process")

// patience says what to do about a lock that is held.
type patience int

const (
	atOnce  patience = unix.F_OFD_SETLK  // errHeld
	waiting patience = unix.F_OFD_SETLKW // wait for it
)

// hold takes a lock of the cluster, which ends with the file that is returned
// and, whatever happens, with this process.
func (c Cluster) hold(name string, p patience) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(c.Dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.FcntlFlock(f.Fd(), int(p), &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		if errors.Is(err, unix.EAGAIN) {
			err = errHeld
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

// notePID writes who holds a lock into its file, for people and for PID.
func notePID(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(lock, os.Getpid())
	return err
}

// PID returns the process id of the supervisor that lives.
func (c Cluster) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.Dir, lockFile))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// Alive reports whether the cluster has a supervisor. It looks at the lock
// without taking it, which could be in the way of a supervisor that starts.
func (c Cluster) Alive() (bool, error) {
	f, err := os.OpenFile(filepath.Join(c.Dir, lockFile), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	held := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &held); err != nil {
		return false, fmt.Errorf("look at lock %s: %w", f.Name(), err)
	}
	return held.Type != unix.F_UNLCK, nil
}

// atSocket calls f with a path of the cluster's socket that is short: the kernel
// takes 107 bytes, and a directory may lie deep.
func (c Cluster) atSocket(f func(path string) error) error {
	fd, err := unix.Open(c.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", c.Dir, err)
	}
	defer unix.Close(fd)
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", fd, socketFile))
}
