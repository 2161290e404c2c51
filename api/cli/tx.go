package cli

import (
	"strconv"

	"github.com/spf13/cobra"
)

func (p *program) txCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tx",
		Short: "Look after transactions: pending changes with a name",
		Long: `A transaction holds changes that are not committed. The commands that change
settings make one for themselves; with --tx NAME they add to one that waits for
its commit. Transactions are forgotten after a day.`,
		Example: `  apiclient set --tx rollout motd=new
  apiclient set --tx rollout kernel.lockdown=integrity
  apiclient diff --tx rollout
  apiclient tx commit rollout`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &UsageError{Err: usage("want list, show, commit or drop"), Hint: cmd.CommandPath() + " --help"}
		},
	}
	cmd.AddCommand(p.txListCommand(), p.txShowCommand(), p.txCommitCommand(), p.txDropCommand())
	return cmd
}

func (p *program) txListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the open transactions",
		Args:  noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := p.client(cmd).Transactions(cmd.Context())
			if err != nil {
				return err
			}
			r := rows{head: []string{"NAME", "KEYS", "CREATED", "EXPIRES", "ACTOR"}}
			for _, t := range list {
				r.cells = append(r.cells, []string{t.Name, strconv.Itoa(t.Keys), timeText(&t.Created), timeText(&t.Expires), t.Actor.Name})
			}
			return p.list(cmd, orEmpty(list), "transactions", r)
		},
	}
}

func (p *program) txShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show [NAME]",
		Short:             "Print what is pending in a transaction",
		Long:              "Print what is pending in transaction NAME, or in the one called default. What it\nwould unset is null.",
		Args:              between(0, 1, "at most one NAME"),
		ValidArgsFunction: p.completeTransactions,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "default"
			if len(args) == 1 {
				name = args[0]
			}
			body, err := p.client(cmd).Pending(cmd.Context(), name)
			if err != nil {
				return err
			}
			n, err := parseJSON(body)
			if err != nil {
				return err
			}
			return p.write(cmd, n, "json", "settings")
		},
	}
}

func (p *program) txCommitCommand() *cobra.Command {
	c := &change{p: p, kind: "tx"}
	cmd := &cobra.Command{
		Use:               "commit NAME",
		Short:             "Commit a transaction and apply it",
		Args:              between(1, 1, "the NAME of a transaction"),
		ValidArgsFunction: p.completeTransactions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd); err != nil {
				return err
			}
			return c.commit(cmd, p.client(cmd), args[0])
		},
	}
	c.commitFlags(cmd)
	return cmd
}

func (p *program) txDropCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "drop NAME...",
		Short:             "Forget transactions",
		Long:              "Forget each transaction called NAME and what is pending in it.",
		Args:              atLeast(1, "the NAME of a transaction"),
		ValidArgsFunction: p.completeTransactions,
		RunE: func(cmd *cobra.Command, names []string) error {
			api := p.client(cmd)
			dropped := []string{}
			for _, name := range names {
				keys, err := api.Drop(cmd.Context(), name)
				if err != nil {
					return err
				}
				p.remark(cmd, "transaction %s: %d settings dropped", name, len(keys))
				dropped = append(dropped, keys...)
			}
			if p.output == "" {
				return nil
			}
			return p.write(cmd, nodeOf(dropped), "json", "keys")
		},
	}
}
