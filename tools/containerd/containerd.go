// Package containerd runs containerd as the host's instance of a node does, for
// tests.
//
// containerd and its shim are built at the versions that packages/containerd
// pins; runc is this computer's. It takes root's rights.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

const module = "packages/containerd"

var programs = []pinned.Program{
	{Module: module, Package: "github.com/containerd/containerd/v2/cmd/containerd", Output: "build/tools/containerd"},
	{Module: module, Package: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", Output: "build/tools/containerd-shim-runc-v2"},
}

// startup is how long containerd may take until it listens.
const startup = time.Minute

// Prepare builds what is not there yet.
func Prepare(ctx context.Context, root workspace.Root, out io.Writer) error {
	for _, p := range programs {
		if _, ok := p.Find(root); ok {
			continue
		}
		fmt.Fprintf(out, "building %s\n", filepath.Base(p.Output))
		if _, err := p.Build(ctx, root); err != nil {
			return err
		}
	}
	return nil
}

// Missing returns why containerd cannot be run here, or "".
func Missing(root workspace.Root) string {
	if os.Geteuid() != 0 {
		return "it takes root's rights"
	}
	for _, p := range programs {
		if bin, ok := p.Find(root); !ok {
			return bin + " is not built"
		}
	}
	if _, err := exec.LookPath("runc"); err != nil {
		return "there is no runc (Debian package runc)"
	}
	return ""
}

// A Daemon is a containerd whose files are in a directory of its own.
type Daemon struct {
	Socket string

	root workspace.Root
	dir  string
	log  io.Writer
	proc *run.Process
}

// New returns a containerd that keeps its files in dir. It has to be started.
// Paths of sockets are short: so is dir.
func New(root workspace.Root, dir string, log io.Writer) (*Daemon, error) {
	d := &Daemon{Socket: filepath.Join(dir, "run", "containerd.sock"), root: root, dir: dir, log: log}
	text, err := os.ReadFile(root.Path("packages", "containerd", "host-containerd.toml"))
	if err != nil {
		return nil, err
	}
	config := strings.NewReplacer("/var/lib/host-containerd", filepath.Join(dir, "data"), "/run/host-containerd", filepath.Join(dir, "run")).Replace(string(text))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return d, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o644)
}

// Start starts containerd and returns once it listens.
func (d *Daemon) Start(ctx context.Context) error {
	bin := d.root.Path("build", "tools")
	proc, err := run.Command{
		Args: []string{filepath.Join(bin, "containerd"), "--config", filepath.Join(d.dir, "config.toml"), "--log-level", "warn"},
		Env:  []string{"PATH=" + bin + ":/usr/sbin:/usr/bin:/sbin:/bin"},
		// Shims outlive it, as on a node.
		Stderr: d.log, Apart: true, Bound: true,
	}.Start(ctx)
	if err != nil {
		return err
	}
	d.proc = proc
	limit := time.Now().Add(startup)
	for {
		conn, err := net.Dial("unix", d.Socket)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(limit) {
			return fmt.Errorf("start containerd: %w", errors.Join(err, d.Kill()))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Kill kills containerd without warning. Containers go on.
func (d *Daemon) Kill() error {
	if d.proc == nil {
		return nil
	}
	if err := d.proc.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_ = d.proc.Wait() // that it was killed
	d.proc = nil
	return nil
}
