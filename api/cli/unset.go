package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
)

func (p *program) unsetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unset KEY...",
		Short: "Remove settings, so that generated values and defaults count again",
		Long: `Remove what was set at each KEY and below it. A generated value or a default
counts again where there is one. What is not set is left out: running the command
again does no harm.`,
		Example: `  apiclient unset motd
  apiclient unset 'kubernetes.node-labels."example.org/zone"' host-containers.mine`,
		Args:              atLeast(1, "the KEY of a setting"),
		ValidArgsFunction: p.completeKeys(""),
	}
	c := p.newChange(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		keys, err := parseKeys(args)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.IsRoot() {
				return usage("%q names all settings, want the names of those to remove", key.Root)
			}
		}
		err = c.run(cmd, func(ctx context.Context, api *client.Client, tx string) (int, error) {
			return 0, api.Unset(ctx, tx, keys)
		})
		if prob, ok := errors.AsType[*client.Problem](err); ok && prob.Code == "nothing-pending" {
			p.remark(cmd, "nothing to remove: none of these is set")
			return nil
		}
		return err
	}
	return cmd
}

// parseKeys reads keys given on the command line.
func parseKeys(args []string) ([]key.Key, error) {
	var keys []key.Key
	for _, a := range args {
		k, err := key.Parse(a)
		if err != nil {
			return nil, usage("%w", err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}
