package apply

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
)

func TestServe(t *testing.T) {
	root := t.TempDir()
	p := start(t, root, demoImage(t, nil))

	answer, err := post(p.socket, "/plan", request(1, everything))
	must(t, err)
	defer answer.Body.Close()
	var planned plan.Plan
	must(t, json.NewDecoder(answer.Body).Decode(&planned))
	if len(planned.Files) != 7 || len(planned.Units) != 4 {
		t.Errorf("POST /plan: %d files and %d units, want 7 and 4", len(planned.Files), len(planned.Units))
	}
	if _, err := os.Stat(filepath.Join(root, "etc")); err == nil {
		t.Error("POST /plan has written files")
	}

	items, res, err := try(p.socket, 1, everything)
	must(t, err)
	if res.Status != applier.OK || res.Generation != 1 || len(items) != 12 {
		t.Errorf("POST /apply: %d items and %s, want 12 and ok", len(items), asJSON(t, res))
	}
	if again := p.apply(2, everything); again.Status != applier.Nothing {
		t.Errorf("POST /apply again: %s, want nothing", again.Status)
	}
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	if got := p.status(); got != 0 {
		t.Errorf("exit status %d after SIGTERM, want 0", got)
	}
}

func TestServeRefuses(t *testing.T) {
	p := start(t, t.TempDir(), demoImage(t, nil))
	tests := []struct {
		name, path, body string
		status           int
		detail           string
	}{
		{"no JSON", "/apply", "{", 400, "unexpected EOF"},
		{"unknown member", "/apply", `{"frob": 1}`, 400, `unknown field`},
		{"two requests", "/plan", request(1, "{}") + "{}", 400, "there is something behind the request"},
		{"unknown setting", "/apply", request(1, `{"frob": 1}`), 400, "frob"},
		{"wrong value", "/plan", request(1, `{"network": {"hostname": "-"}}`), 400, "hostname"},
		{"unknown variant", "/apply", strings.Replace(request(1, `{}`), "demo", "frob", 1), 400, "frob"},
		{"too large", "/apply", strings.Repeat(" ", maxBody+1), 413, "bytes"},
		{"warm for an unknown variant", "/warm", `{"variant": "frob"}`, 400, "frob"},
		{"warm with an unknown member", "/warm", `{"frob": 1}`, 400, "unknown field"},
		{"unknown route", "/frob", "{}", 404, "POST /plan and POST /apply"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, err := post(p.socket, tt.path, tt.body)
			must(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			must(t, err)
			if answer.StatusCode != tt.status || !strings.Contains(string(text), tt.detail) {
				t.Errorf("POST %s: %d %s, want %d with %q", tt.path, answer.StatusCode, text, tt.status, tt.detail)
			}
		})
	}
}

// Others may not make plans, even when they get at the socket.
func TestServeRefusesOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("being somebody else takes root's rights")
	}
	root, err := os.MkdirTemp("", "apply-others-") // that of the test is closed to others
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(root)) })
	must(t, os.Chmod(root, 0o755))
	p := start(t, root, demoImage(t, nil))
	must(t, os.Chmod(p.socket, 0o666))
	var answer *http.Response
	asUser(t, 65534, func() {
		answer, err = post(p.socket, "/plan", request(1, "{}"))
	})
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("POST /plan by nobody: %d, want 403", answer.StatusCode)
	}
}

// asUser calls f, which connects, with the rights of another user. The kernel
// notes those of the thread that connects; all threads have to change.
func asUser(t *testing.T, uid int, f func()) {
	t.Helper()
	must(t, syscall.Setreuid(-1, uid))
	defer func() { must(t, syscall.Setreuid(-1, 0)) }()
	f()
}

// Twenty callers at once, in real time: all are answered, and the newest
// generation is what there is afterwards.
func TestServeManyCallers(t *testing.T) {
	root := t.TempDir()
	p := start(t, root, demoImage(t, nil))
	var work sync.WaitGroup
	for g := range uint64(20) {
		work.Go(func() {
			_, res, err := try(p.socket, g+1, fmt.Sprintf(`{"motd": "%d"}`, g+1))
			if err != nil || res.Generation < g+1 || res.Status == applier.Failed {
				t.Errorf("apply of generation %d: generation %d, %s, %v", g+1, res.Generation, res.Status, err)
			}
		})
	}
	work.Wait()
	got, err := os.ReadFile(filepath.Join(root, "etc/motd"))
	if err != nil || string(got) != "20" {
		t.Errorf("motd has %q, %v, want 20", got, err)
	}
	if n := strings.Count(p.stderr.String(), "msg=applied"); n > 20 || n < 1 {
		t.Errorf("%d applies for twenty requests", n)
	}
}

