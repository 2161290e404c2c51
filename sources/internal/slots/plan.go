package slots

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Step is one change. It is carried out whole or not at all.
type Step interface {
	String() string
}

// A Rename gives a boot program another name.
type Rename struct{ From, To, Why string }

// An Unname takes one of two names from a boot program.
type Unname struct{ File, Why string }

// A Remember replaces what is remembered.
type Remember struct {
	Memory Memory
	Why    string
}

func (r Rename) String() string {
	return fmt.Sprintf("rename %s to %s: %s", r.From, r.To, r.Why)
}

func (u Unname) String() string { return fmt.Sprintf("remove the name %s: %s", u.File, u.Why) }

func (r Remember) String() string { return "remember: " + r.Why }

// A Plan is what is to be done, in this order. Each step leaves a state from
// which a node boots, and from which Repair and the same plan lead on.
type Plan []Step

func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

// Tried returns the versions that p gives tries to.
func (p Plan) Tried() []string {
	var all []string
	for _, s := range p {
		if r, ok := s.(Rename); ok {
			if n, ok := ParseName(r.To); ok && n.State() == Trial {
				all = append(all, n.Version)
			}
		}
	}
	return all
}

// A Demand says how much a caller insists.
type Demand int

// Whether a change that is unwise is refused.
const (
	Careful Demand = iota
	Forced
)

// Refusals. Each is joined to what is the matter.
var (
	ErrRefused = errors.New("refused")
	// ErrUnknown says that there is no boot program of that version.
	ErrUnknown = errors.New("no boot program of that version is on the ESP")
)

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// Activate returns the plan after which the next boot tries version.
func (v View) Activate(version string, now time.Time, demand Demand) (Plan, error) {
	e, err := v.only(version)
	if err != nil {
		return nil, err
	}
	run, tried := v.running(), v.Memory.Attempt
	switch {
	case tried != nil && tried.Root == e.Root && e.Name == e.Name.trial() && v.wins(*e, v.Entries):
		return nil, nil // it was activated before
	case run == nil:
		return nil, refuse("no boot program on the ESP is that of the running system, so it is not known what to fall back to")
	case e.Root == run.Root:
		return nil, refuse("version %s runs", version)
	case v.slot(*e) == nil:
		return nil, refuse("no slot has the root %s that %s starts; stage the version again", shorten(e.Root), e.File)
	case run.Name.State() != Good && demand == Careful:
		return nil, refuse("the running version %s has not been healthy yet; wait for that, or use rollback", run.Name.Version)
	}
	return v.start(*e, *run, now), nil
}

// start returns the steps that make the loader try e in place of run. Where e
// does not come first by its version, run loses its tries, and stays what is
// started when e has used up its own: of bad entries the loader takes the first.
func (v View) start(e, run Entry, now time.Time) Plan {
	m := v.Memory.clone()
	m.Attempt = &Attempt{Version: e.Name.Version, Root: e.Root, From: run.Root, Boot: v.Boot.ID, Time: now, BootDeadline: v.BootDeadline}
	p := Plan{Remember{m, "version " + e.Name.Version + " is to be tried"}}
	if e.Name != e.Name.trial() {
		p = append(p, Rename{e.File, e.Name.trial().String(), fmt.Sprintf("it has %d tries", Tries)})
	}
	if !v.wins(e, v.with(e.File, e.Name.trial())) {
		to := run.Name.setAside().String()
		p = append(p, Rename{run.File, to, "it would be started before version " + e.Name.Version})
	}
	return p
}

// wins reports whether e is the first of entries.
func (v View) wins(e Entry, entries []Entry) bool {
	n := next(entries)
	return n != nil && n.Root == e.Root
}

// only returns the one entry of a version that can be read.
func (v View) only(version string) (*Entry, error) {
	all := v.byVersion(version)
	switch len(all) {
	case 0:
		return nil, fmt.Errorf("version %s: %w", version, ErrUnknown)
	case 1:
		if all[0].Root == "" {
			return nil, refuse("%s cannot be used: %s", all[0].File, all[0].Fault)
		}
		return &all[0], nil
	}
	return nil, refuse("version %s has %d boot programs: %s, %s", version, len(all), all[0].File, all[1].File)
}

