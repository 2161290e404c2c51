package updater

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// An engine does what requests ask for, one after the other. Whoever uses one holds
// the lock of the updater.
type engine struct {
	node  node
	log   *slog.Logger
	store *store
	facts facts
	conf  config
	now   func() time.Time
	view  slots.View // as it was last seen

	download download.Options // beside what the settings say
	progress *progress
}

// A refusal is why a request is not begun.
type refusal struct {
	code   updater.Code
	detail string
	hint   string
}

func (r *refusal) Error() string { return r.detail }

// Hint returns what would help.
func (r *refusal) Hint() string { return r.hint }

func refuse(code updater.Code, format string, args ...any) *refusal {
	return &refusal{code: code, detail: fmt.Sprintf(format, args...)}
}

// newEngine reads what there is to know before a request.
func newEngine(n node, group int, log *slog.Logger) (_ *engine, err error) {
	e := &engine{node: n, log: log, now: time.Now}
	if e.facts, err = readFacts(n.root); err != nil {
		return nil, err
	}
	if e.conf, err = readConfig(n.config); err != nil {
		return nil, err
	}
	if e.store, err = openStore(n.dir(), group); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *engine) close() error { return e.store.close() }

// allow returns why r is not begun, if it is not. See api.md 7.2 for the first four
// actions.
func (e *engine) allow(r updater.Request) *refusal {
	if _, err := e.requested(r); err != nil {
		return refuse(updater.Invalid, "%v", err)
	}
	state := e.store.now().State
	switch r.Action {
	case updater.Refresh:
		return nil
	case updater.Prepare:
		return e.mayPrepare(r)
	case updater.Activate:
		return e.mayActivate()
	case updater.Deactivate:
		if state != updater.Ready {
			return notIn(state, r.Action, "nothing is activated")
		}
		return nil
	case updater.Apply:
		if state == updater.Ready {
			return nil // perhaps all that is left is the reboot
		}
		return e.mayWrite()
	case updater.Rollback:
		if _, err := e.planRollback(r)(e.view); err != nil {
			return refuse(updater.NotAllowed, "roll back: %v", err)
		}
		return nil
	case updater.Cancel:
		return notIn(state, r.Action, "nothing goes on")
	}
	return refuse(updater.Invalid, "action %.40q is not known", r.Action)
}

func notIn(state updater.State, a updater.Action, hint string) *refusal {
	f := refuse(updater.NotAllowed, "%s is not possible in the state %s", a, state)
	f.hint = hint
	return f
}

func (e *engine) mayPrepare(r updater.Request) *refusal {
	s := e.store.now()
	switch {
	case s.State == updater.Ready:
		return notIn(s.State, r.Action, "deactivate first, or reboot")
	case r.Version != "" || r.BundleSize > 0 || r.DryRun:
		return e.mayWrite() // it says what, or looks
	case s.State == updater.Idle:
		return notIn(s.State, r.Action, "refresh first")
	case s.ChosenUpdate == nil:
		return refuse(updater.NotListed, "no version is chosen, or the chosen one is no longer offered")
	}
	return e.mayWrite()
}

func (e *engine) mayActivate() *refusal {
	s := e.store.now()
	switch {
	case s.State == updater.Ready:
		return notIn(s.State, updater.Activate, "it is activated already")
	case s.State != updater.Staged:
		return notIn(s.State, updater.Activate, "prepare first")
	case s.StagingPartition == nil:
		return refuse(updater.NotStaged, "nothing is prepared")
	}
	return nil
}

// mayWrite returns why nothing may be written to the other slot, if that is so.
func (e *engine) mayWrite() *refusal {
	if _, err := e.view.Inactive(); err != nil {
		f := refuse(updater.NotAllowed, "%v", err)
		f.hint = "see boot-slot status"
		return f
	}
	return nil
}

func (e *engine) requested(r updater.Request) (update.Version, error) {
	if r.Version == "" {
		return update.Version{}, nil
	}
	return parseVersion(r.Version)
}

// run does what r asks for and records what came of it. The bundle is a file, or
// empty.
func (e *engine) run(ctx context.Context, r updater.Request, bundle string) error {
	e.progress = e.begin(r)
	err := e.do(ctx, r, bundle)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	finishErr := e.finish(r, err)
	if finishErr != nil {
		e.log.Error("end of action not recorded", "action", r.Action, "err", finishErr)
	}
	return errors.Join(err, finishErr)
}

func (e *engine) do(ctx context.Context, r updater.Request, bundle string) error {
	switch r.Action {
	case updater.Refresh:
		f, _, err := e.refresh(ctx, r, bundle)
		if err != nil {
			return err
		}
		return f.close()
	case updater.Prepare:
		return e.prepare(ctx, r, bundle)
	case updater.Activate:
		return e.activate()
	case updater.Deactivate:
		return e.deactivate()
	case updater.Rollback:
		if err := e.rollback(r); err != nil {
			return err
		}
		return e.reboot(ctx, r)
	case updater.Apply:
		return e.apply(ctx, r, bundle)
	}
	panic("action " + string(r.Action) + " was let through")
}

// errNothing says that there is no version to install.
var errNothing = errors.New("there is no version to install")

