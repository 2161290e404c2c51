package hostcontainerd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/tools/containerd"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/registry"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// limit is how long anything may take, on a machine that does much else.
const limit = 2 * time.Minute

// A lab is a host for containers.
type lab struct {
	*hostcontainerd.Client

	t       *testing.T
	daemon  *containerd.Daemon
	root    workspace.Root
	dir     string // root of the file system that containers get parts of
	journal *journal
	opt     hostcontainerd.Options
	log     *slog.Logger
}

// newLab returns a host whose containerd runs. Tests are skipped where none can.
func newLab(t *testing.T) *lab { return newLabOn(t, func(string) {}) }

// newLabOn returns a host whose containerd runs once prepare was called, with the
// directory of what it keeps.
func newLabOn(t *testing.T, prepare func(data string)) *lab {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if why := containerd.Missing(root); why != "" {
		t.Skip("containerd cannot be run: " + why)
	}
	place, err := containerd.NewDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := place.Remove(); err != nil {
			t.Error(err)
		}
	})
	dir := place.Path
	log := slog.New(slog.NewTextHandler(testOutput{t}, nil))
	l := &lab{t: t, root: root, dir: filepath.Join(dir, "root"), log: log}
	for _, d := range []string{"run", "etc", "usr/bin", "mnt", "lib/modules", "var/lib/containerd", "local", "var/log/support"} {
		if err := os.MkdirAll(filepath.Join(l.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"etc/hosts": "127.0.0.1 localhost\n", "etc/resolv.conf": "", "etc/os-release": "ID=bulkhead\n", "usr/bin/apiclient": "", "run/api.sock": ""} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if l.daemon, err = containerd.New(root, filepath.Join(dir, "c"), testOutput{t}); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "c", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	prepare(data)
	l.startDaemon()
	l.journal = listen(t, filepath.Join(dir, "journal"))
	l.opt = hostcontainerd.Options{
		Socket: l.daemon.Socket, Data: data, Root: l.dir, Registry: filepath.Join(l.dir, "etc", "containerd"), Journal: l.journal.socket,
		FirstWait: time.Millisecond, Grace: 200 * time.Millisecond,
		Helper: build(t, root, "./sources/cmd/bulkhead-containers"), Images: "/images", RuncRoot: filepath.Join(dir, "c", "run", "runc"), Cgroup: "/" + filepath.Base(dir),
	}
	l.connect()
	t.Cleanup(l.end)
	return l
}

func (l *lab) startDaemon() {
	l.t.Helper()
	if err := l.daemon.Start(context.WithoutCancel(l.t.Context())); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) connect() {
	l.t.Helper()
	c, err := hostcontainerd.Connect(l.t.Context(), l.opt, l.log)
	if err != nil {
		l.t.Fatal(err)
	}
	l.Client = c
}

// end removes all containers, since their mounts would keep the directory, and
// ends containerd.
func (l *lab) end() {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, id := range []string{"one", "two", "boot.one"} {
		if err := l.Remove(ctx, id); err != nil {
			l.t.Error(err)
		}
	}
	l.Close()
	if err := l.daemon.Kill(); err != nil {
		l.t.Error(err)
	}
	removeGroups(l.t, l.opt.Cgroup)
}

// removeGroups removes the control groups that are left empty.
func removeGroups(t *testing.T, group string) {
	found, err := filepath.Glob("/sys/fs/cgroup/*" + group)
	if err != nil {
		t.Error(err)
	}
	for _, dir := range append(found, "/sys/fs/cgroup"+group) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}

// definition returns a host container that runs words of the test program.
func (l *lab) definition(source string, words ...string) hostcontainerd.Definition {
	return hostcontainerd.Definition{Name: "one", Kind: hostcontainerd.Host, Source: source, Command: append([]string{"/inside"}, words...)}
}

// start starts d, and fails the test when that fails.
func (l *lab) start(d hostcontainerd.Definition) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), limit)
	defer cancel()
	if err := l.Start(ctx, d); err != nil {
		l.t.Fatalf("Start(%s): %v", d.Name, err)
	}
}

