package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

func (p *program) resetCommand() *cobra.Command {
	var keepData, yes bool
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Have the node forget everything, as if it had never booted",
		Long: `Say what a reset of the node would destroy, and with --yes do it: the node reboots,
destroys that, and takes user data again, as at its first boot. The image stays, and
so does which machine it is. With --keep-data what runs on the node keeps its data.

There is no way back. Nothing is overwritten, so that whoever gets hold of the disk
may find parts of what was on it.`,
		Example: `  apiclient --context lab-1 reset
  apiclient --context lab-1 reset --yes
  apiclient --context lab-1 reset --keep-data --yes`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api := p.client(cmd)
			plan, err := api.ResetPlan(cmd.Context(), keepData)
			if err != nil {
				return err
			}
			printReset(cmd.OutOrStdout(), plan)
			if !yes {
				p.note(cmd, "nothing was done; --yes does it")
				return nil
			}
			if err := api.Reset(cmd.Context(), keepData); err != nil {
				return err
			}
			p.note(cmd, "the node reboots, and is reset when it does")
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&keepData, "keep-data", false, "leave what runs on the node its data")
	f.BoolVar(&yes, "yes", false, "do it, and do not only say what would be done")
	return cmd
}

func printReset(w io.Writer, plan client.ResetPlan) {
	for _, part := range []struct {
		title  string
		things []client.Thing
	}{{"destroys", plan.Destroys}, {"keeps", plan.Keeps}} {
		fmt.Fprintln(w, part.title)
		for _, t := range part.things {
			fmt.Fprintf(w, "  %-24s %s\n", t.Name, t.Detail)
		}
	}
}
