// Package cli is the command line of shipyard.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/suite"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Exit statuses.
const (
	done    = 0
	failed  = 1
	misused = 2
)

// Run runs shipyard with args and returns its exit status: 0 done, 1 failed,
// 2 misused.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := Command()
	cmd.SetArgs(goFlags(args))
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	// What failed in the tests has been told, and the count is the last line.
	if err != nil && !errors.Is(err, suite.ErrFailed) {
		fmt.Fprintln(stderr, "shipyard:", err)
	}
	return status(err)
}

// Command returns the command shipyard with all its commands.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shipyard",
		Short: "Build, test, run and measure Bulkhead",
		Long: "shipyard is the one command for working on Bulkhead. It needs Go and nothing else, finds\n" +
			"the repository from the directory it is called in, and says what it is doing.",
		Example: "  go run ./tools/cmd/shipyard up         # try a node in a virtual machine\n" +
			"  go run ./tools/cmd/shipyard sandbox    # try the settings API without one\n" +
			"  go run ./tools/cmd/shipyard check      # the fast checks, before each commit\n" +
			"  go run ./tools/cmd/shipyard test       # everything the pipeline runs",
		Args:          usage(noWords),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(buildCommand(), bootCommand(), testCommand(), checkCommand(), generateCommand(), sandboxCommand(), benchCommand(), activatedCommand())
	cmd.AddCommand(publishCommand(), registryCommand(), imageCommand())
	cmd.AddCommand(upCommand(), downCommand(), psCommand(), kubectlCommand(), consoleCommand(), logsCommand(), superviseCommand())
	return cmd
}

// A usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage marks the errors of args as mistakes in the command line.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, words []string) error {
		if err := args(cmd, words); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// noWords refuses arguments: of a command that has others, with the one that was
// perhaps meant.
func noWords(cmd *cobra.Command, words []string) error {
	switch {
	case len(words) == 0:
		return nil
	case !cmd.HasSubCommands():
		return fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), words[0])
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(words[0]); len(near) > 0 {
		hint = fmt.Sprintf(": did you mean %s %s?", cmd.CommandPath(), near[0])
	}
	return fmt.Errorf("there is no command %q%s", cmd.CommandPath()+" "+words[0], hint)
}

func status(err error) int {
	if err == nil {
		return done
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return misused
	}
	return failed
}

// goFlags lets -run be written with one hyphen, as go test has it. Without
// this it would be read as the short flags r, u and n.
func goFlags(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "-run" || strings.HasPrefix(a, "-run=") {
			a = "-" + a
		}
		out[i] = a
	}
	return out
}

// hide leaves flags, which shipyard uses to call itself, out of the help texts.
func hide(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		cmd.Flags().Lookup(name).Hidden = true
	}
}

// here returns the repository that shipyard was called in.
func here() (workspace.Root, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return workspace.Find(dir)
}
