package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/client"
)

func (p *program) applyStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "apply-status [ID]",
		Short: "Tell what became of an apply",
		Long: `Tell which files the apply called ID wrote and what became of the units that
belong to them; without an ID the last one. The API remembers the last 50 since
it was started.

Exit status: 1 when the apply failed, in whole or in part; 0 when it did all
there was to do, while it waits or runs, and when nothing was applied yet.`,
		Example: `  apiclient apply-status
  apiclient apply-status -o json`,
		Args:              between(0, 1, "at most one ID"),
		ValidArgsFunction: p.completeApplies,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, found, err := p.findApply(cmd.Context(), p.client(cmd), args)
			if err != nil {
				return err
			}
			if p.output != "" && p.output != "table" {
				if !found {
					return p.write(cmd, nodeOf(struct{}{}), "json", "apply")
				}
				return cmp.Or(p.write(cmd, nodeOf(a), "json", "apply"), failure(a))
			}
			if !found {
				p.remark(cmd, "nothing was applied since the API was started")
				return nil
			}
			_, err = cmd.OutOrStdout().Write(applyText(a))
			return cmp.Or(err, failure(a))
		},
	}
}

// failure returns an error when the apply a failed. What failed in it is shown
// already.
func failure(a client.Apply) error {
	if a.Status != applier.Failed {
		return nil
	}
	return fmt.Errorf("apply %s failed", a.ID)
}

// findApply returns the apply that args name, or the last one.
func (p *program) findApply(ctx context.Context, api *client.Client, args []string) (client.Apply, bool, error) {
	if len(args) == 1 {
		a, err := api.FindApply(ctx, args[0])
		return a, true, err
	}
	list, err := api.Applies(ctx, 1)
	if err != nil || len(list) == 0 {
		return client.Apply{}, false, err
	}
	return list[0], true, nil
}

// applyText prints a for people.
func applyText(a client.Apply) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "apply %s: %s\n", a.ID, a.Status)
	fmt.Fprintf(&b, "generation %d, %s by %s, %s", a.Generation, a.Reason, a.Actor.Name, timeText(&a.Requested))
	if a.Started != nil && a.Finished != nil {
		fmt.Fprintf(&b, ", took %s", a.Finished.Sub(*a.Started).Round(time.Millisecond))
	}
	b.WriteByte('\n')
	for _, l := range applyLines(a, false) {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	for _, n := range a.Notes {
		fmt.Fprintf(&b, "note: %s\n", visible(n))
	}
	return b.Bytes()
}

func (p *program) completeApplies(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	list, err := p.client(cmd).Applies(ctx, 0)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, a := range list {
		ids = append(ids, described(a.ID, fmt.Sprintf("generation %d, %s, %s", a.Generation, a.Status, timeText(&a.Requested))))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
