package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
)

// A run carries out one plan.
type run struct {
	*worker
	*job
	res    *applier.Result
	tell   func(applier.Item)
	ledger *ledger

	mu     sync.Mutex // for what follows
	faults []error    // of the apply as a whole
}

func (r *run) fault(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, err)
}

// begin cleans up after an apply that was killed and notes what this one is
// going to write. From here on whatever happens can be made up for.
func (r *run) begin() {
	for path := range r.state.Pending {
		if err := r.disk.sweep(path); err != nil {
			r.fault(err)
		}
	}
	r.ledger.intend(r.plan, r.disk.missing)
	r.save()
	if !r.disk.owners && slices.ContainsFunc(r.plan.Files, func(f plan.FileChange) bool { return f.Owner+f.Group != "" }) {
		r.res.Notes = append(r.res.Notes, "files keep this user as owner: giving them to others takes root's rights")
	}
}

// save writes the state if it has changed.
func (r *run) save() {
	l := r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty {
		return
	}
	r.step("save")
	if err := l.state.save(r.root); err != nil {
		r.fault(err)
		return
	}
	l.dirty = false
	r.step("saved")
}

func (r *run) writeFiles(ctx context.Context) {
	for _, ch := range r.plan.Files {
		r.step("file " + ch.Path)
		err := errEnding
		if ctx.Err() == nil {
			err = r.disk.carryOut(ch)
		}
		if err != nil {
			r.ledger.lack(ch.Path)
		} else {
			r.ledger.done(ch.Path)
		}
		f := applier.File{Path: ch.Path, Action: ch.Action, Error: text(err)}
		r.res.Files = append(r.res.Files, f)
		r.tell(applier.Item{File: &f})
	}
}

func (r *run) reload(ctx context.Context) {
	if !r.plan.DaemonReload {
		return
	}
	r.step("daemon-reload")
	paths := reloads(r.plan)
	err := errEnding
	if ctx.Err() == nil {
		err = r.manager.DaemonReload(context.WithoutCancel(ctx))
	}
	if err != nil {
		r.fault(fmt.Errorf("make systemd read its units: %w", err))
		r.ledger.lack(paths...)
		return
	}
	r.ledger.done(paths...)
}

func (r *run) actions(ctx context.Context) {
	for _, a := range r.plan.Actions {
		r.step("action " + a.Name)
		output, err := r.action(ctx, a)
		if err != nil {
			r.ledger.fail(a.Because...)
		} else {
			r.ledger.done(a.Because...)
		}
		done := applier.Action{Package: a.Package, Name: a.Name, Error: r.censor.text(text(err)), Output: r.censor.text(output)}
		r.res.Actions = append(r.res.Actions, done)
		r.tell(applier.Item{Action: &done})
	}
	r.save()
}

func (r *run) action(ctx context.Context, a plan.Action) (string, error) {
	if ctx.Err() != nil {
		return "", errEnding
	}
	if err := r.ledger.complete(a.Because); err != nil {
		return "", err
	}
	return r.manager.Run(context.WithoutCancel(ctx), a)
}

// end removes directories that have become empty and remembers what was done.
func (r *run) end() {
	l := r.ledger
	l.refresh()
	if slices.ContainsFunc(r.plan.Files, func(f plan.FileChange) bool { return f.Action == plan.Remove || f.Action == plan.Settle }) {
		l.mu.Lock()
		for _, dir := range slices.SortedFunc(maps.Keys(l.state.Directories), deepest) {
			if r.disk.prune(dir) {
				delete(l.state.Directories, dir)
				l.dirty = true
			}
		}
		l.mu.Unlock()
	}
	r.save()
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func same(a, b plan.Written) bool {
	return a.Hash == b.Hash && a.Package == b.Package && a.OnChange == b.OnChange && a.Secret == b.Secret && slices.Equal(a.Units, b.Units)
}
