package apiserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/apiserver"
	"github.com/bulkhead-os/bulkhead/sources/apply"
)

// asDaemon makes the test program the daemon: real processes with real
// signals, without building anything first.
const asDaemon = "BULKHEAD_TEST_DAEMON"

// asApply is the value of asDaemon that makes it the apply service instead.
const asApply = "apply"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("LISTEN_FDS") != "" { // the parent cannot know the number of a child yet to be
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	cmd := apiserver.Command()
	if os.Getenv(asDaemon) == asApply {
		cmd = apply.Command()
	}
	err := cmd.ExecuteContext(ctx)
	stop()
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, cmd.Name()+":", err)
	if coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		os.Exit(coder.ExitCode())
	}
	os.Exit(1)
}

// A process is a daemon that was started.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	socket string
	stderr *output
	client *http.Client
	end    func() error // waits
}

// An output is what a process writes, readable meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// launch starts a daemon with args and does not wait for it. Change may change
// the command.
func launch(t testing.TB, socket string, change func(*exec.Cmd), args ...string) *process {
	t.Helper()
	p := &process{t: t, socket: socket, stderr: new(output), cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), asDaemon+"=1", "NOTIFY_SOCKET=", "LISTEN_FDS=")
	p.cmd.Stderr = p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if change != nil {
		change(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.end = sync.OnceValue(p.cmd.Wait)
	p.client = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		_ = p.cmd.Process.Kill() // it may have ended
		_ = p.end()
		if t.Failed() {
			t.Logf("log of the daemon:\n%s", p.stderr)
		}
	})
	return p
}

// start starts a daemon in dir and waits until it answers.
func start(t testing.TB, dir string, args ...string) *process {
	t.Helper()
	socket := filepath.Join(dir, "api.sock")
	p := launch(t, socket, nil, append([]string{"--root", dir, "--socket", socket, "--variant", "qemu-dev"}, args...)...)
	p.ready()
	return p
}

// ready waits until the daemon answers.
func (p *process) ready() {
	p.t.Helper()
	within(p.t, "answer of the daemon", func() bool {
		_, _, err := p.try("GET", "/health", "")
		return err == nil
	})
}

func (p *process) try(method, target, body string) (status int, answer string, err error) {
	req, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func (p *process) must(method, target, body string) string {
	p.t.Helper()
	status, answer, err := p.try(method, target, body)
	if err != nil || status >= 300 {
		p.t.Fatalf("%s %s %s: %d %s, %v", method, target, body, status, answer, err)
	}
	return answer
}

func (p *process) set(body string) {
	p.t.Helper()
	p.must("PATCH", "/settings", body)
	p.must("POST", "/tx/commit", "")
}

// motd reads one setting.
func (p *process) motd() string {
	p.t.Helper()
	var v struct{ Motd string }
	if err := json.Unmarshal([]byte(p.must("GET", "/settings?keys=motd", "")), &v); err != nil {
		p.t.Fatal(err)
	}
	return v.Motd
}

// stop ends the daemon and returns its exit status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.status()
}

func (p *process) status() int {
	p.t.Helper()
	timer := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.end() // the status says it all
	return p.cmd.ProcessState.ExitCode()
}

// within polls until ok, for at most 20 seconds.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: not within 20 seconds", what)
		}
	}
}
