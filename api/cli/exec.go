package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/exec"
)

func (p *program) execCommand() *cobra.Command {
	var s session
	cmd := &cobra.Command{
		Use:   "exec [-t|-T] CONTAINER COMMAND...",
		Short: "Run a command in a container of the host",
		Long: `Run a command in a container of the host that runs, and hand on its input, its output
and its exit status. Without a terminal at both ends, or with -T, input and output are
passed on as they are, and errors come by standard output, too. On a terminal the
command has one of the same size, and keys as ^C are for the command.

When apiclient is interrupted, or its connection is lost, the command ends. Only
admins may do this: in a container its secrets are in clear. Who ran what and how it
ended is in the audit log.

Exit status: that of the command; 128 and the signal where apiclient was ended by one;
1 where the connection ended without one.`,
		Example: `  apiclient exec control apiclient get os
  apiclient exec -t admin bash
  tar -c dir | apiclient exec admin tar -x -C /tmp
  apiclient --context lab-1 exec admin sheltie journalctl -b`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(commandOf(args)) == 0 {
				return wrongArgs(cmd, "want a CONTAINER and a COMMAND")
			}
			return nil
		},
		ValidArgsFunction: p.completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.session(cmd, s, "/exec", exec.Initialize{Target: args[0], Command: commandOf(args)})
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the container is the command's
	s.flags(cmd)
	return cmd
}

// commandOf returns the words of the command that follow the first argument, and
// perhaps two hyphens.
func commandOf(args []string) []string {
	if len(args) > 1 && args[1] == "--" {
		args = args[1:]
	}
	return args[min(1, len(args)):]
}

// A session is how a program is to run.
type session struct{ terminal, plain bool }

func (s *session) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&s.terminal, "tty", "t", false, "on a terminal, also where this is not one")
	f.BoolVarP(&s.plain, "no-tty", "T", false, "not on a terminal, also where this is one")
}

// wantsTerminal reports whether the program is to run on a terminal.
func (s session) wantsTerminal(cmd *cobra.Command) (bool, error) {
	if s.terminal && s.plain {
		return false, usage("--tty and --no-tty exclude each other")
	}
	return s.terminal || !s.plain && isTerminal(cmd.InOrStdin()) && isTerminal(cmd.OutOrStdout()), nil
}

// endings are the signals that end a session.
var endings = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}

// session runs a program over uri, and ends with its status.
func (p *program) session(cmd *cobra.Command, s session, uri string, i exec.Initialize) error {
	if p.output != "" {
		return usage("--output is not for %s: what the command writes is passed on as it is", cmd.Name())
	}
	terminal, err := s.wantsTerminal(cmd)
	if err != nil {
		return err
	}
	// Signals are dealt with here: which one it was decides the status.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(cmd.Context()))
	defer cancel(nil)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, endings...)
	defer signal.Stop(caught)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case s := <-caught:
			cancel(&signalled{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	o := exec.Options{Initialize: i, Stdin: cmd.InOrStdin(), Stdout: cmd.OutOrStdout()}
	restore := func() {}
	if terminal {
		if restore, err = attachTerminal(cmd, &o); err != nil {
			return err
		}
	}
	status, err := exec.Run(ctx, p.client(cmd).Upgrader(), uri, o)
	restore()
	cancel(nil)
	<-watched
	return sessionEnd(context.Cause(ctx), status, err)
}

// A signalled says which signal ended a session.
type signalled struct{ signal syscall.Signal }

func (s *signalled) Error() string { return "ended by " + s.signal.String() }

// sessionEnd returns what the end of a session is for the caller of the program.
func sessionEnd(cause error, status int, err error) error {
	if s, ok := errors.AsType[*signalled](cause); ok {
		return &exitStatus{128 + int(s.signal)}
	}
	if problem, ok := errors.AsType[*client.Problem](err); ok {
		return problem
	}
	if lost, ok := errors.AsType[*exec.LostError](err); ok {
		return lost
	}
	if err != nil {
		return err
	}
	if status != 0 {
		return &exitStatus{status}
	}
	return nil
}

// rawTerminal reports whether v is a terminal that can pass on each key.
func rawTerminal(v any) (*os.File, bool) {
	f, ok := v.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// attachTerminal makes the caller's terminal the program's. The function that it returns
// gives it back.
func attachTerminal(cmd *cobra.Command, o *exec.Options) (restore func(), err error) {
	o.TTY = &exec.Terminal{}
	out, shown := rawTerminal(cmd.OutOrStdout())
	in, typed := rawTerminal(cmd.InOrStdin())
	undo := []func(){}
	restore = func() {
		for _, f := range undo {
			f()
		}
	}
	if shown {
		o.TTY.Size = sizeOf(out)
		resized := make(chan exec.Size, 1)
		changed := make(chan os.Signal, 1)
		signal.Notify(changed, syscall.SIGWINCH)
		done := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-done:
					return
				case <-changed:
				}
				if size := sizeOf(out); size != nil {
					select {
					case resized <- *size:
					case <-done:
						return
					}
				}
			}
		}()
		o.Resized = resized
		undo = append(undo, func() { signal.Stop(changed); close(done); <-ended })
	}
	if typed {
		state, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			restore()
			return nil, fmt.Errorf("have the terminal pass on each key: %w", err)
		}
		undo = append(undo, func() { _ = term.Restore(int(in.Fd()), state) })
	}
	return restore, nil
}

func sizeOf(f *os.File) *exec.Size {
	cols, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || cols <= 0 || rows <= 0 {
		return nil
	}
	return &exec.Size{Rows: uint16(min(rows, 1<<16-1)), Cols: uint16(min(cols, 1<<16-1))}
}
