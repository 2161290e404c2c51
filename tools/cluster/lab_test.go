package cluster_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/cpio"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// verb makes of the program with these tests a supervisor.
const verb = "supervise"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == verb {
		if err := supervise(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func supervise(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	root, err := workspace.Find(".")
	if err != nil {
		return err
	}
	e, ok := vm.Find(ctx, root)
	if !ok {
		return errors.New("no emulator")
	}
	c, err := cluster.New(filepath.Dir(dir), filepath.Base(dir))
	if err != nil {
		return err
	}
	return cluster.Supervise(ctx, c, e, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

// A lab is a cluster with what its machines are made of.
type lab struct {
	cluster.Cluster
	t      *testing.T
	ctx    context.Context
	kernel *vm.Kernel
}

func newLab(t *testing.T) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("starts virtual machines, which takes long")
	}
	l := newEmptyLab(t)
	root, err := workspace.Find(".")
	must(t, err)
	l.kernel = makeKernel(t, root)
	l.launch()
	return l
}

// newEmptyLab returns one without a supervisor and without what machines need.
func newEmptyLab(t *testing.T) *lab {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the machines are x86_64, and so are the programs that run them")
	}
	root, err := workspace.Find(".")
	must(t, err)
	_, err = vm.Prepare(t.Context(), root, t.Output())
	if errors.Is(err, debtree.ErrNoTools) {
		t.Skip(err)
	}
	must(t, err)
	l := &lab{t: t}
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	l.Cluster, err = cluster.New(t.TempDir(), "lab")
	must(t, err)
	t.Cleanup(l.clear)
	return l
}

// clear ends what the test left.
func (l *lab) clear() {
	if err := l.End(context.Background(), cluster.Cut); err != nil {
		l.t.Errorf("End: %v", err)
	}
	if l.t.Failed() {
		log, _ := os.ReadFile(l.Log())
		l.t.Logf("the supervisor's log:\n%s", log)
	}
}

func (l *lab) launch() {
	l.t.Helper()
	become, err := cluster.Become(verb, l.Cluster)
	must(l.t, err)
	must(l.t, l.Launch(l.ctx, become))
}

// makeKernel makes a kernel with a RAM disk in which the guest is the only
// program.
func makeKernel(t *testing.T, root workspace.Root) *vm.Kernel {
	t.Helper()
	tree := debtree.Tree{
		Dir: root.Path("build", "tools", "kernel"), Suite: "trixie",
		Packages: []string{"linux-image-cloud-amd64", "erofs-utils", "kmod"},
	}
	must(t, tree.Fetch(t.Context(), t.Output()))
	images, err := filepath.Glob(filepath.Join(tree.Dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		t.Fatalf("kernels in %s: %q, %v, want one", tree.Dir, images, err)
	}
	modules := filepath.Join(tree.Dir, "usr/lib/modules", strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-"), "kernel")
	k := &vm.Kernel{Image: images[0], Initrd: filepath.Join(t.TempDir(), "initrd"), Cmdline: "console=ttyS0 quiet panic=3"}
	guest := filepath.Join(t.TempDir(), "guest")
	build := root.Go("build", "-trimpath", "-ldflags=-s -w", "-o", guest, "./tools/cluster/testdata/guest")
	build.Env = append(build.Env, "CGO_ENABLED=0")
	must(t, build.Run(t.Context()))
	var archive bytes.Buffer
	w := cpio.NewWriter(&archive)
	must(t, w.Dir("dev", 0o755))
	must(t, w.Dir("modules", 0o755))
	for to, from := range map[string]string{
		"init": guest, "modules/1": filepath.Join(modules, "net/core/failover.ko.xz"),
		"modules/2": filepath.Join(modules, "drivers/net/net_failover.ko.xz"), "modules/3": filepath.Join(modules, "drivers/net/virtio_net.ko.xz"),
	} {
		data, err := os.ReadFile(from)
		must(t, err)
		must(t, w.File(to, data, 0o755))
	}
	must(t, w.Close())
	must(t, os.WriteFile(k.Initrd, archive.Bytes(), 0o644))
	return k
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *lab) spec(number int) cluster.Spec {
	return cluster.Spec{
		Name: l.Machine(number), Memory: 256, CPUs: 1, Kernel: l.kernel,
		Forwards: []cluster.Forward{{Listen: "127.0.0.1:0", Port: 8443}},
	}
}

func (l *lab) start(spec cluster.Spec) cluster.Status {
	l.t.Helper()
	s, err := l.Start(l.ctx, spec)
	must(l.t, err)
	return s
}

// A screen is a console that somebody sits at.
type screen struct {
	*lab
	machine string
	from    io.ReadCloser
	lines   *bufio.Scanner
}

func (l *lab) sit(machine string) *screen {
	l.t.Helper()
	from, err := l.Follow(l.ctx, machine)
	must(l.t, err)
	l.t.Cleanup(func() { _ = from.Close() })
	return &screen{l, machine, from, bufio.NewScanner(from)}
}

// await reads up to the line that contains text.
func (s *screen) await(text string) {
	s.t.Helper()
	var seen []string
	for s.lines.Scan() {
		line := strings.TrimSpace(s.lines.Text())
		seen = append(seen, line)
		if strings.Contains(line, text) {
			return
		}
	}
	s.t.Fatalf("console of %s has no %q before it ends (%v):\n%s", s.machine, text, s.lines.Err(), strings.Join(seen, "\n"))
}

// do types a line and waits for what comes of it.
func (s *screen) do(line, want string) {
	s.t.Helper()
	must(s.t, s.Type(s.ctx, s.machine, []byte(line+"\n")))
	s.await(want)
}

// ask sends text to an address and returns the answer.
func ask(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	must(t, err)
	must(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	must(t, err)
	return string(answer)
}

// reach waits until the machine is as wanted.
func (l *lab) reach(machine string, state cluster.State) cluster.Status {
	l.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, ok, err := l.Find(l.ctx, machine)
		must(l.t, err)
		if ok && s.State == state {
			return s
		}
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			l.t.Fatalf("machine %s is %+v, want it %s", machine, s, state)
		}
	}
}

// serveHere serves one caller on this computer, and returns what a guest calls
// and says.
func (l *lab) serveHere() string {
	l.t.Helper()
	s, err := net.Listen("tcp", "127.0.0.1:0")
	must(l.t, err)
	l.t.Cleanup(func() { _ = s.Close() })
	go func() {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.ReadAll(conn); err == nil {
			_, _ = io.WriteString(conn, "here")
		}
	}()
	_, port, err := net.SplitHostPort(s.Addr().String())
	must(l.t, err)
	return "192.168.127.254:" + port + " hello"
}

// gone waits until a process is no more.
func (l *lab) gone(pid int) {
	l.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			l.t.Fatalf("process %d is still there", pid)
		}
	}
}
