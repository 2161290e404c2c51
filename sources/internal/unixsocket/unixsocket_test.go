package unixsocket_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
)

var own = unixsocket.Access{User: -1, Group: -1, Mode: 0o600}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub/x.sock")
	l, err := unixsocket.Listen(path, own)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the socket %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := unixsocket.Listen(path, own); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("Listen where somebody listens: %v, want that another program does", err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := unixsocket.Listen(path, own)
	if err != nil {
		t.Fatalf("Listen in the place of a stale socket: %v", err)
	}
	defer again.Close()
	checkPeer(t, again, path)
}

func checkPeer(t *testing.T, l *net.UnixListener, path string) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if uid, err := unixsocket.PeerUID(server); err != nil || int(uid) != os.Geteuid() {
		t.Errorf("PeerUID: %d, %v, want %d", uid, err, os.Geteuid())
	}
}

func TestListenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"a file", file, "there is a file that is not a socket"},
		{"a long path", "/" + strings.Repeat("x", 107), "the path has 108 bytes, want at most 107"},
		{"below a file", file + "/x", "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := unixsocket.Listen(tt.path, own); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Listen(%q): %v, want %q in it", tt.path, err, tt.want)
			}
		})
	}
}
