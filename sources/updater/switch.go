package updater

import (
	"errors"
	"fmt"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// activate has the next boot try what is staged.
func (e *engine) activate() error {
	e.progress.step("activate")
	s := e.store.now()
	if s.StagingPartition == nil {
		return errors.New("nothing is prepared")
	}
	version := s.StagingPartition.Image.Version
	e.progress.set(func(p *updater.Progress) { p.Version = version })
	err := e.store.remember(func(m *memory) { m.Tried, m.From = version, e.facts.version.String() })
	if err != nil {
		return err
	}
	if err := e.change(e.planActivate(version)); err != nil {
		return fmt.Errorf("activate version %s: %w", version, err)
	}
	return e.see()
}

// deactivate takes an activation back.
func (e *engine) deactivate() error {
	s := e.store.now()
	if s.StagingPartition == nil {
		return errors.New("nothing is activated")
	}
	version := s.StagingPartition.Image.Version
	e.progress.set(func(p *updater.Progress) { p.Version = version })
	if err := e.change(planDeactivate(version)); err != nil {
		return fmt.Errorf("deactivate version %s: %w", version, err)
	}
	if err := e.store.remember(func(m *memory) { m.Tried, m.From = "", "" }); err != nil {
		return err
	}
	return e.see()
}

// rollback has the next boot be one of the version before.
func (e *engine) rollback(r updater.Request) error {
	e.progress.step("activate")
	if err := e.change(e.planRollback(r)); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return e.see()
}

// A planner plans a change of what the slots are like.
type planner func(slots.View) (slots.Plan, error)

func (e *engine) planActivate(version string) planner {
	return func(v slots.View) (slots.Plan, error) {
		return v.Activate(version, e.now().UTC().Truncate(time.Second), slots.Careful)
	}
}

func planDeactivate(version string) planner {
	return func(v slots.View) (slots.Plan, error) { return v.Deactivate(version) }
}

func (e *engine) planRollback(r updater.Request) planner {
	reason := "rolled back"
	if r.Actor != "" {
		reason += " by " + r.Actor
	}
	return func(v slots.View) (slots.Plan, error) {
		return v.Rollback(reason, e.now().UTC().Truncate(time.Second), slots.Careful)
	}
}

// preview returns what r would change of the slots, where that is all that it does.
func (e *engine) preview(r updater.Request) (slots.Plan, error) {
	v, err := e.node.look()
	if err != nil {
		return nil, err
	}
	version := ""
	if s := e.store.now(); s.StagingPartition != nil {
		version = s.StagingPartition.Image.Version
	}
	plan := map[updater.Action]planner{
		updater.Activate: e.planActivate(version), updater.Deactivate: planDeactivate(version), updater.Rollback: e.planRollback(r),
	}[r.Action]
	return plan(v)
}

// change carries out a plan. It is refused where it gives tries to what the firmware
// would not start.
func (e *engine) change(plan planner) error {
	return e.node.session(esp.Write, func(session *slots.Session) error {
		p, err := plan(session.View)
		if err != nil {
			return err
		}
		for _, version := range p.Tried() {
			if err := session.Check(version); err != nil {
				return err
			}
		}
		return session.Carry(p, func(step slots.Step) { e.log.Info("slots changed", "step", step.String()) })
	})
}

// see makes the status say what the slots are like now.
func (e *engine) see() error {
	v, err := e.node.look()
	if err != nil {
		return err
	}
	e.view = v
	return e.store.update(func(s *updater.Status) { e.reconcile(s, v) })
}

// wake is what is due once after each boot: the status is made true, and what became
// of the version that was tried is written down.
func (e *engine) wake() error {
	v, err := e.node.look()
	if err != nil {
		return err
	}
	err = e.store.update(func(s *updater.Status) {
		e.reconcile(s, v)
		if s.Progress != nil {
			s.Progress.Running = false // whatever ran was cut off
		}
	})
	if err != nil {
		return err
	}
	event, known := e.outcome(v)
	if !known {
		return nil
	}
	if err := e.store.note(event); err != nil {
		return err
	}
	return e.store.remember(func(m *memory) { m.Tried, m.From = "", "" })
}

// outcome returns what became of the version that was tried, once that is known.
func (e *engine) outcome(v slots.View) (updater.Event, bool) {
	m := e.store.memory
	run := v.Running()
	if m.Tried == "" || run == nil {
		return updater.Event{}, false
	}
	event := updater.Event{Time: e.now().UTC().Truncate(time.Second), Version: m.Tried, From: m.From}
	if run.Name.Version == m.Tried {
		event.Kind, event.OK = "kept", true
		return event, run.Name.State() == slots.Good
	}
	for _, f := range v.Memory.Failed {
		if f.Version == m.Tried {
			event.Kind, event.Detail = "failed", f.Reason
			return event, true
		}
	}
	return updater.Event{}, false
}
