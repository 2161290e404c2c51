package hostcontainerd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Errors of Exec.
var (
	ErrNoContainer = errors.New("there is no such container")
	ErrNotRunning  = errors.New("the container does not run")
)

// A Size is that of a terminal; zeroes are the usual one.
type Size struct{ Rows, Cols uint16 }

// Exec runs words in the running container called id, beside its first program and
// with the same rights. With a terminal size it has a terminal. The caller ends
// what is returned.
func (c *Client) Exec(ctx context.Context, id string, words []string, terminal *Size) (*Attached, error) {
	container, task, err := c.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if container == nil {
		return nil, fmt.Errorf("container %s: %w", id, ErrNoContainer)
	}
	if task == nil {
		return nil, fmt.Errorf("container %s: %w", id, ErrNotRunning)
	}
	spec, err := container.Spec(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what container %s is: %w", id, err)
	}
	process := *spec.Process
	process.Args = words
	attach(&process, terminal)
	a := &Attached{name: "exec-" + strings.ToLower(rand.Text())}
	p, err := task.Exec(ctx, a.name, &process, a.creator(c.opt.Pipes, terminal != nil))
	if errdefs.IsFailedPrecondition(err) || errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("container %s: %w", id, ErrNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("run %q in container %s: %w", words[0], id, err)
	}
	a.process = p
	a.again = func(ctx context.Context) (containerd.Process, error) { return task.LoadProcess(ctx, a.name, nil) }
	if err := a.start(ctx, terminal); err != nil {
		return nil, fmt.Errorf("run %q in container %s: %w", words[0], id, startFault(err))
	}
	return a, nil
}

// startFault returns the part of runc's words that the user can do something
// about.
func startFault(err error) error {
	text := err.Error()
	for _, known := range []string{"executable file not found in $PATH", "no such file or directory", "permission denied", "exec format error", "is a directory"} {
		if strings.Contains(text, known) {
			return errors.New(known)
		}
	}
	return err
}

// attach makes a process one that somebody looks at.
func attach(p *specs.Process, terminal *Size) {
	p.Terminal = terminal != nil
	p.ConsoleSize = nil
	if terminal == nil {
		return
	}
	if *terminal != (Size{}) {
		p.ConsoleSize = &specs.Box{Height: uint(terminal.Rows), Width: uint(terminal.Cols)}
	}
	if !slices.ContainsFunc(p.Env, func(v string) bool { return strings.HasPrefix(v, "TERM=") }) {
		p.Env = append(slices.Clone(p.Env), "TERM=xterm")
	}
}

// An Attached is a program in a container whose input and output are the
// caller's. Those survive containerd, which may be killed meanwhile.
type Attached struct {
	name  string
	again func(context.Context) (containerd.Process, error) // finds it after a restart of containerd
	after func(context.Context) error                       // removes the rest; none
	pipes *cio.DirectIO
	ended <-chan containerd.ExitStatus // Wait's

	mu      sync.Mutex // guards process
	process containerd.Process
}

// current returns the process as the containerd that runs now knows it.
func (a *Attached) current() containerd.Process {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.process
}

// creator returns what makes the pipes of the process. Both outputs come by one.
func (a *Attached) creator(dir string, terminal bool) cio.Creator {
	return func(string) (cio.IO, error) {
		set, err := cio.NewFIFOSetInDir(dir, "x", terminal)
		if err != nil {
			return nil, err
		}
		set.Stderr = ""
		// The pipes are there for longer than the request.
		if a.pipes, err = cio.NewDirectIO(context.Background(), set); err != nil {
			return nil, err
		}
		return &oneOutput{a.pipes}, nil
	}
}

// A oneOutput tells containerd that both outputs are one.
type oneOutput struct{ *cio.DirectIO }

// Config returns where the pipes are.
func (o *oneOutput) Config() cio.Config {
	c := o.DirectIO.Config()
	if !c.Terminal {
		c.Stderr = c.Stdout
	}
	return c
}

