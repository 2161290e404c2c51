package bootslot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthcheck"
)

// pause is how long to wait between looks at the node, and steady how many looks
// in a row have to be good: what starts, fails and starts again looks well now
// and then.
const (
	pause  = time.Second
	steady = 5
)

// A proof is how a boot shows that its version is good.
type proof struct {
	cmd    *cobra.Command
	opt    *options
	waiter waiter
	mark   func() error
	reboot func(context.Context) error // nil to stay, whatever happens
}

func (p proof) run(d due) error {
	ctx := p.cmd.Context()
	err := p.waiter.await(ctx, d.deadlines)
	switch {
	case err != nil && ctx.Err() != nil:
		return err // somebody ends the program: nothing is proven
	case err != nil && !d.trial:
		fmt.Fprintln(p.cmd.ErrOrStderr(), "the boot loader stays as it is:", err)
		return nil
	case err != nil:
		return p.fail(ctx, err)
	}
	if d.trial {
		if err := p.mark(); err != nil {
			return err
		}
	}
	// Only now: the next boot tries the loader, and nothing else that is new.
	if err := p.opt.updateLoader(p.cmd); err != nil {
		fmt.Fprintln(p.cmd.ErrOrStderr(), "the boot loader stays as it is:", err) // and boots
	}
	return nil
}

// fail remembers why the version did not hold, and has the node reboot when
// something else can take over.
func (p proof) fail(ctx context.Context, cause error) error {
	if err := p.opt.giveUp(p.cmd, cause.Error()); err != nil {
		return errors.Join(cause, err)
	}
	if p.reboot == nil || !p.opt.canFallBack() {
		return cause
	}
	return errors.Join(cause, p.reboot(ctx))
}

// A health says how the node is.
type health func(context.Context) (client.Health, error)

// A waiter waits until a node is healthy.
type waiter struct {
	look   health
	config func() (healthcheck.Config, error)
	units  healthcheck.Units
	pause  time.Duration
}

// await waits until the boot is complete, and then until everything works that
// has to. The first deadline is that of the activation, when the settings were
// there: now they may be what never comes.
func (w waiter) await(ctx context.Context, was healthcheck.Config) error {
	if err := w.until(ctx, was.BootDeadline(), "booted", 1, w.notBooted); err != nil {
		return err
	}
	now, err := w.config()
	if err != nil {
		return fmt.Errorf("what has to be healthy is not known: %w", err)
	}
	return w.until(ctx, now.HealthDeadline(), "healthy", steady, func(ctx context.Context) string { return w.unhealthy(ctx, now) })
}

// until asks for a fault until there is none, so many times in a row.
func (w waiter) until(ctx context.Context, limit time.Duration, what string, times int, ask func(context.Context) string) error {
	deadline, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := ""
	for good := 0; ; {
		fault := ask(deadline)
		switch {
		case fault == "":
			if good++; good == times {
				return nil
			}
		case deadline.Err() == nil || last == "":
			good, last = 0, fault // not what the deadline itself brought about
		}
		select {
		case <-deadline.Done():
			return fmt.Errorf("not %s within %s: %s", what, limit, cmp.Or(last, "it was for a moment only"))
		case <-time.After(w.pause):
		}
	}
}

// notBooted says what the boot waits for, or nothing once it is complete.
func (w waiter) notBooted(ctx context.Context) string {
	h, err := w.look(ctx)
	switch {
	case err != nil:
		return fmt.Sprintf("the settings API does not answer: %v", err)
	case h.Status != "starting":
		return ""
	}
	faults := w.faults(ctx, h)
	var waits []string
	for _, f := range h.Faults {
		if f.Severity == report.Info && f.Source != "" && f.Source != ownUnit {
			waits = append(waits, f.Source)
		}
	}
	if len(waits) > 0 {
		faults = append([]string{"it waits for " + strings.Join(waits, ", ")}, faults...)
	}
	return strings.Join(append([]string{"the boot is not complete"}, faults...), "; ")
}

// ownUnit is the unit of this program.
const ownUnit = "boot-complete.service"

// unhealthy says what does not work, or nothing.
func (w waiter) unhealthy(ctx context.Context, c healthcheck.Config) string {
	h, err := w.look(ctx)
	if err != nil {
		return fmt.Sprintf("the settings API does not answer: %v", err)
	}
	return strings.Join(append(w.faults(ctx, h), c.Run(ctx, w.units)...), "; ")
}

// faults returns what is in error. Warnings do not count: a setting that a version
// cannot carry out is no reason to leave it. Nor do units that wait for the
// network, which a version is not to blame for: those that matter have a check.
func (w waiter) faults(ctx context.Context, h client.Health) []string {
	var all []string
	for _, f := range h.Faults {
		if f.Severity != report.Error || f.Source == reporter || f.Source == ownUnit {
			continue
		}
		if f.Code == codeUnitFailed {
			if u, err := w.units.Unit(ctx, f.Source); err == nil && slices.Contains(u.Around, "network-online.target") {
				continue
			}
		}
		text := f.Detail
		if f.Source != "" {
			text = f.Source + ": " + text
		}
		all = append(all, text)
	}
	return all
}

// codeUnitFailed is of a fault whose source is a unit.
const codeUnitFailed report.Code = "unit-failed"
