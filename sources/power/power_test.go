package power

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/sources/apiserver"
	"github.com/bulkhead-os/bulkhead/sources/internal/nodereset"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// asProgram makes the test program the power program, or with the value
// asDaemon the settings daemon.
const (
	asProgram = "BULKHEAD_TEST_POWER"
	asDaemon  = "apiserver"
)

func TestMain(m *testing.M) {
	nsboot.Enter()
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	cmd := Command()
	if os.Getenv(asProgram) == asDaemon {
		cmd = apiserver.Command()
	}
	err := cmd.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, cmd.Name()+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A fakeManager notes what it is asked for.
type fakeManager struct {
	notReady, noStart error

	mu    sync.Mutex
	asked []string
}

func (f *fakeManager) note(what, target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what+" "+target)
}

func (f *fakeManager) Ready(_ context.Context, target string) error {
	f.note("ready", target)
	return f.notReady
}

func (f *fakeManager) Start(_ context.Context, target string) error {
	f.note("start", target)
	return f.noStart
}

func (f *fakeManager) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// run runs a server and returns its socket, its log, and how it ends.
func run(t *testing.T, m manager, idle time.Duration) (socket string, log *bytes.Buffer, ended func() error) {
	t.Helper()
	return runWith(t, server{manager: m}, idle)
}

func runWith(t *testing.T, s server, idle time.Duration) (socket string, log *bytes.Buffer, ended func() error) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "power.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	log = new(bytes.Buffer)
	s.log, s.idle = slog.New(slog.NewTextHandler(log, nil)), idle
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx, l) }()
	ended = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := ended(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return socket, log, ended
}

func TestRequests(t *testing.T) {
	tests := []struct {
		name    string
		manager fakeManager
		action  power.Action
		refused string // by the first answer
		failed  string // as the second says
		asked   []string
	}{
		{name: "reboot", action: power.Reboot, asked: []string{"ready reboot.target", "start reboot.target"}},
		{name: "shutdown", action: power.Shutdown, asked: []string{"ready poweroff.target", "start poweroff.target"}},
		{
			name: "not ready", manager: fakeManager{notReady: errors.New("the node is ending already")}, action: power.Reboot,
			refused: "ask for a reboot: the power service refuses: the node is ending already", asked: []string{"ready reboot.target"},
		},
		{
			name: "not started", manager: fakeManager{noStart: errors.New("start reboot.target: no")}, action: power.Reboot,
			failed: "go ahead with a reboot: the power service refuses: start reboot.target: no", asked: []string{"ready reboot.target", "start reboot.target"},
		},
		{name: "unknown", action: "explode", refused: `ask for a explode: the power service refuses: action "explode" is not known, want reboot, shutdown, reset or reset-settings`},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			socket, _, _ := run(t, &tt.manager, time.Minute)
			carry, err := power.New(socket).Prepare(t.Context(), tt.action, "by a test")
			if diff := cmp.Diff(tt.refused, text(err)); diff != "" {
				t.Fatalf("Prepare(%s): error (-want +got):\n%s", tt.action, diff)
			}
			if err == nil {
				if diff := cmp.Diff(tt.failed, text(carry())); diff != "" {
					t.Errorf("go ahead: error (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(tt.asked, tt.manager.seen()); diff != "" {
				t.Errorf("what systemd was asked (-want +got):\n%s", diff)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A reset leaves a mark that the next boot finds, unless there is to be none.
func TestReset(t *testing.T) {
	memory := "/dev/shm" // as where PRIVATE is lost
	tests := []struct {
		name    string
		manager fakeManager
		action  power.Action
		private string
		refused string
		failed  string
		want    *nodereset.Mark
	}{
		{name: "all", action: power.Reset, want: &nodereset.Mark{Reason: "by a test"}},
		{name: "settings", action: power.ResetSettings, want: &nodereset.Mark{KeepData: true, Reason: "by a test"}},
		{name: "reboot", action: power.Reboot},
		{
			name: "no reboot to come", manager: fakeManager{noStart: errors.New("no")}, action: power.Reset,
			failed: "go ahead with a reset: the power service refuses: no",
		},
		{
			name: "nothing is kept", action: power.Reset, private: memory,
			refused: "ask for a reset: the power service refuses: the node cannot be reset: it has lost its partition PRIVATE, and keeps nothing; write the image to the disk again",
		},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			private := t.TempDir()
			dir, err := os.OpenRoot(private)
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			socket, _, ended := runWith(t, server{manager: &tt.manager, private: stdcmp.Or(tt.private, private)}, time.Minute)
			carry, err := power.New(socket).Prepare(t.Context(), tt.action, "by a test")
			if diff := cmp.Diff(tt.refused, text(err)); diff != "" {
				t.Fatalf("Prepare(%s): error (-want +got):\n%s", tt.action, diff)
			}
			if _, due, err := nodereset.Due(dir); due || err != nil {
				t.Errorf("before the word to go ahead: due %t, %v", due, err)
			}
			if carry != nil {
				if diff := cmp.Diff(tt.failed, text(carry())); diff != "" {
					t.Errorf("go ahead: error (-want +got):\n%s", diff)
				}
			}
			if err := ended(); err != nil {
				t.Fatal(err)
			}
			m, due, err := nodereset.Due(dir)
			m.Time = time.Time{}
			if err != nil || due != (tt.want != nil) || due && m != *tt.want {
				t.Errorf("mark: %+v, %t, %v, want %+v", m, due, err, tt.want)
			}
		})
	}
}

// Whoever goes away, or says something else, has asked for nothing.
func TestTakenBack(t *testing.T) {
	for name, rest := range map[string]string{"gone": "", "no": `{"go":false}` + "\n", "noise": "go!\n"} {
		t.Run(name, func(t *testing.T) {
			m := new(fakeManager)
			socket, log, ended := run(t, m, time.Minute)
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, `{"action":"reboot"}`+"\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, rest); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.UnixConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Fatal(err)
			}
			if err := ended(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"ready reboot.target"}, m.seen()); diff != "" {
				t.Errorf("what systemd was asked (-want +got):\n%s\nlog: %s", diff, log)
			}
		})
	}
}

// The program ends when nobody needs it.
func TestIdle(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := server{manager: new(fakeManager), log: slog.New(slog.DiscardHandler), idle: 10 * time.Millisecond}
	if err := s.serve(t.Context(), l); err != nil {
		t.Errorf("serve: %v, want an end without an error", err)
	}
}

func TestMisuse(t *testing.T) {
	for want, args := range map[string][]string{
		"no socket is handed over: the program is started by the service manager": nil,
		`argument "now" is not expected`:                                          {"now"},
		"unknown flag: --fast":                                                    {"--fast"},
	} {
		cmd := Command()
		cmd.SetArgs(args)
		err := cmd.ExecuteContext(t.Context())
		if !usage.Is(err) || err.Error() != want {
			t.Errorf("power %q: %v, want %q", args, err, want)
		}
	}
}

// users are those that the units want.
var users = map[string]string{
	"/etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\napi:x:274:274::/run/api:/usr/sbin/nologin\n",
	"/etc/group":  "root:x:0:\nsystemd-journal:x:101:\nutmp:x:43:\nnogroup:x:65534:\napi:x:274:\napi-read:x:275:\n",
}

// boot boots a machine with the units of packages/power and packages/apiserver,
// in their sandboxes.
func boot(t *testing.T) *nsboot.Machine {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"/etc/systemd/system/power.service.d/test.conf":     "[Service]\nEnvironment=" + asProgram + "=1\nExecStart=\nExecStart=/opt/program --idle 100ms\n",
		"/etc/systemd/system/apiserver.service.d/test.conf": "[Service]\nEnvironment=" + asProgram + "=" + asDaemon + "\nExecStart=\nExecStart=/opt/program --variant qemu-dev\n",
	}
	maps.Copy(files, users)
	for _, name := range []string{"power/power.service", "power/power.socket", "apiserver/apiserver.service", "apiserver/apiserver.socket"} {
		data, err := os.ReadFile("../../packages/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files["/etc/systemd/system/"+filepath.Base(name)] = string(data)
	}
	m := nsboot.Boot(t, nsboot.Options{Files: files, Binds: map[string]string{"/opt/program": self}, Wants: []string{"power.socket", "apiserver.service"}})
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := m.Command("journalctl", "--no-pager", "--unit=apiserver", "--unit=power", "--lines=50").CombinedOutput()
			t.Logf("the end of the journal:\n%s", out)
		}
	})
	return m
}

