// Command apiclient shows and changes the settings of this node through the
// API socket. docs/reference/apiclient.md, made from its help texts, describes
// it in full.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/bulkhead-os/bulkhead/api/cli"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd := cli.Command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	cli.WriteError(os.Stderr, err)
	return cli.ExitCode(err)
}