func (a *Attached) start(ctx context.Context, terminal *Size) error {
	ended, err := a.current().Wait(context.WithoutCancel(ctx))
	if err == nil {
		a.ended = ended
		err = a.current().Start(ctx)
	}
	if err != nil {
		return errors.Join(err, a.remove(context.WithoutCancel(ctx)))
	}
	if terminal != nil && *terminal != (Size{}) {
		_ = a.Resize(ctx, *terminal) // it may have ended already
	}
	return nil
}

// Write gives the program input. It waits while the program takes none.
func (a *Attached) Write(p []byte) (int, error) { return a.pipes.Stdin.Write(p) }

// CloseInput ends the input.
func (a *Attached) CloseInput(ctx context.Context) error {
	return errors.Join(a.pipes.Stdin.Close(), a.current().CloseIO(ctx, containerd.WithStdinCloser))
}

// Read gives output until the last program that has it open has ended.
func (a *Attached) Read(p []byte) (int, error) { return a.pipes.Stdout.Read(p) }

// CloseOutput has Read end.
func (a *Attached) CloseOutput() error { return a.pipes.Stdout.Close() }

// Resize gives the terminal another size.
func (a *Attached) Resize(ctx context.Context, s Size) error {
	return a.current().Resize(ctx, uint32(s.Cols), uint32(s.Rows))
}

// Wait waits for the program to end and returns its exit status.
func (a *Attached) Wait(ctx context.Context) (uint32, error) {
	for {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case status := <-a.ended:
			code, _, err := status.Result()
			if err == nil {
				return code, nil
			}
		}
		if err := a.find(ctx); err != nil {
			return 0, err
		}
	}
}

// find looks for the program in a containerd that was started anew.
func (a *Attached) find(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("containerd does not answer any more: %w", context.Cause(ctx))
		case <-look.C:
		}
		p, err := a.again(ctx)
		if errdefs.IsNotFound(err) {
			return errors.New("the program has ended while containerd was away, so that nobody knows how")
		}
		if err == nil {
			a.mu.Lock()
			a.process = p
			a.mu.Unlock()
			if a.ended, err = p.Wait(context.WithoutCancel(ctx)); err == nil {
				return nil
			}
		}
	}
}

// How long a program that is to end has after each signal.
const (
	hangUpGrace = 5 * time.Second
	killGrace   = 10 * time.Second
)

// End ends the program if it runs: a terminal hangs up, anything else is asked to
// end, and then it is killed. Nothing of it is left in containerd.
func (a *Attached) End(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	ask := syscall.SIGTERM
	if a.pipes.Config().Terminal {
		ask = syscall.SIGHUP
	}
	// A program that waits for somebody to read its output or to write its input
	// would not hear it, and its shim waits for the output to be read, too.
	_ = a.pipes.Stdin.Close()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, a.pipes.Stdout)
	}()
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{ask, hangUpGrace}, {syscall.SIGKILL, killGrace}} {
		if err := a.current().Kill(ctx, step.signal); err != nil {
			break // it has ended, or containerd is away
		}
		waiting, cancel := context.WithTimeout(ctx, step.limit)
		_, err := a.Wait(waiting)
		cancel()
		if err == nil {
			break
		}
	}
	err := a.remove(ctx)
	<-drained
	return err
}

// remove removes what containerd keeps of the program, once it is there.
func (a *Attached) remove(ctx context.Context) error {
	err := a.delete(ctx)
	if err != nil && a.ended != nil && a.find(ctx) == nil {
		err = a.delete(ctx)
	}
	a.pipes.Cancel()
	_ = a.pipes.Close() // of pipes that are closed already
	if a.after != nil {
		return errors.Join(err, a.after(context.WithoutCancel(ctx)))
	}
	return err
}

func (a *Attached) delete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := a.current().Delete(ctx, containerd.WithProcessKill)
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("remove a program that has ended: %w", err)
}
