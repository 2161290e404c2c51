package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/bench"
)

func benchCommand() *cobra.Command {
	var opt bench.Options
	var part string
	var readers struct {
		socket string
		pause  time.Duration
	}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure and compare with the bars we set",
		Long: "Build the programs, run the settings daemon with a node's user data, measure it, and print\n" +
			"each figure beside its bar. Then build an image and measure what it takes and how it boots,\n" +
			"in turns with a stock Debian system, which only root can assemble. At last build images with\n" +
			"a change each, and measure what updates to them cost.\n\n" +
			"Figures depend on the machine, which is printed first; a bar that is missed is no failure.\n" +
			"Close other programs: everything shares the cores.",
		Example: "  shipyard bench\n" +
			"  shipyard bench --part boot        # the image, without the daemon\n" +
			"  shipyard bench --part updates     # needs 20 GB of disk for a while\n" +
			"  shipyard bench --dir /srv/disk    # where commits are to be measured",
		Args: usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if readers.socket != "" {
				return bench.Read(cmd.Context(), readers.socket, readers.pause, cmd.OutOrStdout())
			}
			root, err := here()
			if err != nil {
				return err
			}
			if opt.Part = bench.Part(part); !slices.Contains(bench.Parts, opt.Part) {
				return usageError{fmt.Errorf("--part %s: want one of %v", part, bench.Parts)}
			}
			opt.Become = []string{activated}
			return bench.Run(cmd.Context(), root, opt, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Dir, "dir", "", "keep state below `DIR` instead of the repository's build directory")
	f.StringVar(&part, "part", string(bench.All), "measure only `PART`: settings, boot or updates")
	// How the bench starts its readers, which are a process of their own.
	f.StringVar(&readers.socket, "read", "", "")
	f.DurationVar(&readers.pause, "pause", 0, "")
	hide(cmd, "read", "pause")
	return cmd
}
