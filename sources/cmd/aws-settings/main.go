// Command aws-settings finds settings of a node on Amazon EC2 while it boots.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/bulkhead-os/bulkhead/sources/awssettings"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd := awssettings.Command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "aws-settings:", err)
	if coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coder.ExitCode()
	}
	return 1
}
