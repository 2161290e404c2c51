package cli

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

func (p *program) revertCommand() *cobra.Command {
	var message string
	var dryRun bool
	var wait waiting
	cmd := &cobra.Command{
		Use:   "revert GENERATION",
		Short: "Go back to the settings of an earlier generation",
		Long: `Make the settings of GENERATION current again and apply them. This adds a
generation; nothing is lost. A try that is under way ends with it.`,
		Example: `  apiclient revert 12
  apiclient revert --dry-run 12`,
		Args:              between(1, 1, "one GENERATION"),
		ValidArgsFunction: p.completeGenerations,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseGeneration(args[0])
			if err != nil {
				return err
			}
			if err := wait.check(); err != nil {
				return err
			}
			api := p.client(cmd)
			if dryRun {
				plan, err := api.Plan(cmd.Context(), client.PlanRequest{Revert: &id})
				if err != nil {
					return err
				}
				return p.writePlan(cmd, plan)
			}
			done, err := api.Revert(cmd.Context(), id, message, wait.of(cmd))
			if err != nil {
				return err
			}
			return p.committed(cmd, done)
		},
	}
	cmd.Flags().StringVar(&message, "message", "", "why, as `TEXT` for the history")
	wait.flag(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would change, and change nothing")
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
