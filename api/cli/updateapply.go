package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

// installTime is how long an installation may take by default.
const installTime = 2 * time.Hour

func (p *program) updateStageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stage",
		Short: "Write a version into the slot that does not run",
		Long: `Look for updates, and write the version that the settings choose, or VERSION, into the
slot that does not run. It does not start before it is activated.`,
		Example: `  apiclient update stage
  apiclient update stage --version 1.2.3
  apiclient update stage --bundle bulkhead-1.2.3.tar`,
	}
	u := p.newUpdating(cmd, installTime)
	u.versionFlags(cmd)
	u.bundleFlag(cmd)
	u.noWaitFlag(cmd)
	u.dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return u.within(cmd, func(r *run) error {
			if r.dryRun {
				return r.foresee(updater.Prepare)
			}
			if r.bundle == "" {
				s, err := r.do(updater.Refresh)
				if err != nil || r.Version == "" && r.nothingToInstall(s, err) {
					return err
				}
			}
			return r.finish(updater.Prepare, func(s updater.Status) error {
				p.remark(cmd, "%s is staged; start it at the next boot with: apiclient update activate", stagedVersion(s))
				return p.statusIfAsked(cmd, s)
			})
		})
	}
	return cmd
}

func (p *program) updateApplyCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Install a version: look for it, stage it, activate it",
		Long: `Look for updates, write the version that the settings choose, or VERSION, into the slot
that does not run, and have the next boot start it. With --reboot, reboot into it;
with --reboot --wait, wait until the node is up again with it, and ok. When the
version before it took over instead, that is an error.

Exit status: 0 done, or nothing was to be done; 1 failed; 2 misused; with --reboot --wait
3 and 4, as for health.`,
		Example: `  apiclient update apply
  apiclient update apply --dry-run
  apiclient --context lab-1 update apply --reboot --wait
  apiclient update apply --version 1.2.3 --ignore-waves --reboot
  apiclient update apply --bundle bulkhead-1.2.3.tar
  apiclient update apply --reboot --no-wait`,
	}
	u := p.newUpdating(cmd, installTime)
	u.versionFlags(cmd)
	u.bundleFlag(cmd)
	u.rebootFlags(cmd)
	u.noWaitFlag(cmd)
	u.dryRunFlag(cmd)
	cmd.Flags().BoolVarP(&check, "check", "c", false, "look for updates first, and do nothing when there is none, or one is active already")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return u.within(cmd, func(r *run) error {
			if r.dryRun {
				return r.foresee(updater.Apply)
			}
			if check && r.bundle == "" {
				s, err := r.do(updater.Refresh)
				if err != nil || r.settled(s) {
					return err
				}
			}
			return r.andReboot(updater.Apply)
		})
	}
	return cmd
}

func (p *program) updateRollbackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Go back to the version in the other slot",
		Long: `Have the next boot start the version in the other slot, if that has run and not failed.
Settings that were changed since stay changed; those that only the newer version has
are kept for when it runs again. With --reboot, reboot into it.

Exit status: as for apply.`,
		Example: `  apiclient update rollback
  apiclient --context lab-1 update rollback --reboot --wait`,
	}
	u := p.newUpdating(cmd, installTime)
	u.rebootFlags(cmd)
	u.noWaitFlag(cmd)
	u.dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return u.within(cmd, func(r *run) error {
			if r.dryRun {
				return r.foresee(updater.Rollback)
			}
			return r.andReboot(updater.Rollback)
		})
	}
	return cmd
}

// updateCancelCommand covers what other clients call cancel, which is to
// deactivate.
func (p *program) updateCancelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cancel",
		Short:   "End what goes on, or take back what was activated",
		Long:    "End the action that goes on; the next one makes use of what it has written. When none\ngoes on, have the next boot not start the version that was activated.",
		Example: "  apiclient update cancel",
	}
	u := p.newUpdating(cmd, time.Minute)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return u.within(cmd, func(r *run) error {
			s, err := r.api.UpdateStatus(r.ctx)
			if client.NoUpdateStatus(err) {
				return errors.New("nothing was ever done about updates")
			}
			if err != nil {
				return err
			}
			if s.Progress != nil && s.Progress.Running {
				return r.cancel()
			}
			s, err = r.do(updater.Deactivate)
			if err != nil {
				return err
			}
			p.remark(cmd, "%s does not start at the next boot", stagedVersion(s))
			return p.statusIfAsked(cmd, s)
		})
	}
	return cmd
}

// cancel ends what goes on. What becomes of it, it says itself.
func (r *run) cancel() error {
	if err := r.api.Update(r.ctx, updater.Cancel, client.UpdateRequest{}); err != nil {
		return err
	}
	s, err := r.api.AwaitIdleUpdater(r.ctx)
	if err != nil {
		return err
	}
	r.p.remark(r.cmd, "ended; what was written so far stays")
	return r.p.statusIfAsked(r.cmd, s)
}

