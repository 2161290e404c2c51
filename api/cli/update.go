package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

func (p *program) updateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Find, install and take back versions of the system",
		Long: `Find versions of the system, install them, and go back. A version is written into
the slot that does not run (stage), started by the next boot (activate), and kept when
the node is healthy then; otherwise the version before it takes over by itself. What
was interrupted goes on where it ended when it is asked for again.

Commands wait for the end of what they begin and show how far it is. The node goes on
also when they are interrupted; apiclient update cancel ends it.`,
		Example: `  apiclient update check
  apiclient update apply --dry-run
  apiclient update apply --reboot --wait
  apiclient update apply --version 1.2.3 --ignore-waves
  apiclient update apply --bundle bulkhead-1.2.3.tar --reboot
  apiclient update rollback --reboot --wait`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &UsageError{Err: errors.New("no command is given"), Hint: cmd.CommandPath() + " --help"}
		},
	}
	cmd.AddCommand(
		p.updateCheckCommand(), p.updateListCommand(), p.updateStageCommand(), p.updateApplyCommand(), p.updateActivateCommand(),
		p.updateDeactivateCommand(), p.updateCancelCommand(), p.updateRollbackCommand(), p.updateStatusCommand(), p.updateHistoryCommand(),
	)
	return cmd
}

// An updating is what the commands that begin something have in common.
type updating struct {
	p *program
	client.UpdateRequest

	bundle  string
	wait    bool // for the node, after its reboot
	noWait  bool
	dryRun  bool
	timeout time.Duration
}

func (p *program) newUpdating(cmd *cobra.Command, usual time.Duration) *updating {
	u := &updating{p: p}
	timeoutFlag(cmd, &u.timeout, usual)
	cmd.Args = noStray
	return u
}

// versionFlags adds the options that choose what is installed.
func (u *updating) versionFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&u.Version, "version", "", "install `VERSION`, up or down, whatever the settings say")
	f.BoolVar(&u.IgnoreWaves, "ignore-waves", false, "as if all waves of the roll-out were over")
	complete(cmd, "version", u.p.completeVersions)
}

func (u *updating) bundleFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&u.bundle, "bundle", "", "take the update from `FILE`, which shipyard publish bundle has made, and not from a repository")
}

func (u *updating) rebootFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&u.Reboot, "reboot", "r", false, "reboot when it is done")
	f.BoolVar(&u.wait, "wait", false, "with --reboot, wait until the node is up again with the version, and ok")
}

func (u *updating) noWaitFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&u.noWait, "no-wait", false, "only have it begin; the node then reboots by itself where --reboot says so")
}

func (u *updating) dryRunFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&u.dryRun, "dry-run", false, "print what the node would fetch and do, and change nothing")
}

