// Command bulkhead is the programs of a node in one file. It runs the one that
// it is called by the name of, or that its first argument names; without
// either it lists them.
package main

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

	"github.com/bulkhead-os/bulkhead/sources/apiserver"
	"github.com/bulkhead-os/bulkhead/sources/apply"
	"github.com/bulkhead-os/bulkhead/sources/auditverify"
	"github.com/bulkhead-os/bulkhead/sources/bootsettings"
	"github.com/bulkhead-os/bulkhead/sources/bootslot"
	"github.com/bulkhead-os/bulkhead/sources/console"
	"github.com/bulkhead-os/bulkhead/sources/crash"
	"github.com/bulkhead-os/bulkhead/sources/disknames"
	"github.com/bulkhead-os/bulkhead/sources/generate"
	"github.com/bulkhead-os/bulkhead/sources/kernelsettings"
	"github.com/bulkhead-os/bulkhead/sources/networkconfig"
	"github.com/bulkhead-os/bulkhead/sources/power"
	"github.com/bulkhead-os/bulkhead/sources/provision"
	"github.com/bulkhead-os/bulkhead/sources/storage"
	"github.com/bulkhead-os/bulkhead/sources/truststore"
)

var programs = map[string]func() *cobra.Command{
	"apiserver":       apiserver.Command,
	"apply":           apply.Command,
	"audit-verify":    auditverify.Command,
	"boot-settings":   bootsettings.Command,
	"boot-slot":       bootslot.Command,
	"console-status":  console.Command,
	"disk-names":      disknames.Command,
	"crash-report":    crash.Command,
	"generate":        generate.Command,
	"kernel-settings": kernelsettings.Command,
	"network-config":  networkconfig.Command,
	"power":           power.Command,
	"provision":       provision.Command,
	"storage":         storage.Command,
	"trust-store":     truststore.Command,
}

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	name, args := filepath.Base(args[0]), args[1:]
	if programs[name] == nil {
		if len(args) == 0 {
			list(stdout)
			return 0
		}
		name, args = args[0], args[1:]
	}
	program := programs[name]
	if program == nil {
		fmt.Fprintf(stderr, "bulkhead: there is no program %q\n", name)
		list(stderr)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd := program()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	return exitCode(err)
}

func list(w io.Writer) {
	fmt.Fprintln(w, "usage: bulkhead PROGRAM [ARGUMENT...]\n\nprograms:")
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		fmt.Fprintf(w, "  %-14s %s\n", name, programs[name]().Short)
	}
}

func exitCode(err error) int {
	coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	switch {
	case err == nil:
		return 0
	case ok:
		return coder.ExitCode()
	}
	return 1
}