// activated starts the program with a socket as the service manager does.
func activated(t *testing.T, l *net.UnixListener, root, image string, args ...string) *process {
	t.Helper()
	return launch(t, root, image, func(cmd *exec.Cmd) {
		f, err := l.File()
		must(t, err)
		t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = []*os.File{f}
		cmd.Env = append(cmd.Env, "LISTEN_FDS=1")
	}, args...)
}

// What a program keeps between requests is the image, which cannot change. The
// files and what it remembers of them it looks at each time.
func TestServeLooksAgain(t *testing.T) {
	root, image := t.TempDir(), demoImage(t, nil)
	p := start(t, root, image)
	answer, err := post(p.socket, "/warm", `{"variant": "demo", "arch": "x86_64", "version": "1", "pretty": "", "build": ""}`)
	must(t, err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("POST /warm: %d, want 200", answer.StatusCode)
	}
	must(t, os.RemoveAll(filepath.Join(image, "usr")))
	motd := filepath.Join(root, "etc/motd")
	tests := []struct {
		name    string
		meddle  func()
		status  applier.Status
		changes int
	}{
		{"first", func() {}, applier.OK, 4},
		{"nothing", func() {}, applier.Nothing, 0},
		{"file changed", func() { must(t, os.WriteFile(motd, []byte("b"), 0o644)) }, applier.OK, 1},
		{"file gone", func() { must(t, os.Remove(motd)) }, applier.OK, 1},
		{"mode changed", func() { must(t, os.Chmod(motd, 0o600)) }, applier.OK, 1},
		{"memory gone", func() { must(t, os.Remove(filepath.Join(root, stateDir, stateFile))) }, applier.OK, 4},
		{"memory broken", func() { must(t, os.WriteFile(filepath.Join(root, stateDir, stateFile), []byte("{"), 0o600)) }, applier.OK, 4},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.meddle()
			res := p.apply(uint64(i+1), `{"motd": "a"}`)
			if res.Status != tt.status || len(res.Files) != tt.changes {
				t.Errorf("apply: %s, want %s with %d files", asJSON(t, res), tt.status, tt.changes)
			}
			if got, err := os.ReadFile(motd); err != nil || string(got) != "a" {
				t.Errorf("motd has %q, %v, want a", got, err)
			}
		})
	}
}

// With a socket from the service manager the program ends by itself, and a
// request that comes just then is answered by the next one.
func TestServeActivated(t *testing.T) {
	root, image := t.TempDir(), demoImage(t, nil)
	socket := filepath.Join(root, "given.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	must(t, err)
	defer l.Close()
	for g := range uint64(3) {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, res, err := try(socket, g+1, fmt.Sprintf(`{"motd": "%d"}`, g))
			if err != nil || res.Status != applier.OK {
				t.Errorf("apply %d: %s, %v, want ok", g+1, asJSON(t, res), err)
			}
		}()
		// One that is idle before the request is there leaves it to the next.
		within(t, fmt.Sprintf("answer to apply %d", g+1), func() bool {
			if got := activated(t, l, root, image, "--idle", "20ms").status(); got != 0 {
				t.Errorf("exit status %d after the program was idle, want 0", got)
			}
			select {
			case <-answered:
				return true
			default:
				return false
			}
		})
	}
	// Nobody listens now. The request waits in the socket.
	answered := make(chan error, 1)
	go func() {
		_, _, err := try(socket, 9, `{"motd": "9"}`)
		answered <- err
	}()
	p := activated(t, l, root, image, "--once")
	if err := <-answered; err != nil {
		t.Errorf("apply while no program runs: %v", err)
	}
	if got := p.status(); got != 0 {
		t.Errorf("exit status %d with --once, want 0", got)
	}
	got, err := os.ReadFile(filepath.Join(root, "etc/motd"))
	if err != nil || string(got) != "9" {
		t.Errorf("motd has %q, %v, want 9", got, err)
	}
}

func TestMisuse(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"argument", []string{"frob"}, 2, `argument "frob" is not expected`},
		{"unknown manager", []string{"--units", "frob"}, 2, `--units "frob", want systemd or record`},
		{"no root", []string{"--root", "/nonexistent"}, 1, "no such file or directory"},
		{"long socket", []string{"--socket", "/" + strings.Repeat("x", 200)}, 1, "the path has 201 bytes, want at most 107"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := launch(t, t.TempDir(), t.TempDir(), nil, tt.args...)
			if got := p.status(); got != tt.status || !strings.Contains(p.stderr.String(), tt.stderr) {
				t.Errorf("apply %q: status %d, error %q, want %d, %q", tt.args, got, p.stderr, tt.status, tt.stderr)
			}
		})
	}
}