// Deactivate returns the plan after which the loader passes over version, which
// was activated and has not been started.
func (v View) Deactivate(version string) (Plan, error) {
	e, err := v.only(version)
	if err != nil {
		return nil, err
	}
	run := v.running()
	switch {
	case e.Name.State() == Staged && v.Memory.Attempt == nil:
		return nil, nil
	case run == nil:
		return nil, refuse("no boot program on the ESP is that of the running system")
	case e.Root == run.Root:
		return nil, refuse("version %s runs", version)
	case e.Name.State() == Good:
		return nil, refuse("version %s is good, and what the node falls back to", version)
	}
	var p Plan
	if n := run.Name; n.State() == Bad && n.Done == 0 { // set aside for e
		p = append(p, Rename{run.File, run.Name.good().String(), "it runs, and nothing is to be tried in its place"})
	}
	m := v.Memory.clone()
	if m.Attempt != nil && m.Attempt.Root == e.Root {
		m.Attempt = nil
		p = append(p, Remember{m, "version " + version + " is not to be tried"})
	}
	if e.Name.State() != Staged {
		p = append(p, Rename{e.File, e.Name.staged().String(), "it is not to be tried"})
	}
	return p, nil
}

// MarkGood returns the plan after which what runs is good.
func (v View) MarkGood() (Plan, error) {
	run := v.running()
	if run == nil {
		return nil, refuse("no boot program on the ESP starts the root %s, which runs", shorten(v.Boot.Root))
	}
	if run.Name.State() == Good && v.Memory.Attempt == nil {
		return nil, nil // also on an image whose boot program never had a counter
	}
	if a := v.Memory.Attempt; run.Name.State() != Trial && a != nil && a.Boot == v.Boot.ID && a.Root != run.Root {
		return nil, nil // set aside in this very boot, for what comes next
	}
	var p Plan
	m := v.Memory.clone()
	m.trust(run.Root)
	m.forgive(run.Root)
	if m.Attempt != nil && m.Attempt.Root == run.Root {
		m.Attempt = nil
	}
	p = append(p, Remember{m, "version " + run.Name.Version + " is healthy"})
	if run.Name.Counted {
		p = append(p, Rename{run.File, run.Name.good().String(), "it runs, and is healthy"})
	}
	return p, nil
}

// MarkBad returns the plan after which version, or without one what runs, is not
// started again while there is anything else.
func (v View) MarkBad(version, reason string, now time.Time, demand Demand) (Plan, error) {
	e := v.running()
	if version != "" {
		var err error
		if e, err = v.only(version); err != nil {
			return nil, err
		}
	}
	switch {
	case e == nil:
		return nil, refuse("no boot program on the ESP is that of the running system")
	case len(v.bootable(*e)) == 0 && demand == Careful:
		return nil, refuse("there is nothing else to start")
	}
	m := v.Memory.clone()
	m.fail(Failure{Version: e.Name.Version, Root: e.Root, Reason: reason, Time: now})
	p := Plan{Remember{m, "version " + e.Name.Version + " is bad: " + reason}}
	if s := e.Name.State(); s == Good || s == Trial {
		p = append(p, Rename{e.File, e.Name.setAside().String(), "it is bad"})
	}
	return p, nil
}

// Rollback returns the plan after which the next boot is one of the other slot.
func (v View) Rollback(reason string, now time.Time, demand Demand) (Plan, error) {
	run := v.running()
	if run == nil {
		return nil, refuse("no boot program on the ESP is that of the running system")
	}
	other := v.other(*run)
	if other == nil {
		return nil, refuse("there is no other version")
	}
	version := other.Name.Version
	switch f := v.Memory.failure(other.Root); {
	case v.wins(*other, v.Entries):
		return nil, nil // the next boot is one of it anyway
	case other.Name.State() == Staged:
		return nil, refuse("version %s has never run; use activate", version)
	case f != nil && demand == Careful:
		return nil, refuse("version %s has failed: %s", version, f.Reason)
	case run.Name.State() == Trial && other.Name.State() == Good:
		return v.MarkBad(run.Name.Version, reason, now, Forced)
	}
	return v.start(*other, *run, now), nil
}

// other returns the entry that starts the other slot. One that ran is preferred.
func (v View) other(run Entry) *Entry {
	var found *Entry
	for i, e := range v.Entries {
		if e.Root == run.Root || v.slot(e) == nil {
			continue
		}
		if found == nil || found.Name.State() == Staged {
			found = &v.Entries[i]
		}
	}
	return found
}

// shorten returns as much of a root hash as tells it from others.
func shorten(root string) string { return root[:min(len(root), 12)] }
