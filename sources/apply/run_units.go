package apply

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
)

// parallel is how many units are dealt with at a time.
const parallel = 4

// units does what the plan says about units: first those that stop, then the
// others, each after those it comes after.
func (r *run) units(ctx context.Context) {
	var stops, others []plan.UnitAction
	for _, u := range r.plan.Units {
		if u.Action == plan.Stop {
			stops = append(stops, u)
		} else {
			others = append(others, u)
		}
	}
	r.res.Units = append(r.inOrder(ctx, stops), r.inOrder(ctx, others)...)
}

// inOrder deals with units and returns what became of them. Those that nothing
// orders are dealt with at the same time.
func (r *run) inOrder(ctx context.Context, units []plan.UnitAction) []applier.Unit {
	out := make([]applier.Unit, len(units))
	done := map[string]chan struct{}{}
	for _, u := range units {
		done[u.Name] = make(chan struct{})
	}
	slots := make(chan struct{}, parallel)
	var work sync.WaitGroup
	for i, u := range units {
		work.Go(func() {
			defer close(done[u.Name])
			for _, first := range u.After {
				if ch := done[first]; ch != nil {
					<-ch
				}
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i] = r.unit(ctx, u)
		})
	}
	work.Wait()
	return out
}

// unit deals with one unit.
func (r *run) unit(ctx context.Context, u plan.UnitAction) applier.Unit {
	r.step("unit " + u.Name)
	res := applier.Unit{Name: u.Name, Action: u.Action}
	note, err := r.attempt(ctx, u)
	// The wait for a unit is part of its item and has limits of its own.
	own := context.WithoutCancel(ctx)
	after, stateErr := r.manager.State(own, u.Name)
	if err == nil {
		err = stateErr
	}
	res.State, res.Sub, res.Note = after.Active, after.Sub, note
	if err != nil {
		res.Error = r.censor.text(err.Error())
		res.Journal = r.censor.lines(r.manager.Journal(own, u.Name))
		r.ledger.fail(u.Because...)
	} else {
		r.ledger.done(u.Because...)
	}
	r.tell(applier.Item{Unit: &res})
	r.step("unit " + u.Name + " done")
	r.save()
	return res
}

// attempt does what u says and returns why nothing had to be done, if so.
func (r *run) attempt(ctx context.Context, u plan.UnitAction) (note string, err error) {
	if ctx.Err() != nil {
		return "", errEnding
	}
	if err := r.ledger.complete(u.Because); err != nil {
		return "", err
	}
	// Whatever starts from now on finds its files as they should be, and what
	// it comes after done with.
	ready := monotonic()
	ctx = context.WithoutCancel(ctx)
	st, err := r.manager.State(ctx, u.Name)
	if err != nil {
		return "", err
	}
	if st.Absent {
		if u.Action == plan.Stop {
			return "there is no such unit", nil
		}
		return "", errors.New("there is no such unit")
	}
	note, err = r.change(ctx, u, st, ready)
	if errors.Is(err, errQueued) {
		return "it starts in its turn: the node boots", nil
	}
	return note, err
}

// change takes the unit from st to what u says.
func (r *run) change(ctx context.Context, u plan.UnitAction, st State, ready time.Duration) (note string, err error) {
	switch u.Action {
	case plan.Stop:
		if st.Active == "inactive" {
			return "it does not run", nil
		}
		return "", r.manager.Stop(ctx, u)
	case plan.Start:
		if st.Active == "inactive" || st.Active == "deactivating" {
			return "", r.manager.Start(ctx, u)
		}
		// It runs already, with files that may be older.
		return r.renew(ctx, u, st, ready)
	}
	switch st.Active {
	case "inactive", "deactivating":
		if u.Starts {
			return "", r.manager.Start(ctx, u)
		}
		return "it does not run", nil
	}
	return r.renew(ctx, u, st, ready)
}

// renew restarts or reloads a unit that runs, is about to, or has failed.
func (r *run) renew(ctx context.Context, u plan.UnitAction, st State, ready time.Duration) (note string, err error) {
	if st.Active == "activating" && st.Sub != "auto-restart" && st.Began < ready {
		// It may have read its files already. A restart now would cut off what
		// it does first; one that never gets ready is restarted all the same.
		err := r.manager.Settled(ctx, u.Name)
		if err != nil {
			r.log.Warn("unit does not get ready", "unit", u.Name, "err", err)
		}
		if st, err = r.manager.State(ctx, u.Name); err != nil {
			return "", err
		}
	}
	switch {
	case st.Active != "failed" && st.Active != "inactive" && st.Began >= ready:
		return "it was started anew meanwhile", nil
	case u.Action == plan.Reload && (st.Active == "active" || st.Active == "reloading"):
		return "", r.manager.Reload(ctx, u)
	}
	return "", r.manager.Restart(ctx, u)
}

// monotonic returns the time on the clock that systemd stamps its units with.
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // every Linux has it
	}
	return time.Duration(ts.Nano())
}