// An apply that is killed, at whatever step, is completed by the next one: the
// files are as they should be, nothing is left behind, and all units have been
// dealt with since their files were written.
func TestKilled(t *testing.T) {
	image := demoImage(t, nil)
	const before = `{"motd": "old", "host-containers": {"gone": {"enabled": true, "source": "b/c:1"}}}`
	want := settled(t, image, before, everything)
	killed := 0
	for step := 1; ; step++ {
		b := newBench(t, image, nil)
		root := b.dir
		b.must(before)
		old := len(b.recorded())

		p := launch(t, root, image, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", killAt, step)) })
		within(t, "socket", func() bool { return isListening(p.socket) })
		_, _, err := try(p.socket, 2, everything)
		_ = p.cmd.Process.Kill()
		_ = p.end()
		next := start(t, root, image)
		next.apply(3, everything)
		if got := tree(t, root); cmp.Diff(want, got) != "" {
			t.Errorf("killed at step %d: files (-want +got):\n%s", step, cmp.Diff(want, got))
		}
		for _, owed := range []string{"restart clock.service", "reload names.service", "restart trust.service", "start box@admin.service", "stop box@gone.service", "daemon-reload", "run write-sysctl"} {
			if log := b.recorded()[old:]; !slices.Contains(log, owed) {
				t.Errorf("killed at step %d: recorded %q, want %s in it", step, log, owed)
			}
		}
		if res := next.apply(4, everything); res.Status != applier.Nothing {
			t.Errorf("killed at step %d: one more apply did %q, want nothing", step, brief(res))
		}
		_ = next.cmd.Process.Kill()
		_ = next.end()
		if err == nil { // there are no more steps
			break
		}
		killed++
	}
	if killed < 15 {
		t.Errorf("killed at %d steps, want at least 15", killed)
	}
}

// An apply that was killed before a change of mind leaves nothing of what it
// wrote.
func TestKilledAndTakenBack(t *testing.T) {
	image := demoImage(t, nil)
	const before = `{"motd": "old"}`
	want := settled(t, image, before)
	for step := 1; ; step++ {
		b := newBench(t, image, nil)
		root := b.dir
		b.must(before)
		p := launch(t, root, image, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", killAt, step)) })
		within(t, "socket", func() bool { return isListening(p.socket) })
		_, _, err := try(p.socket, 2, everything)
		_ = p.cmd.Process.Kill()
		_ = p.end()
		next := start(t, root, image)
		next.apply(3, before)
		if got := tree(t, root); cmp.Diff(want, got) != "" {
			t.Errorf("killed at step %d: files (-want +got):\n%s", step, cmp.Diff(want, got))
		}
		_ = next.cmd.Process.Kill()
		_ = next.end()
		if err == nil {
			break
		}
	}
}

func isListening(socket string) bool {
	c, err := net.Dial("unix", socket)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// settled returns the tree that applying each of settings leads to.
func settled(t *testing.T, image string, settings ...string) map[string]string {
	t.Helper()
	b := newBench(t, image, nil)
	for _, s := range settings {
		b.must(s)
	}
	return tree(t, b.dir)
}

// tree returns the files in /etc with their modes, and the directories.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(filepath.Join(root, "etc"), func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if !e.IsDir() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(data)
		}
		out[strings.TrimPrefix(path, root)] = text
		return nil
	}))
	return out
}

// However the end of the program and a request fall together, the request is
// answered.
func TestServeLosesNothing(t *testing.T) {
	root, image := t.TempDir(), demoImage(t, nil)
	socket := filepath.Join(root, "given.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	must(t, err)
	defer l.Close()
	answered := make(chan error)
	go func() {
		defer close(answered)
		for g := range uint64(40) {
			_, _, err := try(socket, g+1, fmt.Sprintf(`{"motd": "%d"}`, g))
			answered <- err
		}
	}()
	for more := true; more; {
		p := activated(t, l, root, image, "--idle", "1ms")
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = p.end() // the requests tell how it went
		}()
		for alive := true; alive && more; {
			select {
			case err, ok := <-answered:
				if more = ok; err != nil {
					t.Errorf("apply while programs come and go: %v", err)
				}
			case <-over:
				alive = false
			}
		}
		_ = p.cmd.Process.Kill()
		<-over
	}
}