// foresee prints what an action would do.
func (r *run) foresee(a updater.Action) error {
	plan, err := r.api.UpdatePlan(r.ctx, a, r.UpdateRequest)
	if err != nil {
		return err
	}
	if r.p.output != "" && r.p.output != "table" {
		return r.p.write(r.cmd, nodeOf(plan), "json", "plan")
	}
	for line := range strings.Lines(plan.String()) {
		if _, err := fmt.Fprintln(r.cmd.OutOrStdout(), visible(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// check refuses options that do not go together.
func (u *updating) check(cmd *cobra.Command) error {
	if u.wait && u.noWait {
		return usage("--wait and --no-wait exclude each other")
	}
	if u.dryRun && (u.wait || u.noWait) {
		return usage("with --dry-run there is nothing to wait for")
	}
	if u.dryRun && u.bundle != "" {
		return usage("--dry-run and --bundle exclude each other: a bundle has to be there before it is known what is in it")
	}
	if cmd.Flags().Changed("version") && u.Version == "" {
		return usage("--version: the version is empty")
	}
	return checkTimeout(u.timeout)
}

// A run is one use of a command that begins something.
type run struct {
	*updating
	cmd  *cobra.Command
	api  *client.Client
	ctx  context.Context
	line *progressLine
}

// within calls f with a run that ends when its time is over.
func (u *updating) within(cmd *cobra.Command, f func(*run) error) error {
	if err := u.check(cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), u.timeout)
	defer cancel()
	r := &run{u, cmd, u.p.client(cmd), ctx, u.p.newProgressLine(cmd)}
	err := f(r)
	r.line.end()
	switch {
	case cmd.Context().Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return &hinted{fmt.Errorf("the node is not done after %s, and goes on", u.timeout), "see how far it is with: apiclient update status"}
	case cmd.Context().Err() != nil && r.line.began:
		return &hinted{errors.New("interrupted; the node goes on"), "end that with: apiclient update cancel"}
	}
	return err
}

// do has an action begin and waits for its end, which has to be a good one.
func (r *run) do(a updater.Action) (updater.Status, error) {
	since, err := r.begin(a)
	if err != nil {
		return updater.Status{}, err
	}
	return r.await(a, since)
}

func (r *run) begin(a updater.Action) (client.UpdateMark, error) {
	since, err := r.api.MarkUpdate(r.ctx)
	if err != nil {
		return since, err
	}
	err = r.send(a)
	// A node that has just booted looks what became of the last update.
	for tries := 0; client.UpdaterBusy(err) && tries < 3; tries++ {
		free, waiting := r.api.AwaitTurn(r.ctx)
		if waiting != nil || !free {
			break
		}
		if since, waiting = r.api.MarkUpdate(r.ctx); waiting != nil {
			break
		}
		err = r.send(a)
	}
	r.line.began = err == nil
	return since, err
}

func (r *run) send(a updater.Action) error {
	q := r.UpdateRequest
	q.Reboot = q.Reboot && r.noWait // who waits does it himself, so that nobody is surprised who has given up
	if r.bundle != "" {
		return r.sendBundle(a, q)
	}
	return r.api.Update(r.ctx, a, q)
}

func (r *run) await(a updater.Action, since client.UpdateMark) (updater.Status, error) {
	say := r.p.progress(r.cmd)
	s, err := r.api.AwaitUpdate(r.ctx, a, since, func(s updater.Status, err error) {
		switch {
		case err == nil:
			r.line.show(s)
		case r.ctx.Err() == nil:
			r.line.end()
			say("%v", err)
		}
	})
	r.line.end()
	if err != nil {
		return s, err
	}
	if c := s.LastCommand; !c.OK() {
		hint := ""
		if s.Progress != nil && s.Progress.Done() > 0 {
			hint = "what was written stays; the same command goes on from there"
		}
		return s, &hinted{fmt.Errorf("%s: %s", a, cmp.Or(visible(c.Why()), "it failed, and the node does not say why")), hint}
	}
	return s, nil
}

// simple returns a command that does one thing.
func (p *program) simple(use, short, long, example string, a updater.Action, done func(updater.Status) string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example}
	u := p.newUpdating(cmd, time.Minute)
	u.dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return u.within(cmd, func(r *run) error {
			if r.dryRun {
				return r.foresee(a)
			}
			s, err := r.do(a)
			if err != nil {
				return err
			}
			p.remark(cmd, "%s", done(s))
			return p.statusIfAsked(cmd, s)
		})
	}
	return cmd
}

func (p *program) updateActivateCommand() *cobra.Command {
	return p.simple("activate", "Have the next boot start the version that was staged",
		"Have the next boot start the version that was staged.", "  apiclient update activate",
		updater.Activate, func(s updater.Status) string { return stagedVersion(s) + " starts at the next boot" })
}

func (p *program) updateDeactivateCommand() *cobra.Command {
	return p.simple("deactivate", "Have the next boot not start the version that was staged",
		"Take an activation back. What was written stays, and can be activated again.", "  apiclient update deactivate",
		updater.Deactivate, func(s updater.Status) string { return stagedVersion(s) + " does not start at the next boot" })
}

// statusIfAsked prints s where -o asks for data.
func (p *program) statusIfAsked(cmd *cobra.Command, s updater.Status) error {
	if p.output == "" || p.output == "table" {
		return nil
	}
	return p.write(cmd, nodeOf(s), "json", "update")
}

// stagedVersion names what the other slot holds.
func stagedVersion(s updater.Status) string {
	if s.StagingPartition == nil {
		return "the other version"
	}
	return "version " + visible(s.StagingPartition.Image.Version)
}

func (p *program) completeVersions(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	s, err := p.client(cmd).UpdateStatus(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.AvailableUpdates, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
