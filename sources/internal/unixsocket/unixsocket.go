// Package unixsocket gives programs of the host the socket that they serve.
package unixsocket

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
	"golang.org/x/sys/unix"
)

// maxPath is the longest path that fits into a socket address.
const maxPath = 107

// Given returns the socket that the service manager has handed over, or nil when
// it has not.
func Given() (*net.UnixListener, error) {
	l, _, err := GivenWith("")
	return l, err
}

// GivenWith returns the sockets that the service manager has handed over: the
// one that it calls name, and the one that has another name. Those it has not
// handed over are nil. An empty name is that of no socket.
func GivenWith(name string) (main, named *net.UnixListener, err error) {
	given, err := activation.ListenersWithNames()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the socket: %w", err)
	}
	for as, listeners := range given {
		for _, l := range listeners {
			to := &main
			if name != "" && as == name {
				to = &named
			}
			u, ok := l.(*net.UnixListener)
			if !ok || *to != nil {
				return nil, nil, fmt.Errorf("take over the socket: got %s, want one stream socket of the Unix family%s", counted(given), besides(name))
			}
			*to = u
		}
	}
	return main, named, nil
}

func counted(given map[string][]net.Listener) string {
	n := 0
	for _, listeners := range given {
		n += len(listeners)
	}
	return fmt.Sprintf("%d sockets", n)
}

func besides(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" and perhaps one called %s", name)
}

// An Access says who may connect to a socket.
type Access struct {
	User  int         // -1: this process's
	Group int         // -1: this process's
	Mode  fs.FileMode // 0600 while the socket is made
}

// Listen makes a socket at path. One that a killed program left behind is
// replaced. Until it has its owner and mode only this process's user can
// connect.
func Listen(path string, access Access) (*net.UnixListener, error) {
	l, err := bind(path)
	if err == nil {
		if err = access.give(path); err != nil {
			err = errors.Join(err, l.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return l, nil
}

func (a Access) give(path string) error {
	if a.User >= 0 || a.Group >= 0 {
		if err := os.Chown(path, a.User, a.Group); err != nil {
			return err
		}
	}
	return os.Chmod(path, a.Mode)
}

func bind(path string) (*net.UnixListener, error) {
	if n := len(path); n > maxPath {
		return nil, fmt.Errorf("the path has %d bytes, want at most %d", n, maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The umask decides the mode that a socket is born with.
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

// removeStale removes a socket at path on which nobody listens.
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
		return errors.New("another program listens there")
	}
	return os.Remove(path)
}

// PeerUID returns the user at the other end of c.
func PeerUID(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("credentials of the peer: %w", err)
	}
	var cred *unix.Ucred
	var fault error
	err = raw.Control(func(fd uintptr) {
		cred, fault = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, fault); err != nil {
		return 0, fmt.Errorf("credentials of the peer: %w", err)
	}
	return cred.Uid, nil
}
