package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/activation"
	"github.com/bulkhead-os/bulkhead/tools/daemon"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// patience is how much longer apply may run than it needs.
const patience = 30 * time.Second

// A Node is a directory with the parts of a node that settings act on.
type Node struct {
	Socket string // of the settings API
	Root   string // the node's files
	Image  string // what its image would hold

	apply    *activation.Socket
	stop     context.CancelFunc
	serving  chan error
	programs Programs
	dir      string
	variant  string
	daemon   *daemon.Daemon
}

// Programs are the programs of a node, and the command that becomes one of them
// with the sockets it was given, see activation.Become.
type Programs struct {
	Bulkhead, Apiclient string
	Become              []string
}

// Built returns the programs that daemon.Build has built, where become are the
// words with which this program calls activation.Become.
func Built(root workspace.Root, become ...string) (Programs, error) {
	self, err := os.Executable()
	if err != nil {
		return Programs{}, err
	}
	return Programs{
		Bulkhead: root.Path("build", "bin", "bulkhead"), Apiclient: root.Path("build", "bin", "apiclient"),
		Become: append([]string{self}, become...),
	}, nil
}

// Start makes a node of the variant in dir, which exists, and starts its
// settings daemon. Its image has the given packages. apply is started when the
// daemon calls it, ends by itself, and tells its faults on log.
func Start(ctx context.Context, prog Programs, dir, variant string, packages fs.FS, log io.Writer) (*Node, error) {
	n := &Node{
		Socket: filepath.Join(dir, "api.sock"), Root: filepath.Join(dir, "root"), Image: filepath.Join(dir, "image"),
		programs: prog, dir: dir, variant: variant, serving: make(chan error, 1),
	}
	if err := os.MkdirAll(n.Root, 0o755); err != nil {
		return nil, err
	}
	if err := makeImage(n.Image, variant, packages); err != nil {
		return nil, fmt.Errorf("image of the node: %w", err)
	}
	if err := n.listen(ctx, log); err != nil {
		return nil, err
	}
	var err error
	n.daemon, err = daemon.Start(ctx, daemon.Options{
		Program: prog.Bulkhead, Dir: n.Root, Socket: n.Socket, Variant: variant, Image: n.Image, ApplySocket: n.applySocket(),
	})
	if err != nil {
		return nil, errors.Join(err, n.unlisten())
	}
	return n, nil
}

func (n *Node) applySocket() string { return filepath.Join(n.dir, "apply.sock") }

// listen serves the socket of apply.
func (n *Node) listen(ctx context.Context, log io.Writer) error {
	// One that a killed sandbox left in the directory is nobody's.
	if err := os.Remove(n.applySocket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	args := slices.Concat(n.programs.Become, []string{
		n.programs.Bulkhead, "apply", "--root", n.Root, "--image", n.Image, "--units", "record",
		"--idle", "2s", // who looks on sees it end
	})
	s, err := activation.Listen(n.applySocket(), args, &faults{to: log})
	if err != nil {
		return err
	}
	ctx, n.stop = context.WithCancel(ctx)
	n.apply = s
	go func() { n.serving <- s.Serve(ctx) }()
	return nil
}

func (n *Node) unlisten() error {
	n.stop()
	return errors.Join(<-n.serving, n.apply.Close())
}

// Ready waits until the daemon answers.
func (n *Node) Ready(ctx context.Context) error { return n.daemon.Ready(ctx, poll) }

// Idle waits until apply has ended by itself.
func (n *Node) Idle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for n.apply.Running() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until apply ends by itself: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// Stop ends everything that runs for the node.
func (n *Node) Stop() error { return errors.Join(n.daemon.Stop(), n.unlisten()) }

// makeImage makes what apply and the daemon read of an image: who it is, and the
// definitions and templates of its packages.
func makeImage(dir, variant string, packages fs.FS) error {
	release := fmt.Sprintf("NAME=Bulkhead\nPRETTY_NAME=\"Bulkhead (%s, sandbox)\"\nVARIANT_ID=%s\nVERSION_ID=0.0.0\nBUILD_ID=sandbox\n", variant, variant)
	if err := putFile(filepath.Join(dir, "usr/lib/os-release"), []byte(release)); err != nil {
		return err
	}
	for _, pattern := range []string{"*/package.toml", "*/*.tmpl"} {
		names, err := fs.Glob(packages, pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			data, err := fs.ReadFile(packages, name)
			if err != nil {
				return err
			}
			if err := putFile(filepath.Join(dir, "usr/share/bulkhead/packages", filepath.FromSlash(name)), data); err != nil {
				return err
			}
		}
	}
	return nil
}

func putFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// faults passes on what a program logs, except that all is well.
type faults struct{ to io.Writer }

func (f *faults) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "level=INFO") || strings.Contains(line, "level=DEBUG") {
			continue
		}
		if _, err := io.WriteString(f.to, line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
