package apiserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
)

func TestFirstStart(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	p.set(`{"motd":"x"}`)
	for path, want := range map[string]fs.FileMode{
		"api.sock":                         fs.ModeSocket | 0o660,
		"var/lib/bulkhead/settings":        fs.ModeDir | 0o700,
		"var/lib/bulkhead/audit":           fs.ModeDir | 0o700,
		"var/lib/bulkhead/audit/audit.log": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	var sections struct {
		OS struct {
			VariantID string `json:"variant_id"`
			VersionID string `json:"version_id"`
			Arch      string
		}
	}
	if err := json.Unmarshal([]byte(p.must("GET", "/", "")), &sections); err != nil {
		t.Fatal(err)
	}
	if o := sections.OS; o.VariantID != "qemu-dev" || o.VersionID != "0.0.0" || o.Arch == "" {
		t.Errorf("os: %+v, want that of qemu-dev 0.0.0", o)
	}
	if got := p.stop(); got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
	if _, err := os.Lstat(p.socket); !os.IsNotExist(err) {
		t.Errorf("the socket is still there after the end: %v", err)
	}
	plain, err := os.ReadFile(filepath.Join(dir, "var/lib/bulkhead/settings/settings.toml"))
	if err != nil || !strings.Contains(string(plain), `motd = "x"`) {
		t.Errorf("plain copy after the end: %s, %v", plain, err)
	}
	if got := start(t, dir).motd(); got != "x" {
		t.Errorf("motd after a restart: %q, want x", got)
	}
}

// What the daemon did about its settings before anyone could listen is told to
// those who ask for all events.
func TestEventsOfTheStart(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	p.set(`{"motd":"x"}`)
	p.stop()
	write(t, filepath.Join(dir, "var/lib/bulkhead/settings/settings.db"), "damaged")
	p = start(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	stream, err := client.New(p.socket).Events(ctx, client.EventsRequest{All: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for _, want := range []string{client.Reset, "recovered"} {
		if got, err := stream.Next(ctx); got.Kind != want || err != nil {
			t.Errorf("Next() = %+v, %v, want an event %s", got, err, want)
		}
	}
	if got := p.motd(); got != "x" {
		t.Errorf("motd after the recovery: %q, want x", got)
	}
}

func TestMisuse(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "api.sock")
	base := []string{"--root", dir, "--socket", socket}
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"no variant", base, 2, "no variant is given, and there is no image that names one: give --variant"},
		{"unknown variant", append(base, "--variant", "qemu-doom"), 2, `there is no variant "qemu-doom", want one of aws-dev, `},
		{"unknown flag", append(base, "--speed", "1"), 2, "unknown flag: --speed"},
		{"argument", append(base, "--variant", "qemu-dev", "now"), 2, `argument "now" is not expected`},
		{"log level", append(base, "--variant", "qemu-dev", "--log-level", "loud"), 2, `log level "loud" is not known, want debug, info, warn or error`},
		{"no generation to keep", append(base, "--variant", "qemu-dev", "--retain", "0"), 2, "--retain 0 is not acceptable, want 1 or more"},
		{"negative number of generations", append(base, "--variant", "qemu-dev", "--retain=-1"), 2, "--retain -1 is not acceptable, want 1 or more"},
		{"image without os-release", append(base, "--variant", "qemu-dev", "--image", dir), 1, "read os-release: "},
		{"file in the place of the socket", []string{"--root", dir, "--variant", "qemu-dev", "--socket", os.Args[0]}, 1, "there is a file that is not a socket"},
		{"long path", []string{"--root", dir, "--variant", "qemu-dev", "--socket", filepath.Join(dir, strings.Repeat("x", 100))}, 1, "bytes, want at most 107"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := launch(t, socket, nil, tt.args...)
			if got := p.status(); got != tt.status || !strings.Contains(p.stderr.String(), tt.want) {
				t.Errorf("apiserver %q: status %d, %s, want %d, %q", tt.args, got, p.stderr, tt.status, tt.want)
			}
		})
	}
}

