package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	hostplan "github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/store"
)

// An Applier makes files and units what settings say.
type Applier interface {
	// Warm gets ready for an apply that is likely to be asked for soon.
	Warm(ctx context.Context, os applier.OS) error
	// Plan returns what an apply would do.
	Plan(ctx context.Context, r applier.Request) (applier.Plan, error)
	// Apply carries r out and tells of each item when it is done.
	Apply(ctx context.Context, r applier.Request, tell func(applier.Item)) (applier.Result, error)
}

const (
	keptApplies = 50               // that GET /applies shows; they are gone when the daemon ends
	applyLimit  = 15 * time.Minute // for one apply, far beyond the limits of its units
)

// What an apply is before its end; then it is as applier.Status says.
const (
	applyWaiting applier.Status = "waiting"
	applyRunning applier.Status = "running"
)

// An apply is one apply as it is shown.
type apply struct {
	ID         string           `json:"id"`
	Status     applier.Status   `json:"status"`
	Generation uint64           `json:"generation"` // until it runs, the one that asked for it
	Reason     string           `json:"reason"`     // commit, revert, apply or try-reverted
	Actor      store.Actor      `json:"actor"`
	Requested  time.Time        `json:"requested"`
	Started    *time.Time       `json:"started,omitempty"`
	Finished   *time.Time       `json:"finished,omitempty"`
	Error      string           `json:"error,omitempty"`
	Notes      []string         `json:"notes,omitempty"`
	Files      []applier.File   `json:"files"`
	Actions    []applier.Action `json:"actions"`
	Units      []applier.Unit   `json:"units"`
	Faults     []hostplan.Fault `json:"faults"`
	ended      chan struct{}    // closed when nothing more is heard of it
}

func (a *apply) finished() bool { return a.Finished != nil }

// Applies are those of this run of the daemon. One is under way at a time;
// requests that come meanwhile share the next one, which takes the settings as
// they are when it begins.
type applies struct {
	wake chan struct{} // has a value when one waits

	mu   sync.Mutex // guards what follows
	list []*apply   // oldest first
	over bool       // nothing is carried out any more
}

func newApplies() *applies { return &applies{wake: make(chan struct{}, 1)} }

// request returns the apply that carries out what is current now, or something
// newer.
func (l *applies) request(reason string, actor store.Actor, generation uint64, now time.Time) apply {
	a := l.enter(reason, actor, generation, now)
	l.rouse()
	return a
}

// rouse has the apply that waits carried out.
func (l *applies) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// enter is request for an apply that may still wait for a while: until rouse is
// called, or something else is requested.
func (l *applies) enter(reason string, actor store.Actor, generation uint64, now time.Time) apply {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.list); n > 0 && l.list[n-1].Status == applyWaiting && !l.over {
		l.list[n-1].Generation = generation
		return *l.list[n-1]
	}
	a := &apply{
		ID: strings.ToLower(rand.Text()[:12]), Status: applyWaiting, Generation: generation, Reason: reason, Actor: actor, Requested: now,
		Files: []applier.File{}, Actions: []applier.Action{}, Units: []applier.Unit{}, Faults: []hostplan.Fault{},
		ended: make(chan struct{}),
	}
	l.list = append(l.list, a)
	if over := len(l.list) - keptApplies; over > 0 {
		l.list = slices.Delete(l.list, 0, over)
	}
	if l.over {
		close(a.ended)
	}
	return *a
}

// begin returns the apply that waits, or nil, and what it is to apply. That is
// looked up when nobody can join it any more.
func (l *applies) begin(current func() *store.Snapshot, now time.Time) (*apply, *store.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.list)
	if n == 0 || l.list[n-1].Status != applyWaiting {
		return nil, nil
	}
	a, snap := l.list[n-1], current()
	a.Status, a.Generation, a.Started = applyRunning, snap.Current.ID, &now
	return a, snap
}

// busy reports whether an apply is asked for and not done.
func (l *applies) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.list)
	return n > 0 && !l.list[n-1].finished()
}

// note adds an item that is done.
func (l *applies) note(a *apply, i applier.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case i.File != nil:
		a.Files = append(a.Files, *i.File)
	case i.Action != nil:
		a.Actions = append(a.Actions, *i.Action)
	case i.Unit != nil:
		a.Units = append(a.Units, *i.Unit)
	}
}

// finish notes how a ended.
func (l *applies) finish(a *apply, r applier.Result, err error, now time.Time) apply {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.Finished = &now
	if err != nil {
		a.Status, a.Error = applier.Failed, err.Error()
	} else {
		a.Status, a.Generation, a.Error, a.Notes = r.Status, r.Generation, r.Error, r.Notes
		a.Files, a.Actions = append([]applier.File{}, r.Files...), append([]applier.Action{}, r.Actions...)
		a.Units, a.Faults = append([]applier.Unit{}, r.Units...), append([]hostplan.Fault{}, r.Faults...)
	}
	close(a.ended)
	return *a
}

// end lets nobody wait any longer for an apply.
func (l *applies) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, a := range l.list {
		if !a.finished() {
			close(a.ended)
		}
	}
}

// find returns the apply called id as it is now.
func (l *applies) find(id string) (apply, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.list {
		if a.ID == id {
			return *a, true
		}
	}
	return apply{}, false
}

// newest returns up to n applies as they are now, newest first.
func (l *applies) newest(n int) []apply {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []apply{}
	for _, a := range slices.Backward(l.list) {
		if len(out) == n {
			break
		}
		out = append(out, *a)
	}
	return out
}

// last returns the apply that finished last.
func (l *applies) last() (apply, bool) {
	for _, a := range l.newest(keptApplies) {
		if a.finished() {
			return a, true
		}
	}
	return apply{}, false
}

// failures names what of a failed, shortest first to be read by people.
func (a *apply) failures() []string {
	var out []string
	if a.Error != "" {
		out = append(out, a.Error)
	}
	for _, f := range a.Faults {
		out = append(out, f.Error())
	}
	for _, f := range a.Files {
		if f.Error != "" {
			out = append(out, f.Path+": "+f.Error)
		}
	}
	for _, x := range a.Actions {
		if x.Error != "" {
			out = append(out, x.Name+": "+x.Error)
		}
	}
	for _, u := range a.Units {
		if u.Error != "" {
			out = append(out, u.Name+": "+u.Error)
		}
	}
	return out
}

// summary says in one line what a did.
func (a *apply) summary() string {
	if a.Status == applier.Failed {
		all := a.failures()
		text := "failed"
		if len(all) > 0 {
			text += ": " + all[0]
		}
		if len(all) > 1 {
			text += fmt.Sprintf(", and %d more", len(all)-1)
		}
		return text
	}
	if a.Status == applier.Nothing {
		return "nothing to do"
	}
	return fmt.Sprintf("files: %d, programs: %d, units: %d", len(a.Files), len(a.Actions), len(a.Units))
}