// wait waits for the container called id to end.
func (l *lab) wait(id string) uint32 {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), limit)
	defer cancel()
	code, err := l.Wait(ctx, id)
	if err != nil {
		l.t.Fatalf("Wait(%s): %v", id, err)
	}
	return code
}

// built holds the programs of tests.
var built sync.Map

// build returns a program of ours, built once.
func build(t *testing.T, root workspace.Root, pkg string) string {
	t.Helper()
	once, _ := built.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		file := filepath.Join(tools, filepath.Base(pkg))
		cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", file, pkg)
		cmd.Dir, cmd.Env = string(root), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
		}
		return file, nil
	}))
	file, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// tools is where programs are built.
var tools string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hostcontainerd")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	tools = dir
	return m.Run()
}

// image returns an image with the test program.
func (l *lab) image(env ...string) v1.Image {
	l.t.Helper()
	files := ociimage.Files{}
	files.Add("/inside", build(l.t, l.root, "./sources/internal/hostcontainerd/testdata/inside"), 0o755)
	files.Dir("/tmp", 0o755)
	image, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/inside"}, Cmd: []string{"exit", "7"}, Env: env}, files)
	if err != nil {
		l.t.Fatal(err)
	}
	return image
}

// embed makes the image part of the operating system, called ref.
func (l *lab) embed(image v1.Image, ref string) {
	l.t.Helper()
	dir := filepath.Join(l.dir, "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	file := strings.NewReplacer("/", "_", ":", "_").Replace(ref) + ".tar"
	if err := ociimage.WriteArchive(image, ref, filepath.Join(dir, file)); err != nil {
		l.t.Fatal(err)
	}
}

// registry returns the address of a new registry.
func (l *lab) registry(opt registry.Options) *registry.Registry {
	l.t.Helper()
	if bin := registry.Missing(l.root); bin != "" {
		l.t.Skipf("%s is not built", bin)
	}
	r, err := registry.Start(l.t.Context(), l.root, opt)
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// report returns what the test program found in the container.
func (l *lab) report(kind string) map[string]any {
	l.t.Helper()
	data, err := os.ReadFile(filepath.Join(l.dir, "local", kind, "one", "report"))
	if err != nil {
		l.t.Fatal(err)
	}
	var found map[string]any
	if err := json.Unmarshal(data, &found); err != nil {
		l.t.Fatal(err)
	}
	return found
}

// A journal keeps what programs write, by their names.
type journal struct {
	socket string

	mu    sync.Mutex
	lines []string // NAME: TEXT
}

func listen(t *testing.T, socket string) *journal {
	t.Helper()
	j := &journal{socket: socket}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			readers.Go(func() { j.read(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		readers.Wait()
	})
	return j
}

// read takes seven lines that say who writes, then what is written.
func (j *journal) read(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	var name string
	for at := 0; in.Scan(); at++ {
		if at == 0 {
			name = in.Text()
		}
		if at >= 7 {
			j.mu.Lock()
			j.lines = append(j.lines, name+": "+in.Text())
			j.mu.Unlock()
		}
	}
}

// expect waits until line was written.
func (j *journal) expect(t *testing.T, line string) {
	t.Helper()
	end := time.Now().Add(limit)
	for time.Now().Before(end) {
		j.mu.Lock()
		for _, l := range j.lines {
			if l == line {
				j.mu.Unlock()
				return
			}
		}
		j.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	t.Fatalf("the journal has %q, want a line %q", j.lines, line)
}

// expectOnce checks that line was written exactly once so far.
func (j *journal) expectOnce(t *testing.T, line string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, l := range j.lines {
		if l == line {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the journal has the line %q %d times, want once", line, n)
	}
}

// testOutput is the log of a test.
type testOutput struct{ t *testing.T }

func (o testOutput) Write(p []byte) (int, error) {
	o.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

var _ io.Writer = testOutput{}
