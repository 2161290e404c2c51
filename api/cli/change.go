package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// A change is what the commands that change settings have in common: the
// options, and the way through a transaction to a generation.
type change struct {
	p       *program
	kind    string // the command's name
	ifMatch string

	tx      string
	message string
	try     time.Duration
	noTry   bool
	wait    waiting
	dryRun  bool
}

func (p *program) newChange(cmd *cobra.Command) *change {
	c := &change{p: p, kind: cmd.Name()}
	c.commitFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&c.dryRun, "dry-run", false, "print what would change, and change nothing")
	f.StringVar(&c.tx, "tx", "", "add the change to transaction `NAME` instead of committing it")
	complete(cmd, "tx", p.completeTransactions)
	return c
}

// commitFlags adds the options of a commit.
func (c *change) commitFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.message, "message", "", "why, as `TEXT` for the history")
	f.DurationVar(&c.try, "try", 0, "take the change back after `TIME`, as in 5m, unless it is confirmed by then")
	f.BoolVar(&c.noTry, "no-try", false, "keep the change without confirmation, also one of the network made from the network, which is otherwise tried for 5m")
	c.wait.flag(cmd)
}

// check refuses options that do not go together.
func (c *change) check(cmd *cobra.Command) error {
	changed := cmd.Flags().Changed
	switch {
	case changed("try") && c.try <= 0:
		return usage("--try %s: want a time above zero, as in 5m", c.try)
	case c.noTry && c.try != 0:
		return usage("--try and --no-try exclude each other")
	case changed("tx") && c.tx == "":
		return usage("--tx: the name is empty")
	case c.tx != "" && c.dryRun:
		return &UsageError{Err: fmt.Errorf("--tx and --dry-run exclude each other"), Hint: "apiclient diff --tx " + c.tx + " shows what a transaction would change"}
	case c.tx != "" && (c.message != "" || c.try != 0 || c.noTry || changed("wait")):
		return &UsageError{Err: fmt.Errorf("--message, --try, --no-try and --wait belong to the commit of transaction %s", c.tx), Hint: "apiclient tx commit --help"}
	}
	return c.wait.check()
}

// A stage adds changes to the transaction called tx and returns the number of
// warnings.
type stage func(ctx context.Context, api *client.Client, tx string) (warnings int, err error)

// run stages changes and, unless the user named a transaction, commits them.
// A transaction of our own is dropped when anything fails.
func (c *change) run(cmd *cobra.Command, s stage) error {
	if err := c.check(cmd); err != nil {
		return err
	}
	api, ctx := c.p.client(cmd), cmd.Context()
	if c.tx != "" {
		if _, err := s(ctx, api, c.tx); err != nil {
			return err
		}
		c.p.remark(cmd, "pending in transaction %s; commit it with: apiclient tx commit %s", c.tx, c.tx)
		return nil
	}
	tx := "apiclient-" + c.kind + "-" + rand.Text()[:16]
	warnings, err := s(ctx, api, tx)
	if err == nil && c.dryRun {
		err = c.plan(cmd, api, tx)
		drop(ctx, api, tx)
		return err
	}
	if err == nil {
		err = c.commit(cmd, api, tx)
	}
	if err != nil && !isCommitted(err) {
		drop(ctx, api, tx)
		return err
	}
	if warnings > 0 {
		c.p.remark(cmd, "there are %d warnings; --dry-run and apiclient validate show them", warnings)
	}
	return err
}

// isCommitted reports whether the settings are changed in spite of err.
func isCommitted(err error) bool {
	_, ok := errors.AsType[*unapplied](err)
	return ok
}

// drop forgets tx, also when ctx has ended. It is a courtesy: a transaction
// that stays behind does nothing and expires within a day.
func drop(ctx context.Context, api *client.Client, tx string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = api.Drop(ctx, tx)
}

// commit makes what is pending in tx the settings of the node.
func (c *change) commit(cmd *cobra.Command, api *client.Client, tx string) error {
	done, err := api.Commit(cmd.Context(), client.CommitRequest{
		Tx: tx, Message: c.message, Try: c.try, NoTry: c.noTry, IfMatch: c.ifMatch, Apply: true, Wait: c.wait.of(cmd),
	})
	if err != nil {
		return err
	}
	return c.p.committed(cmd, done)
}

// committed tells what a commit did: nothing on standard output unless -o asks
// for data, and on standard error what a person has to know. A change that was
// waited for and is not applied is an error.
func (p *program) committed(cmd *cobra.Command, done client.Committed) error {
	what := "1 setting"
	if n := len(done.Changed); n != 1 {
		what = fmt.Sprintf("%d settings", n)
	}
	p.remark(cmd, "generation %d: %s", done.Generation, what)
	if t := done.TryDeadline; t != nil && done.TryByDefault {
		p.note(cmd, "a change of the network from the network is on trial until %s; see that you still reach the node, and keep it with: apiclient confirm", timeText(t))
	} else if t != nil {
		p.note(cmd, "on trial until %s; keep it with: apiclient confirm", timeText(t))
	}
	if !done.Applied {
		p.remark(cmd, "nothing was applied: this API only stores settings")
	}
	if p.output != "" {
		done.Changed = orEmpty(done.Changed)
		if err := p.write(cmd, nodeOf(done), "json", "commit"); err != nil {
			return err
		}
	}
	if done.Apply == nil {
		if done.ApplyID != "" {
			p.remark(cmd, "being applied; see how it goes with: apiclient apply-status %s", done.ApplyID)
		}
		return nil
	}
	return p.outcome(cmd, *done.Apply)
}

// plan prints what is pending in tx would change.
func (c *change) plan(cmd *cobra.Command, api *client.Client, tx string) error {
	plan, err := api.Plan(cmd.Context(), client.PlanRequest{Tx: tx})
	if err != nil {
		return err
	}
	return c.p.writePlan(cmd, plan)
}
