package apiserver_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// By the socket for readers, whoever connects reads and no more: here the user
// who is admin by the other.
func TestReadSocket(t *testing.T) {
	dir := t.TempDir()
	read := filepath.Join(dir, "api-read.sock")
	p := start(t, dir, "--read-socket", read)
	if info, err := os.Stat(read); err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("socket for readers: %v, %v, want mode 0660", info, err)
	}
	checkReadOnly(t, p, read)
}

func checkReadOnly(t *testing.T, p *process, socket string) {
	t.Helper()
	reader := *p
	reader.client = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	defer reader.client.CloseIdleConnections()
	tests := []struct {
		method, target, body string
		admin, reader        int
	}{
		{"GET", "/settings", "", 200, 200},
		{"GET", "/settings?secrets=show", "", 200, 403},
		{"PATCH", "/settings", `{"motd":"x"}`, 204, 403},
		{"PATCH", "/settings?layer=generated", `{"motd":"x"}`, 204, 403},
	}
	for _, tt := range tests {
		for who, want := range map[*process]int{p: tt.admin, &reader: tt.reader} {
			if got, answer, err := who.try(tt.method, tt.target, tt.body); got != want || err != nil {
				t.Errorf("%s %s, by the socket for readers %t: %d %s, %v, want %d", tt.method, tt.target, who == &reader, got, answer, err, want)
			}
		}
	}
}

// Who is in the readers' group alone reads by the readers' socket, and cannot
// connect to the other.
func TestReadersGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	const readers = 4242
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	read := filepath.Join(dir, "api-read.sock")
	p := start(t, dir, "--read-socket", read, "--read-socket-gid", strconv.Itoa(readers))
	tests := []struct {
		name, socket   string
		groups         []uint32
		method, target string
		want           int // 0: cannot connect
	}{
		{"a reader", read, []uint32{readers}, "GET", "/settings", 200},
		{"a reader who writes", read, []uint32{readers}, "PATCH", "/settings", 403},
		{"a reader by the other socket", p.socket, []uint32{readers}, "GET", "/settings", 0},
		{"somebody else", read, nil, "GET", "/settings", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var refused error
			caller := *p
			caller.client = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (c net.Conn, err error) {
				c, refused = dialAs(tt.socket, 65534, tt.groups)
				return c, refused
			}}}
			defer caller.client.CloseIdleConnections()
			got, answer, err := caller.try(tt.method, tt.target, `{"motd":"x"}`)
			if got != tt.want || (tt.want == 0) != errors.Is(refused, fs.ErrPermission) {
				t.Errorf("%s %s: %d %s, %v, want %d, or no permission to connect for 0", tt.method, tt.target, got, answer, err, tt.want)
			}
		})
	}
}

// dialAs connects as a user with its own group and others. To the kernel users
// are those of threads; the thread that becomes another ends with its goroutine.
func dialAs(socket string, id uintptr, groups []uint32) (net.Conn, error) {
	type result struct {
		c   net.Conn
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0)
		for _, call := range []uintptr{syscall.SYS_SETRESGID, syscall.SYS_SETRESUID} {
			if errno == 0 {
				_, _, errno = syscall.RawSyscall(call, id, id, id)
			}
		}
		if errno != 0 {
			done <- result{err: fmt.Errorf("become user %d: %w", id, errno)}
			return
		}
		c, err := net.Dial("unix", socket)
		done <- result{c, err}
	}()
	r := <-done
	return r.c, r.err
}

// The service manager hands over both sockets, in any order, and tells them
// apart by their names.
func TestReadSocketActivation(t *testing.T) {
	dir := t.TempDir()
	api, read := filepath.Join(dir, "a.sock"), filepath.Join(dir, "r.sock")
	files := []*os.File{listening(t, read), listening(t, api)}
	p := launch(t, api, func(c *exec.Cmd) {
		c.ExtraFiles = files
		c.Env = append(c.Env, "LISTEN_FDS=2", "LISTEN_FDNAMES=api-read:apiserver.socket")
	}, "--root", dir, "--socket", filepath.Join(dir, "unused.sock"), "--read-socket", filepath.Join(dir, "unused.sock"), "--variant", "qemu-dev")
	p.ready()
	checkReadOnly(t, p, read)
	if _, err := os.Lstat(filepath.Join(dir, "unused.sock")); !os.IsNotExist(err) {
		t.Errorf("a socket was made as well: %v", err)
	}
}

// Sockets that cannot be told apart are not served.
func TestUnknownSockets(t *testing.T) {
	tests := []struct{ names, want string }{
		{"a:b", "got 2 sockets, want one stream socket of the Unix family and perhaps one called api-read"},
		{"api-read:api-read", "got 2 sockets, want one stream socket of the Unix family and perhaps one called api-read"},
		{"api-read", "got the one for readers alone"},
	}
	for _, tt := range tests {
		t.Run(tt.names, func(t *testing.T) {
			dir := t.TempDir()
			var files []*os.File
			for i := range strings.Split(tt.names, ":") {
				files = append(files, listening(t, filepath.Join(dir, strconv.Itoa(i))))
			}
			p := launch(t, "", func(c *exec.Cmd) {
				c.ExtraFiles = files
				c.Env = append(c.Env, fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+tt.names)
			}, "--root", dir, "--variant", "qemu-dev")
			if got := p.status(); got != 1 || !strings.Contains(p.stderr.String(), tt.want) {
				t.Errorf("sockets called %s: status %d, %s, want 1, %q", tt.names, got, p.stderr, tt.want)
			}
		})
	}
}

// listening returns a socket at path to be handed over.
func listening(t *testing.T, path string) *os.File {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(file.Close(), l.Close()); err != nil {
			t.Error(err)
		}
	})
	return file
}