// apply does all that leads to another version.
func (e *engine) apply(ctx context.Context, r updater.Request, bundle string) (err error) {
	f, chosen, err := e.refresh(ctx, r, bundle)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	s := e.store.now()
	if chosen == nil {
		return e.nothing(r, bundle)
	}
	c := courseTo(chosen.Version, s)
	if c.deactivate {
		if err := e.deactivate(); err != nil {
			return err
		}
	}
	if c.stage {
		if err := e.stage(ctx, f, *chosen); err != nil {
			return err
		}
	}
	if c.activate {
		if err := e.activate(); err != nil {
			return err
		}
	}
	return e.reboot(ctx, r)
}

// A course is what an apply has to do, in this order.
type course struct{ deactivate, stage, activate bool }

// courseTo returns what leads to a version from how updates stand.
func courseTo(v update.Version, s updater.Status) course {
	there := s.StagingPartition != nil && s.StagingPartition.Image.Version == v.String()
	switch {
	case s.State == updater.Ready && there:
		return course{}
	case s.State == updater.Ready:
		return course{deactivate: true, stage: true, activate: true}
	}
	return course{stage: s.State != updater.Staged || !there, activate: true}
}

// nothing is how a request ends for which there is no version: well, unless it named
// or brought one.
func (e *engine) nothing(r updater.Request, bundle string) error {
	s, what := e.store.now(), cmp.Or(r.Version, "the version of the bundle")
	switch {
	case r.Version == "" && bundle == "":
		return nil
	case s.Waiting != "":
		return fmt.Errorf("%w: %s", errNothing, s.Waiting)
	case len(s.AvailableUpdates) > 0:
		return fmt.Errorf("%w: %s is not one of those that are offered: %s", errNothing, what, strings.Join(s.AvailableUpdates, ", "))
	}
	return fmt.Errorf("%w: %s is not offered, and no other is", errNothing, what)
}

// reboot reboots the node if r says so. What was recorded until then is on the
// disk: the reboot may come before this program ends.
func (e *engine) reboot(ctx context.Context, r updater.Request) error {
	if !r.Reboot {
		return nil
	}
	goAhead, err := power.New(e.node.power).Prepare(ctx, power.Reboot, "an update")
	if err != nil {
		return err
	}
	if err := e.finish(r, nil); err != nil {
		return err
	}
	e.progress.done = true
	if err := goAhead(); err != nil {
		e.progress.done = false // it is recorded after all
		return err
	}
	return nil
}

// finish records how r ended.
func (e *engine) finish(r updater.Request, err error) error {
	p := e.progress
	if p.done {
		return nil
	}
	p.stop()
	status, exit, text := "Success", 0, ""
	if err != nil {
		status, exit, text = "Failed", 1, err.Error()
	}
	// What the slots are like is read again: the action may have ended anywhere.
	v, lookErr := e.node.look()
	writeErr := e.store.update(func(s *updater.Status) {
		if lookErr == nil {
			e.reconcile(s, v)
		}
		now := p.now()
		now.Running = false
		s.Progress = &now
		s.LastCommand = &updater.Command{Type: r.Action, Status: status, Timestamp: e.now().UTC(), ExitStatus: &exit}
		if text != "" {
			s.LastCommand.Stderr = &text
		}
	})
	event := updater.Event{
		Time: e.now().UTC().Truncate(time.Second), Kind: string(r.Action), From: e.facts.version.String(), Actor: r.Actor, OK: err == nil, Detail: text,
		Version: p.version(),
	}
	if err != nil {
		e.log.Warn("action failed", "action", r.Action, "actor", r.Actor, "err", err)
	} else {
		e.log.Info("action done", "action", r.Action, "actor", r.Actor, "version", event.Version)
	}
	return errors.Join(writeErr, e.store.note(event))
}

// reconcile makes the status say what the slots say: they are where the state is.
func (e *engine) reconcile(s *updater.Status, v slots.View) {
	status := v.Status()
	s.ActivePartition = &updater.Partition{Image: e.image(e.facts.version.String()), NextToBoot: true}
	s.StagingPartition = nil
	s.Failed = nil
	for _, f := range status.Failed {
		if s.Failed == nil {
			s.Failed = map[string]string{}
		}
		s.Failed[f.Version] = f.Reason
	}
	state := updater.Idle
	if s.ChosenUpdate != nil && s.ChosenUpdate.Version != e.facts.version.String() {
		state = updater.Available
	}
	for _, slot := range status.Slots {
		if slot.Running || slot.Version == "" || slot.Version == status.Running {
			continue
		}
		switch {
		case slot.State == slots.Staged:
			state = updater.Staged
		case slot.Next && slot.State == slots.Trial && v.Boot.Root != slot.Root:
			state = updater.Ready
			s.ActivePartition.NextToBoot = false
		case slot.Next:
			s.ActivePartition.NextToBoot = false // the way back
		default:
			continue // what to fall back to
		}
		s.StagingPartition = &updater.Partition{Image: e.image(slot.Version), NextToBoot: slot.Next}
	}
	if s.ChosenUpdate != nil && s.ChosenUpdate.Version == e.facts.version.String() {
		s.ChosenUpdate = nil
	}
	s.State = state
}

func (e *engine) image(version string) updater.Image {
	return updater.Image{Arch: e.facts.arch, Variant: e.facts.variant, Version: version}
}
