// Package daemon runs the settings daemon in a directory, as a node of some
// variant, without root.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Variant is what a node is when nothing else is asked for.
const Variant = "metal-k8s-1.36"

// maxSocket is the longest path the kernel takes for a socket.
const maxSocket = 107

// startup is how long the daemon may take to become ready. It is meant to
// take a tenth of a second; a machine that builds meanwhile is slower.
const startup = 30 * time.Second

// Build builds the daemon and its client into build/bin.
func Build(ctx context.Context, root workspace.Root, out io.Writer) error {
	fmt.Fprint(out, "building bulkhead and apiclient … ")
	start := time.Now()
	cmd := root.Go("build", "-o", "build/bin/", "./sources/cmd/bulkhead", "./api/cmd/apiclient")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(ctx); err != nil {
		fmt.Fprintf(out, "failed\n%s", stderr.String())
		return fmt.Errorf("build programs: %w", err)
	}
	fmt.Fprintln(out, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// Options say what daemon is run.
type Options struct {
	Program string // path of the multi-call binary
	Dir     string // what the daemon takes for the root of the node
	Socket  string // in Dir when empty
	Variant string
	Stderr  io.Writer // the daemon's log, nil to keep only its last lines

	// What the daemon needs to have settings applied. Both or none are there.
	Image       string
	ApplySocket string
}

// A Daemon is a settings daemon that runs.
type Daemon struct {
	Socket string
	proc   *run.Process
	ended  chan struct{}
	err    error // how it ended; read it after ended is closed
}

// Start starts a daemon. It returns at once, before the daemon is ready. When
// ctx ends the daemon is interrupted; when this program dies it is ended.
func Start(ctx context.Context, opt Options) (*Daemon, error) {
	socket := opt.Socket
	if socket == "" {
		socket = filepath.Join(opt.Dir, "api.sock")
	}
	if len(socket) > maxSocket {
		return nil, fmt.Errorf("socket %s: the path has %d bytes, want at most %d: choose a shorter directory", socket, len(socket), maxSocket)
	}
	args := []string{opt.Program, "apiserver", "--root", opt.Dir, "--socket", socket, "--variant", opt.Variant}
	if opt.ApplySocket != "" {
		args = append(args, "--image", opt.Image, "--apply-socket", opt.ApplySocket)
	}
	proc, err := run.Command{Args: args, Stderr: opt.Stderr, Apart: true, Bound: true}.Start(ctx)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Socket: socket, proc: proc, ended: make(chan struct{})}
	go func() {
		d.err = proc.Wait()
		close(d.ended)
	}()
	return d, nil
}

// PID returns the daemon's process id.
func (d *Daemon) PID() int { return d.proc.PID() }

// Ended is closed when the daemon has ended.
func (d *Daemon) Ended() <-chan struct{} { return d.ended }

// Failure says how a daemon ended that was meant to run on, with the last
// lines it wrote. It must not be called before Ended is closed.
func (d *Daemon) Failure() error {
	err := d.err
	if err == nil {
		err = errors.New("exit status 0")
	}
	return fmt.Errorf("the daemon ended by itself: %w\nits last lines:\n  %s", err, strings.Join(d.proc.Tail(), "\n  "))
}

// Stop ends the daemon and waits for it.
func (d *Daemon) Stop() error {
	select {
	case <-d.ended:
		return nil
	default:
	}
	// It may end by itself between the two lines; that is what is wanted.
	_ = d.proc.Signal(syscall.SIGTERM)
	<-d.ended
	if d.err != nil && !errors.Is(d.err, context.Canceled) {
		return fmt.Errorf("stop the daemon: %w", d.err)
	}
	return nil
}

// Ready waits until the daemon answers on its socket, and looks every step.
func (d *Daemon) Ready(ctx context.Context, step time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	client := d.client()
	defer client.CloseIdleConnections()
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		err := healthy(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-d.ended:
			return d.Failure()
		case <-ctx.Done():
			return fmt.Errorf("wait for the daemon: %w, last: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

func healthy(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/health", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /health: %s", resp.Status)
	}
	return nil
}

func (d *Daemon) client() *http.Client {
	var dialer net.Dialer
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", d.Socket)
		},
	}}
}