// awaitEnd waits until the machine is no more.
func awaitEnd(t *testing.T, m *nsboot.Machine) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !ended(m.PID) {
		if time.Now().After(deadline) {
			t.Fatal("the machine has not ended within a minute")
		}
		<-look.C
	}
}

// With its real units on a real systemd: whoever asks and does not go ahead has
// changed nothing, and whoever does ends the machine.
func TestSystemd(t *testing.T) {
	m := boot(t)
	client := power.New(m.Path("/run/bulkhead/power.sock"))
	running := func(when string) {
		t.Helper()
		if got := strings.TrimSpace(m.Run("systemctl", "is-system-running")); got != "running" {
			t.Errorf("state of the machine %s: %q, want running", when, got)
		}
	}
	if _, err := client.Prepare(t.Context(), "explode", ""); err == nil || !strings.Contains(err.Error(), `"explode" is not known`) {
		t.Errorf("Prepare of something else: %v, want a refusal", err)
	}
	running("after a request that is refused")
	carry, err := client.Prepare(t.Context(), power.Reboot, "by a test")
	if err != nil {
		t.Fatal(err)
	}
	running("before the word to go ahead")
	if err := carry(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, m)
}

// The settings daemon, in its sandbox, shows the journal, tells about the
// machine, and has it ended after its answer.
func TestDaemon(t *testing.T) {
	m := boot(t)
	dial := func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", m.Path("/run/api.sock"))
	}
	transport := &http.Transport{DialContext: dial}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	do := func(method, path string, status int) string {
		t.Helper()
		req, err := http.NewRequest(method, "http://localhost"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != status {
			t.Fatalf("%s %s: %d %s, %v, want %d", method, path, res.StatusCode, body, err, status)
		}
		return string(body)
	}
	if logs := do("GET", "/logs?unit=apiserver.service&boot=0", 200); !strings.Contains(logs, `"identifier":"systemd"`) || !strings.Contains(logs, "msg=ready") {
		t.Errorf("GET /logs: %s, want what systemd and the daemon say about it", logs)
	}
	var facts struct {
		Boot   string `json:"boot_id"`
		Kernel string
		Uptime float64
	}
	if err := json.Unmarshal([]byte(do("GET", "/os", 200)), &facts); err != nil || len(facts.Boot) != 32 || facts.Kernel == "" || facts.Uptime <= 0 {
		t.Errorf("GET /os: %+v, %v, want facts about the machine", facts, err)
	}
	do("POST", "/actions/reboot", 204)
	awaitEnd(t, m)
}

// ended reports whether the process is gone, or waits to be noticed.
func ended(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(rest, "Z")
}
