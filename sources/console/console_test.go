package console

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// A node is a root with the files that the program reads.
type node struct {
	t      *testing.T
	opt    options
	health string // what the API answers
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, opt: options{root: t.TempDir(), socket: filepath.Join(t.TempDir(), "s")}}
	n.write("usr/lib/os-release", "VERSION_ID=1.2.3\nVARIANT_ID=qemu-dev\n")
	n.write("sys/class/tty/console/active", "tty0 ttyS0\n")
	n.write("proc/sys/kernel/random/boot_id", "6a3e\n")
	n.write("dev/ttyS0", "")
	n.write("run/nothing", "")
	return n
}

func (n *node) write(name, text string) {
	n.t.Helper()
	path := filepath.Join(n.opt.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) read(name string) string {
	n.t.Helper()
	data, err := os.ReadFile(filepath.Join(n.opt.root, name))
	if err != nil {
		n.t.Fatal(err)
	}
	return string(data)
}

// serve makes an API answer with n.health.
func (n *node) serve() {
	n.t.Helper()
	l, err := net.Listen("unix", n.opt.socket)
	if err != nil {
		n.t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(n.health))
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ends with the server
	}()
	n.t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// shown runs the program and returns what is new on the console.
func (n *node) shown() string {
	n.t.Helper()
	before := n.read("dev/ttyS0")
	if err := n.opt.run(context.Background()); err != nil {
		n.t.Fatal(err)
	}
	// The file stands for a terminal, and is written to from its start.
	after := n.read("dev/ttyS0")
	if after == before {
		return ""
	}
	n.write("dev/ttyS0", "")
	return after
}

func TestShow(t *testing.T) {
	n := newNode(t)
	n.serve()
	n.health = `{"status":"ok"}`
	const ready = "\nbulkhead 1.2.3 (qemu-dev) is ready\n"
	if got := n.shown(); !strings.HasPrefix(got, ready) {
		t.Errorf("first show: %q, want %q", got, ready)
	}
	if got := n.shown(); got != "" {
		t.Errorf("second show: %q, want nothing, since nothing has changed", got)
	}
	n.health = `{"status":"degraded","faults":[{"severity":"error","code":"x","detail":"no room"}]}`
	if got := n.shown(); !strings.Contains(got, "is degraded: no room\n") {
		t.Errorf("show of a fault: %q, want it in the first line", got)
	}
	n.write("run/bulkhead/apiserver/remote.json", `{"listen":["[::]:8443"],"fingerprint":"abc"}`)
	if got := n.shown(); !strings.Contains(got, "https on [::]:8443\n") || !strings.Contains(got, "abc\n") {
		t.Errorf("show with a remote API: %q, want where it is and its fingerprint", got)
	}
}

// When the API is silent, what programs have reported is still shown.
func TestShowWithoutAPI(t *testing.T) {
	n := newNode(t)
	err := healthfile.WriteTo(filepath.Join(n.opt.root, healthfile.Dir), "storage", []report.Fault{{Severity: report.Error, Code: "private-lost", Detail: "PRIVATE is gone"}})
	if err != nil {
		t.Fatal(err)
	}
	got := n.shown()
	for _, want := range []string{"is degraded: the settings API does not answer\n", "no such file or directory\n", "storage: PRIVATE is gone\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("show: %q, want %q in it", got, want)
		}
	}
}

func TestBooted(t *testing.T) {
	n := newNode(t)
	n.opt.booted = true
	n.shown()
	var b struct {
		ID      string `json:"boot_id"`
		Seconds float64
	}
	if err := json.Unmarshal([]byte(n.read(bootFile)), &b); err != nil || b.ID != "6a3e" || b.Seconds <= 0 {
		t.Errorf("%s: %+v, %v, want the boot 6a3e and some seconds", bootFile, b, err)
	}
}

// Without any of the consoles that the kernel names, /dev/console has to do.
func TestConsoles(t *testing.T) {
	n := newNode(t)
	if err := os.Remove(filepath.Join(n.opt.root, "dev/ttyS0")); err != nil {
		t.Fatal(err)
	}
	if err := n.opt.run(t.Context()); err == nil || !strings.Contains(err.Error(), "dev/console") {
		t.Errorf("run without a console: %v, want an error about it", err)
	}
	n.write("dev/console", "")
	if err := n.opt.run(t.Context()); err != nil || !strings.Contains(n.read("dev/console"), "bulkhead 1.2.3") {
		t.Errorf("run with /dev/console: %v, %q, want the status there", err, n.read("dev/console"))
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"now"}, {"--loud"}} {
		cmd := Command()
		cmd.SetArgs(args)
		err := cmd.Execute()
		coder, ok := err.(interface{ ExitCode() int })
		if !ok || coder.ExitCode() != 2 {
			t.Errorf("console-status %q: %v, want a misuse", args, err)
		}
	}
}
