package apiserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
)

// maxSocketPath is the longest path that fits into a socket address.
const maxSocketPath = 107

// listen returns the socket that the service manager has handed over, or else
// makes one at path, for the group gid unless that is negative.
func listen(path string, gid int) (net.Listener, error) {
	given, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take over the socket: %w", err)
	}
	if len(given) == 0 {
		return bind(path, gid)
	}
	l, ok := given[0].(*net.UnixListener)
	if !ok || len(given) > 1 {
		return nil, fmt.Errorf("take over the socket: got %d sockets, want one stream socket of the Unix family", len(given))
	}
	return l, nil
}

// bind makes the socket. Until it has its group and mode only the daemon's own
// user can connect: the umask decides the mode that a socket is born with.
func bind(path string, gid int) (net.Listener, error) {
	if n := len(path); n > maxSocketPath {
		return nil, fmt.Errorf("socket %s: the path has %d bytes, want at most %d", path, n, maxSocketPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := share(path, gid); err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), l.Close())
	}
	return l, nil
}

func share(path string, gid int) error {
	if gid >= 0 {
		if err := os.Chown(path, -1, gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, 0o660)
}

// removeStale removes the socket that a daemon left behind when it was killed.
// One that somebody listens on stays, and so does anything that is no socket.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is not a socket")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return errors.New("another daemon listens there")
	}
	return os.Remove(path)
}
