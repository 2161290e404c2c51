// Package multicall runs programs of a node that share a file.
package multicall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

// A File is an executable file with programs in it, each under the name of the
// link that it is called by.
type File struct {
	Name     string
	Programs map[string]func() *cobra.Command
}

// Run runs the program that args[0] names, or else args[1], and returns its exit
// status. Without either it lists the programs.
func (f File) Run(args []string, stdout, stderr io.Writer) int {
	name, args := filepath.Base(args[0]), args[1:]
	if f.Programs[name] == nil {
		if len(args) == 0 {
			f.list(stdout)
			return 0
		}
		name, args = args[0], args[1:]
	}
	if f.Programs[name] == nil {
		fmt.Fprintf(stderr, "%s: there is no program %q\n", f.Name, name)
		f.list(stderr)
		return 2
	}
	return Run(name, f.Programs[name](), args, stdout, stderr)
}

func (f File) list(w io.Writer) {
	fmt.Fprintf(w, "usage: %s PROGRAM [ARGUMENT...]\n\nprograms:\n", f.Name)
	width := 0
	for name := range f.Programs {
		width = max(width, len(name))
	}
	for _, name := range slices.Sorted(maps.Keys(f.Programs)) {
		fmt.Fprintf(w, "  %-*s  %s\n", width, name, f.Programs[name]().Short)
	}
}

// Run runs one program until it ends, or is told to, and returns its exit status.
// Errors may have an ExitCode and a Hint.
func Run(name string, cmd *cobra.Command, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	if hinter, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok && hinter.Hint() != "" {
		fmt.Fprintln(stderr, "hint:", hinter.Hint())
	}
	if coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coder.ExitCode()
	}
	return 1
}

// Main runs a program that has a file of its own, and does not return.
func Main(name string, cmd *cobra.Command) {
	os.Exit(Run(name, cmd, os.Args[1:], os.Stdout, os.Stderr))
}
