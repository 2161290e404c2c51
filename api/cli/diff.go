package cli

import (
	"bytes"
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
)

func (p *program) diffCommand() *cobra.Command {
	var tx string
	cmd := &cobra.Command{
		Use:   "diff [A [B]]",
		Short: "Show how generations of the settings differ",
		Long: `Show what changed from generation A to generation B, or to the current one.

Without arguments, show what the pending changes of a transaction would do; when
there are none, what the last commit changed.`,
		Example: `  apiclient diff
  apiclient diff 12
  apiclient diff 12 15
  apiclient diff --tx rollout`,
		Args:              between(0, 2, "at most two generations"),
		ValidArgsFunction: p.completeGenerations,
	}
	cmd.Flags().StringVar(&tx, "tx", "", "show what the changes pending in transaction `NAME` would do")
	complete(cmd, "tx", p.completeTransactions)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return p.diffPending(cmd, tx)
		}
		if tx != "" {
			return usage("--tx takes no generations")
		}
		ids := [2]uint64{1: client.Current}
		for i, a := range args {
			id, err := parseGeneration(a)
			if err != nil {
				return err
			}
			ids[i] = id
		}
		d, err := p.client(cmd).Diff(cmd.Context(), ids[0], ids[1])
		if err != nil {
			return err
		}
		return p.writeDiff(cmd, d)
	}
	return cmd
}

// diffPending shows the plan of tx. An empty name stands for the default
// transaction, where the last commit is shown instead of nothing.
func (p *program) diffPending(cmd *cobra.Command, tx string) error {
	api, ctx := p.client(cmd), cmd.Context()
	pending, err := api.Pending(ctx, tx)
	if err != nil {
		return err
	}
	if tx == "" && string(bytes.TrimSpace(pending)) == "{}" {
		return p.diffLast(ctx, cmd, api)
	}
	plan, err := api.Plan(ctx, client.PlanRequest{Tx: orDefault(tx)})
	if err != nil {
		return err
	}
	return p.writePlan(cmd, plan)
}

func (p *program) diffLast(ctx context.Context, cmd *cobra.Command, api *client.Client) error {
	d, err := api.Made(ctx, client.Current)
	if err != nil {
		return err
	}
	if d.To == 0 {
		p.remark(cmd, "nothing is pending, and nothing was committed yet")
	} else {
		p.remark(cmd, "nothing is pending; this is what generation %d changed", d.To)
	}
	return p.writeDiff(cmd, d)
}

func orDefault(tx string) string {
	if tx == "" {
		return "default"
	}
	return tx
}

// parseGeneration reads the number of a generation, or "current".
func parseGeneration(arg string) (uint64, error) {
	if arg == "current" {
		return client.Current, nil
	}
	id, err := strconv.ParseUint(arg, 10, 63)
	if err != nil {
		return 0, usage("%q is not a generation, want a number as apiclient history prints it, or current", arg)
	}
	return id, nil
}

func (p *program) writeDiff(cmd *cobra.Command, d client.Diff) error {
	data := struct {
		From    uint64            `json:"from"`
		To      uint64            `json:"to"`
		Changes []document.Change `json:"changes"`
	}{d.From, d.To, orEmpty(d.Changes)}
	return p.writeDifference(cmd, data, d.Changes)
}
