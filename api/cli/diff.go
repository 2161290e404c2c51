package cli

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

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
		var ids [2]uint64
		for i, a := range args {
			id, err := p.generation(cmd, a)
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
	last, err := api.Generations(ctx, 1, 0)
	if err != nil || len(last) == 0 {
		return err
	}
	d, err := api.Made(ctx, last[0].ID)
	if err != nil {
		return err
	}
	p.remark(cmd, "nothing is pending; this is what generation %d changed", last[0].ID)
	return p.writeDiff(cmd, d)
}

func orDefault(tx string) string {
	if tx == "" {
		return "default"
	}
	return tx
}

// generation reads the number of a generation; "current" names the newest.
func (p *program) generation(cmd *cobra.Command, arg string) (uint64, error) {
	if arg == "current" {
		last, err := p.client(cmd).Generations(cmd.Context(), 1, 0)
		if err != nil {
			return 0, err
		}
		if len(last) == 0 {
			return 0, fmt.Errorf("there are no generations yet")
		}
		return last[0].ID, nil
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(arg, "#"), 10, 64)
	if err != nil || id == 0 {
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
