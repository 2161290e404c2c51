// Package activation starts a program when somebody connects to its socket, as
// systemd does with a socket unit.
//
// The program takes the listening socket over, answers, and ends by itself when
// nobody needs it. Between two runs nothing of it is in memory, and connections
// made meanwhile are not lost: they wait in the socket.
package activation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// maxPath is the longest path the kernel takes for a socket.
const maxPath = 107

// A Socket is a socket with the program that serves it.
type Socket struct {
	listener *net.UnixListener
	file     *os.File // the listener, for the program
	log      io.Writer
	args     []string
	running  atomic.Bool
}

// Listen makes the socket at path, for this user only. The program is args,
// which must begin with a command that calls Become: only the process itself can
// say which process the socket is meant for.
func Listen(path string, args []string, log io.Writer) (*Socket, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("socket %s: the path has %d bytes, want at most %d: choose a shorter directory", path, len(path), maxPath)
	}
	old := syscall.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	f, err := l.File()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Socket{listener: l, file: f, log: log, args: args}, nil
}

// Running reports whether the program runs.
func (s *Socket) Running() bool { return s.running.Load() }

// Close removes the socket.
func (s *Socket) Close() error { return errors.Join(s.file.Close(), s.listener.Close()) }

// Serve starts the program whenever a connection waits and it does not run,
// until ctx ends. The program ends when this one dies.
func (s *Socket) Serve(ctx context.Context) error {
	for {
		if err := s.wait(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		err := s.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprintln(s.log, err)
			// Whoever waits is told by the end of the connection. Without this the
			// program would be started for it over and over.
			if err := s.refuse(); err != nil {
				return err
			}
		}
	}
}

// wait waits for a connection, which it leaves in the socket.
func (s *Socket) wait(ctx context.Context) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	wake := context.AfterFunc(ctx, func() { w.Close() })
	defer func() {
		if wake() {
			w.Close()
		}
	}()
	fds := []unix.PollFd{{Fd: int32(s.file.Fd()), Events: unix.POLLIN}, {Fd: int32(r.Fd())}}
	for {
		if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (s *Socket) run(ctx context.Context) error {
	s.running.Store(true)
	defer s.running.Store(false)
	return run.Command{
		Args: s.args, Env: []string{"LISTEN_FDS=1"}, Stderr: s.log, Files: []*os.File{s.file}, Apart: true, Bound: true,
	}.Run(ctx)
}

// refuse closes a connection that waits, if one does.
func (s *Socket) refuse() error {
	fds := []unix.PollFd{{Fd: int32(s.file.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 0); n == 0 || err != nil {
		return err // the program has accepted it
	}
	fd, _, err := unix.Accept4(int(s.file.Fd()), unix.SOCK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("refuse a connection: %w", err)
	}
	return unix.Close(fd)
}

// Become turns this process into the program args, and tells it that the sockets
// it was given are meant for it. It returns only when that fails.
func Become(args []string) error {
	if err := os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	if err := syscall.Exec(args[0], args, os.Environ()); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}
