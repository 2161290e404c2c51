package cli

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

func (p *program) revertCommand() *cobra.Command {
	c := &change{p: p, kind: "revert"}
	cmd := &cobra.Command{
		Use:   "revert GENERATION",
		Short: "Go back to the settings of an earlier generation",
		Long: `Make the settings of GENERATION current again and apply them. This adds a
generation; nothing is lost. A try that is under way ends with it. From the
network, going back to another network is tried as other changes of it are.`,
		Example: `  apiclient revert 12
  apiclient revert --dry-run 12`,
		Args:              between(1, 1, "one GENERATION"),
		ValidArgsFunction: p.completeGenerations,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseGeneration(args[0])
			if err != nil {
				return err
			}
			if err := c.check(cmd); err != nil {
				return err
			}
			api := p.client(cmd)
			if c.dryRun {
				plan, err := api.Plan(cmd.Context(), client.PlanRequest{Revert: &id})
				if err != nil {
					return err
				}
				return p.writePlan(cmd, plan)
			}
			done, err := api.Revert(cmd.Context(), client.RevertRequest{To: id, Message: c.message, Try: c.try, NoTry: c.noTry, Wait: c.wait.of(cmd)})
			if err != nil {
				return err
			}
			return p.committed(cmd, done)
		},
	}
	c.commitFlags(cmd)
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "print what would change, and change nothing")
	return cmd
}

func (p *program) confirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm [GENERATION]",
		Short: "Keep the settings that are on trial",
		Long: `Keep what was committed with --try. Naming the GENERATION makes sure that no
other one is kept.`,
		Args:              between(0, 1, "at most one GENERATION"),
		ValidArgsFunction: p.completeGenerations,
		RunE: func(cmd *cobra.Command, args []string) error {
			var id uint64
			if len(args) == 1 {
				var err error
				if id, err = parseGeneration(args[0]); err != nil {
					return err
				}
				if id == client.Current { // only that one can be on trial
					id = 0
				}
			}
			g, err := p.client(cmd).Confirm(cmd.Context(), id)
			if err != nil {
				return err
			}
			p.remark(cmd, "generation %d stays", g.ID)
			if p.output == "" {
				return nil
			}
			return p.write(cmd, nodeOf(g), "json", "generation")
		},
	}
}