func TestImage(t *testing.T) {
	dir, image := t.TempDir(), t.TempDir()
	write(t, filepath.Join(image, "usr/lib/os-release"), "VARIANT_ID=tiny\nVERSION_ID=1.2.3\nBUILD_ID=abc\nPRETTY_NAME=Tiny\n")
	write(t, filepath.Join(image, "usr/share/bulkhead/variants/tiny.toml"),
		"[variant]\nname = 'tiny'\nplatform = 'qemu'\nruntime = 'dev'\narch = ['x86_64']\nsummary = 'small'\nsettings = ['motd']\n[defaults]\nmotd = 'from the image'\n")
	socket := filepath.Join(dir, "api.sock")
	p := launch(t, socket, nil, "--root", dir, "--socket", socket, "--image", image)
	p.ready()
	want := `{"settings":{"motd":"from the image"},"os":{"variant_id":"tiny","arch":"x86_64","version_id":"1.2.3","pretty_name":"Tiny","build_id":"abc"}}`
	if got := p.must("GET", "/", ""); got != want {
		t.Errorf("GET /: %s, want %s", got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSecondDaemon(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	same := launch(t, p.socket, nil, "--root", dir, "--socket", filepath.Join(dir, "other.sock"), "--variant", "qemu-dev")
	if got := same.status(); got != 1 || !strings.Contains(same.stderr.String(), "in use by another process") {
		t.Errorf("second daemon on the same root: status %d, %s", got, same.stderr)
	}
	other := launch(t, p.socket, nil, "--root", t.TempDir(), "--socket", p.socket, "--variant", "qemu-dev")
	if got := other.status(); got != 1 || !strings.Contains(other.stderr.String(), "another program listens there") {
		t.Errorf("second daemon on the same socket: status %d, %s", got, other.stderr)
	}
	p.must("GET", "/health", "")
}

// The socket that a killed daemon leaves behind is in nobody's way.
func TestStaleSocket(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	p.set(`{"motd":"kept"}`)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.status()
	if info, err := os.Lstat(p.socket); err != nil || info.Mode().Type() != fs.ModeSocket {
		t.Fatalf("socket after the kill: %v, %v", info, err)
	}
	if got := start(t, dir).motd(); got != "kept" {
		t.Errorf("motd after the kill: %q, want kept", got)
	}
}

// manager listens where a service manager would be told.
func manager(t *testing.T) (path string, next func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return path, func() string {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1024)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("wait for the daemon's word: %v", err)
		}
		return string(buf[:n])
	}
}

// The service manager is told when connections are accepted, not before, and
// when the daemon is about to end.
func TestNotify(t *testing.T) {
	path, next := manager(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "api.sock")
	p := launch(t, socket, func(c *exec.Cmd) { c.Env = append(c.Env, "NOTIFY_SOCKET="+path) },
		"--root", dir, "--socket", socket, "--variant", "qemu-dev")
	if got := next(); got != "READY=1" {
		t.Fatalf("first word %q, want READY=1", got)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("socket when ready: %v, %v, want mode 0660", info, err)
	}
	p.must("GET", "/health", "") // at once, without waiting
	if got := p.stop(); got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
	if got := next(); got != "STOPPING=1" {
		t.Errorf("last word %q, want STOPPING=1", got)
	}
}

// A socket handed over by the service manager is used, and left alone.
func TestSocketActivation(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "handed.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := launch(t, socket, func(c *exec.Cmd) {
		c.ExtraFiles = []*os.File{file}
		c.Env = append(c.Env, "LISTEN_FDS=1")
	}, "--root", dir, "--socket", filepath.Join(dir, "unused.sock"), "--variant", "qemu-dev")
	p.ready() // connections wait in the socket from the start
	if _, err := os.Lstat(filepath.Join(dir, "unused.sock")); !os.IsNotExist(err) {
		t.Errorf("a socket was made as well: %v", err)
	}
	p.client.CloseIdleConnections()
	if got := p.stop(); got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
	if _, err := os.Lstat(socket); err != nil {
		t.Errorf("the socket handed over was removed: %v", err)
	}
}

// A request under way when the daemon is told to end is finished; new
// connections are not taken.
func TestGracefulStop(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	c, err := net.Dial("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := `{"motd":"late"}`
	head := fmt.Sprintf("PATCH /settings?tx=late HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	// The handler is reading when it asks for the body.
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("first line %q, %v, want 100 Continue", line, err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() { ended <- p.stop() }()
	within(t, "end of listening", func() bool {
		other, err := net.Dial("unix", p.socket)
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(c, body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatalf("answer to the request under way: %v, %v, want 204", res, err)
	}
	res.Body.Close()
	if got := <-ended; got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
	if got := start(t, dir).must("GET", "/tx?tx=late", ""); got != body {
		t.Errorf("pending after the restart: %s, want %s", got, body)
	}
}

// The daemon is ready within a tenth of a second on a machine that has nothing
// else to do; here only the order of magnitude is asserted.
func TestReadyWithHistory(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	for i := range 200 {
		p.set(fmt.Sprintf(`{"motd":"%d"}`, i))
	}
	p.stop()
	begin := time.Now()
	p = start(t, dir)
	t.Logf("ready after %v with 200 generations", time.Since(begin).Round(time.Millisecond))
	var list []struct{ ID uint64 }
	if err := json.Unmarshal([]byte(p.must("GET", "/generations?limit=1000", "")), &list); err != nil || len(list) != 200 {
		t.Errorf("history has %d generations, %v, want 200", len(list), err)
	}
}
