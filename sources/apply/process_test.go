package apply

import (
	"bufio"
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

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
)

const (
	// asProgram makes the test program apply: real processes with real signals,
	// without building anything first.
	asProgram = "BULKHEAD_TEST_APPLY"
	// killAt is the number of the step at which it is killed.
	killAt = "BULKHEAD_TEST_KILL_AT"
)

func TestMain(m *testing.M) {
	nsboot.Enter()
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("LISTEN_FDS") != "" && os.Getenv("LISTEN_PID") == "" { // the parent cannot know the number of a child yet to be
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := command(killer(os.Getenv(killAt))).ExecuteContext(ctx)
	stop()
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "apply:", err)
	if coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		os.Exit(coder.ExitCode())
	}
	os.Exit(1)
}

// killer returns a function that kills the process at its nth call.
func killer(n string) func(string) {
	left, err := strconv.Atoi(n)
	if err != nil {
		return func(string) {}
	}
	var mu sync.Mutex
	return func(string) {
		mu.Lock()
		defer mu.Unlock()
		left--
		if left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// A process is a program that was started.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	socket string
	stderr *output
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

// launch starts the program for root and does not wait for it. Change may
// change the command.
func launch(t testing.TB, root, image string, change func(*exec.Cmd), args ...string) *process {
	t.Helper()
	socket := filepath.Join(root, "apply.sock")
	args = append([]string{"--root", root, "--image", image, "--socket", socket, "--units", "record"}, args...)
	p := &process{t: t, socket: socket, stderr: new(output), cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "LISTEN_FDS=")
	p.cmd.Stderr = p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if change != nil {
		change(p.cmd)
	}
	must(t, p.cmd.Start())
	p.end = sync.OnceValue(p.cmd.Wait)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		_ = p.end()
		if t.Failed() {
			t.Logf("log of the program:\n%s", p.stderr)
		}
	})
	return p
}

// start starts the program and waits until its socket is there.
func start(t testing.TB, root, image string, args ...string) *process {
	t.Helper()
	p := launch(t, root, image, nil, args...)
	within(t, "socket", func() bool {
		c, err := net.Dial("unix", p.socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// post sends a body and returns the answer.
func post(socket, path, body string) (*http.Response, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	return client.Post("http://apply"+path, "application/json", strings.NewReader(body))
}

// request returns the body of a request.
func request(generation uint64, settings string) string {
	return fmt.Sprintf(`{"generation": %d, "os": {"variant": "demo", "arch": "x86_64", "version": "1", "pretty": "", "build": ""}, "settings": %s}`, generation, settings)
}

// try applies settings and returns what was told before the result.
func try(socket string, generation uint64, settings string) (items []applier.Item, res applier.Result, err error) {
	return exchange(socket, request(generation, settings))
}

// exchange sends the body of a request and returns what is told of it.
func exchange(socket, body string) (items []applier.Item, res applier.Result, err error) {
	answer, err := post(socket, "/apply", body)
	if err != nil {
		return nil, res, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return nil, res, fmt.Errorf("status %d: %s", answer.StatusCode, text)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var item applier.Item
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			return items, res, err
		}
		if item.Result != nil {
			return items, *item.Result, nil
		}
		items = append(items, item)
	}
	return items, res, errors.Join(lines.Err(), errors.New("the answer has no result"))
}

func (p *process) apply(generation uint64, settings string) applier.Result {
	p.t.Helper()
	_, res, err := try(p.socket, generation, settings)
	if err != nil {
		p.t.Fatalf("apply of %s: %v", settings, err)
	}
	return res
}

// status waits for the end of the program and returns its exit status.
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
