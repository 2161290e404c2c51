// Command bulkhead-updates is the updater of a node in a file of its own: what it
// needs to verify and unpack updates stays out of programs that run all the time.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // for the time zone of the window: images have none

	"github.com/bulkhead-os/bulkhead/sources/updater"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd := updater.Command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "updater:", err)
	if hinter, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok && hinter.Hint() != "" {
		fmt.Fprintln(os.Stderr, "hint:", hinter.Hint())
	}
	if coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coder.ExitCode()
	}
	return 1
}