// settled reports whether there is nothing that apply could do, and says why.
func (r *run) settled(s updater.Status) bool {
	if s.State == updater.Ready {
		r.p.note(r.cmd, "%s is active already; reboot into it with: apiclient reboot", stagedVersion(s))
		return true
	}
	return r.Version == "" && r.nothingToInstall(s, nil)
}

// nothingToInstall reports whether the node has chosen no version, and says why.
func (r *run) nothingToInstall(s updater.Status, err error) bool {
	if err != nil || s.State != updater.Idle || s.StagingPartition != nil && s.StagingPartition.NextToBoot { // the last one is a way back
		return false
	}
	text := "there is no update to install"
	if s.Waiting != "" {
		text += ": " + visible(s.Waiting)
	}
	r.p.note(r.cmd, "%s", text)
	return true
}

// finish does the last action of a command, and then calls done. Without waiting
// it ends when the action has begun.
func (r *run) finish(a updater.Action, done func(updater.Status) error) error {
	if r.noWait {
		_, err := r.begin(a)
		if err == nil {
			r.p.remark(r.cmd, "begun; see how it goes with: apiclient update status")
		}
		return err
	}
	s, err := r.do(a)
	if err != nil {
		return err
	}
	return done(s)
}

// andReboot does an action after which another version is to start, and reboots
// where that is asked for.
func (r *run) andReboot(a updater.Action) error {
	old, err := r.bootBefore()
	if err != nil {
		return err
	}
	return r.finish(a, func(s updater.Status) error {
		if r.nothingToInstall(s, nil) {
			return r.p.statusIfAsked(r.cmd, s)
		}
		if err := r.p.statusIfAsked(r.cmd, s); err != nil {
			return err
		}
		next := nextVersion(s)
		if !r.Reboot {
			r.p.remark(r.cmd, "%s starts at the next boot: apiclient reboot", versionName(next))
			return nil
		}
		if err := r.api.Reboot(r.ctx); err != nil {
			return err
		}
		r.p.note(r.cmd, "the node reboots into %s", versionName(next))
		if !r.wait {
			return nil
		}
		return r.awaitVersion(old, next)
	})
}

func versionName(version string) string {
	if version == "" {
		return "the other version"
	}
	return "version " + visible(version)
}

// nextVersion returns what the next boot starts, as far as it is known.
func nextVersion(s updater.Status) string {
	for _, slot := range []*updater.Partition{s.StagingPartition, s.ActivePartition} {
		if slot != nil && slot.NextToBoot {
			return slot.Image.Version
		}
	}
	return ""
}

// bootBefore returns the boot that runs, where the next one is waited for.
func (r *run) bootBefore() (client.Boot, error) {
	if !r.wait || !r.Reboot {
		return client.Boot{}, nil
	}
	old, err := r.api.Boot(r.ctx)
	if err == nil && old.ID == "" {
		err = &hinted{errors.New("the node does not tell its boot id, so that its next boot could not be known"), "leave --wait out"}
	}
	return old, err
}

// awaitVersion waits for the next boot until it is ok, and sees which version that
// is.
func (r *run) awaitVersion(old client.Boot, want string) error {
	start := time.Now()
	boot, err := r.p.awaitBoot(r.cmd, r.ctx, r.api, old)
	if err != nil {
		return timedOut(err, r.cmd.Context(), r.timeout, "is not up again")
	}
	r.p.note(r.cmd, "boot %s answers after %s", boot.ID, time.Since(start).Round(time.Second))
	h, err := r.p.awaitHealth(r.cmd, r.ctx, r.api)
	if err != nil {
		return timedOut(err, r.cmd.Context(), r.timeout, "is up again, but not known to be ok")
	}
	if want != "" && h.Version != want {
		return r.fellBack(h, want)
	}
	return r.p.reportHealth(r.cmd, h)
}

// fellBack says that another version runs than the one that was wanted.
func (r *run) fellBack(h client.Health, want string) error {
	why := ""
	if s, err := r.api.UpdateStatus(r.ctx); err == nil && s.Failed[want] != "" {
		why = ": " + visible(s.Failed[want])
	}
	return &hinted{
		fmt.Errorf("the node runs %s, and not %s%s", visible(h.Version), want, why),
		"see what is wrong with: apiclient health; it is not installed again unless you name it: apiclient update apply --version " + want,
	}
}

// sendBundle has an action begin with the bundle.
func (r *run) sendBundle(a updater.Action, q client.UpdateRequest) error {
	f, err := os.Open(r.bundle)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return fmt.Errorf("%s is not a bundle: want a file that shipyard publish bundle has made", r.bundle)
	}
	sent := &countingReader{Reader: f, told: func(n int64) { r.line.sent(n, info.Size()) }}
	err = r.api.UpdateFrom(r.ctx, sent, info.Size(), a, q)
	r.line.end()
	return err
}

// A countingReader tells how much was read.
type countingReader struct {
	io.Reader
	n    int64
	told func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	c.told(c.n)
	return n, err
}
