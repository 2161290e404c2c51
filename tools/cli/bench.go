package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/bench"
)

func benchCommand() *cobra.Command {
	var opt bench.Options
	var readers struct {
		socket string
		pause  time.Duration
	}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure and compare with the bars we set",
		Long: "Build the programs, run the settings daemon with a node's user data, measure it, and print\n" +
			"each figure beside its bar. Figures depend on the machine, which is printed first; a bar\n" +
			"that is missed is no failure. Close other programs: everything shares the cores.",
		Example: "  shipyard bench\n" +
			"  shipyard bench --dir /srv/disk    # where commits are to be measured",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if readers.socket != "" {
				return bench.Read(cmd.Context(), readers.socket, readers.pause, cmd.OutOrStdout())
			}
			root, err := here()
			if err != nil {
				return err
			}
			opt.Become = []string{activated}
			return bench.Run(cmd.Context(), root, opt, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Dir, "dir", "", "keep state below `DIR` instead of the repository's build directory")
	// How the bench starts its readers, which are a process of their own.
	f.StringVar(&readers.socket, "read", "", "")
	f.DurationVar(&readers.pause, "pause", 0, "")
	hide(cmd, "read", "pause")
	return cmd
}
