// Package run starts external programs.
//
// A program is a list of words, never a text for a shell. Its error tells the
// command as one could type it, how it ended and the last line it wrote to
// standard error, which is nearly always the line that says why.
package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// grace is how long a program may take to end after its context did, before
// it is killed.
const grace = 10 * time.Second

// A Command is a program to be run once.
type Command struct {
	Args   []string  // the program and its arguments
	Dir    string    // where it runs; empty for the current directory
	Env    []string  // NAME=value, in addition to this program's environment
	Stdin  io.Reader // nil for none
	Stdout io.Writer // nil to discard
	Stderr io.Writer // nil to keep only what an error tells
	// Apart puts the program into a process group of its own. An interrupt at
	// the terminal then reaches this program alone, which passes it on in its
	// own time.
	Apart bool
	// Bound makes the program end with this one: when this one dies, even if it
	// is killed, the program is told to terminate.
	Bound bool
	Files []*os.File // given to the program from descriptor 3 on
	// Attr is how the process is made; nil for the usual. Apart and Bound are
	// added.
	Attr *syscall.SysProcAttr
}

// An Error says how a program did not do its work.
type Error struct {
	Command string // quoted
	Status  int    // exit status, or -1 when it did not start or a signal ended it
	Line    string // the last line on standard error, if any
	Err     error
}

func (e *Error) Error() string {
	if e.Line == "" {
		return fmt.Sprintf("%s: %v", e.Command, e.Err)
	}
	return fmt.Sprintf("%s: %v: %s", e.Command, e.Err, e.Line)
}

func (e *Error) Unwrap() error { return e.Err }

// Status returns the exit status err tells of: 0 for nil, -1 where there was
// none.
func Status(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return -1
}

// Run runs c and waits for its end. When ctx ends first the program is
// interrupted and, if that does not help, killed.
func (c Command) Run(ctx context.Context) error {
	p, err := c.Start(ctx)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Output runs c and returns what it wrote to standard output.
func (c Command) Output(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	c.Stdout = &b
	err := c.Run(ctx)
	return b.Bytes(), err
}

// A Process is a program that was started. Its Wait must be called.
type Process struct {
	cmd   *exec.Cmd
	text  string
	tail  tail
	ended chan struct{} // closed when Wait has seen the end
}

// Start starts c.
func (c Command) Start(ctx context.Context) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, c.Args[0], c.Args[1:]...), text: c.brief(), ended: make(chan struct{})}
	p.cmd.Dir = c.Dir
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = c.Stdin, c.Stdout, &p.tail
	if c.Stderr != nil {
		p.cmd.Stderr = io.MultiWriter(c.Stderr, &p.tail)
	}
	// An interrupt lets the go command and daemons clean up behind them.
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = grace
	p.cmd.ExtraFiles = c.Files
	p.cmd.SysProcAttr = c.attributes()
	start := p.cmd.Start
	if c.Bound {
		start = p.startBound
	}
	if err := start(); err != nil {
		return nil, &Error{Command: p.text, Status: -1, Err: cause(err)}
	}
	return p, nil
}

// startBound starts p on a thread of its own, which stays until p has ended: the
// kernel sends the signal when the thread ends that started p.
func (p *Process) startBound() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			<-p.ended
		}
	}()
	return <-started
}

func (c Command) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if c.Attr != nil {
		*attr = *c.Attr
	}
	attr.Setpgid = attr.Setpgid || c.Apart
	if c.Bound {
		attr.Pdeathsig = syscall.SIGTERM
	}
	return attr
}

// cause leaves out the program's name, which the quoted command tells.
func cause(err error) error {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		return e.Err
	}
	return err
}

// Wait waits for the end of p.
func (p *Process) Wait() error {
	err := p.cmd.Wait()
	close(p.ended)
	if err == nil {
		return nil
	}
	return &Error{Command: p.text, Status: p.cmd.ProcessState.ExitCode(), Line: p.tail.last(), Err: err}
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends s to p.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Tail returns the last lines p wrote to standard error so far.
func (p *Process) Tail() []string { return p.tail.lines() }

// String returns the command as one could type it into a shell.
func (c Command) String() string {
	words := make([]string, len(c.Args))
	for i, a := range c.Args {
		words[i] = Quote(a)
	}
	return strings.Join(words, " ")
}

// longest is how many bytes of a command an error tells: some are called with the
// names of a hundred files.
const longest = 600

// brief returns the command, or as many of its words as an error has room for.
func (c Command) brief() string {
	text := c.String()
	if len(text) <= longest {
		return text
	}
	whole := Command{Args: c.Args[:1]}
	for len(whole.String()) <= longest && len(whole.Args) < len(c.Args) {
		whole.Args = c.Args[:len(whole.Args)+1]
	}
	// The last word was one too many, unless it is the program.
	n := max(len(whole.Args)-1, 1)
	return fmt.Sprintf("%s … (%d more words)", Command{Args: c.Args[:n]}, len(c.Args)-n)
}

// Quote returns word as a shell reads it back.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, needsQuote) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func needsQuote(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-+=:,./@%", r)
}
