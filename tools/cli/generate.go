package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/generate"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func generateCommand() *cobra.Command {
	var opt struct{ check, again bool }
	var names []string
	for _, g := range generate.All() {
		names = append(names, "  "+g.Name)
	}
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write the checked-in files that programs make",
		Long: "Write the checked-in files that are made from the source, and name those that changed:\n\n" +
			strings.Join(names, "\n") + "\n\n" +
			"With --check nothing is written; what would change is shown and is a failure.",
		Example: "  shipyard generate\n  shipyard generate --check",
		Args:    usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			if opt.check {
				return checkGenerated(cmd.Context(), root, cmd.OutOrStdout())
			}
			return writeGenerated(cmd.Context(), root, cmd.OutOrStdout(), opt.again)
		},
	}
	cmd.Flags().BoolVar(&opt.check, "check", false, "write nothing, fail when a file is stale")
	cmd.Flags().BoolVar(&opt.again, "again", false, "")
	hide(cmd, "again")
	return cmd
}

func checkGenerated(ctx context.Context, root workspace.Root, out io.Writer) error {
	var faults int
	for _, g := range generate.All() {
		stale, err := generate.Stale(ctx, root, g)
		if err != nil {
			return err
		}
		if stale != "" {
			faults++
			fmt.Fprint(out, stale)
		}
	}
	if faults > 0 {
		return errors.New("generated files are stale, write them with: shipyard generate")
	}
	return nil
}

// writeGenerated writes everything that is stale.
//
// Some generators are made of Go code that others generate. Once such a file
// changed, this program is out of date, and a new build of it does the rest.
func writeGenerated(ctx context.Context, root workspace.Root, out io.Writer, again bool) error {
	for _, g := range generate.All() {
		changed, err := generate.Write(ctx, root, g)
		for _, path := range changed {
			fmt.Fprintln(out, path)
		}
		if err != nil {
			return err
		}
		if !again && hasGo(changed) {
			fmt.Fprintln(out, "Go code changed, going on with a new build")
			cmd := root.Go("run", "./tools/cmd/shipyard", "generate", "--again")
			cmd.Stdout = out
			return cmd.Run(ctx)
		}
	}
	return nil
}

func hasGo(paths []string) bool {
	for _, p := range paths {
		if strings.HasSuffix(p, ".go") {
			return true
		}
	}
	return false
}
