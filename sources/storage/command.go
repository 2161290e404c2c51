// Package storage makes and mounts what a node keeps on its disk.
//
// The image has a partition PRIVATE, for settings and the state of boots. Behind
// it the first boot makes DATA of the rest of the disk, for all else, and a later
// boot lets it take the room that a larger disk gives. A file system that has
// ever been used is not made again, whatever has become of it: what cannot be
// mounted is kept in memory for this boot, and the health of the node says so.
//
// A run looks at the disk, makes a plan of steps that depends on nothing else,
// and carries it out. A run that was cut off, at any point, is completed by the
// next one.
package storage

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// Command returns the program.
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "storage",
		Short: "Make and mount what the node keeps on its disk",
		Long: `Make the partition DATA at the first boot of a node, let it grow with the disk, and
mount it and PRIVATE. What was done and what is wrong is in
/run/bulkhead/storage.json.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return setUp(cmd.Context(), options{root: "/", step: func(string) {}}, logger(cmd.ErrOrStderr()))
		},
	}
}

// logger leaves the time to the journal.
func logger(w io.Writer) *slog.Logger {
	noTime := func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: noTime}))
}
