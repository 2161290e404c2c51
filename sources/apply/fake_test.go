package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
)

// A fake is a Manager whose units do as the test says.
type fake struct {
	mu      sync.Mutex
	states  map[string]State  // guarded by mu; a unit that is not here is active
	fail    map[string]string // by unit: why nothing can be done with it
	begin   func(name string) // called as work on a unit begins
	journal []string
	calls   []string // guarded by mu
}

func newFake() *fake {
	return &fake{states: map[string]State{}, fail: map[string]string{}, begin: func(string) {}}
}

func (f *fake) call(verb, name, becomes string) error {
	f.begin(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb+" "+name)
	if why := f.fail[name]; why != "" {
		f.states[name] = State{Active: "failed", Sub: "failed"}
		return errors.New(why)
	}
	f.states[name] = State{Active: becomes, Sub: "running", Began: monotonic()}
	return nil
}

func (f *fake) DaemonReload(context.Context) error { return nil }

func (f *fake) Start(_ context.Context, u plan.UnitAction) error {
	return f.call("start", u.Name, "active")
}

func (f *fake) Stop(_ context.Context, u plan.UnitAction) error {
	return f.call("stop", u.Name, "inactive")
}

func (f *fake) Restart(_ context.Context, u plan.UnitAction) error {
	return f.call("restart", u.Name, "active")
}

func (f *fake) Reload(_ context.Context, u plan.UnitAction) error {
	return f.call("reload", u.Name, "active")
}

func (f *fake) Settled(_ context.Context, name string) error { return f.call("settle", name, "active") }

func (f *fake) State(_ context.Context, name string) (State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if st, ok := f.states[name]; ok {
		return st, nil
	}
	return State{Active: "active", Sub: "running"}, nil
}

func (f *fake) Run(_ context.Context, a plan.Action) (string, error) {
	if why := f.fail[a.Name]; why != "" {
		return "some output", errors.New(why)
	}
	return "some output", nil
}

func (f *fake) Journal(context.Context, string) []string { return slices.Clone(f.journal) }

// take returns what was called since it was last asked.
func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

const clockOnly = `{"ntp": {"time-servers": ["%d.example"]}}`

// What is done to a unit depends on how it is.
func TestUnitStates(t *testing.T) {
	later := monotonic() + time.Hour
	tests := []struct {
		name  string
		state State
		want  []string // calls
		note  string
	}{
		{"runs", State{Active: "active"}, []string{"restart clock.service"}, ""},
		{"reloads", State{Active: "reloading"}, []string{"restart clock.service"}, ""},
		{"does not run", State{Active: "inactive"}, nil, "it does not run"},
		{"stops", State{Active: "deactivating"}, nil, "it does not run"},
		{"has failed", State{Active: "failed"}, []string{"restart clock.service"}, ""},
		{"starts", State{Active: "activating", Sub: "start"}, []string{"settle clock.service"}, "it was started anew meanwhile"},
		{"waits to be restarted", State{Active: "activating", Sub: "auto-restart"}, []string{"restart clock.service"}, ""},
		{"started after its files", State{Active: "active", Began: later}, nil, "it was started anew meanwhile"},
		{"starts after its files", State{Active: "activating", Began: later}, nil, "it was started anew meanwhile"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newFake()
			b := newBench(t, demoImage(t, nil), m)
			b.must(`{}`)
			m.take()
			m.states["clock.service"] = tt.state
			res := b.must(fmt.Sprintf(clockOnly, 1))
			if diff := cmp.Diff(tt.want, m.take()); diff != "" {
				t.Errorf("calls for a unit in state %+v (-want +got):\n%s", tt.state, diff)
			}
			if len(res.Units) != 1 || res.Units[0].Note != tt.note {
				t.Errorf("units %+v, want one with the note %q", res.Units, tt.note)
			}
			if res := b.must(fmt.Sprintf(clockOnly, 1)); res.Status != applier.Nothing {
				t.Errorf("one more apply: %q, want nothing", brief(res))
			}
		})
	}
}

// A unit that is passed over at boot is started by its first file.
func TestUnitThatNeedNotRun(t *testing.T) {
	tests := []struct {
		name  string
		state State
		want  string
	}{
		{"runs", State{Active: "active"}, "reload a.service"},
		{"was passed over", State{Active: "inactive"}, "start a.service"},
		{"has failed", State{Active: "failed"}, "restart a.service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newFake()
			m.states["a.service"] = tt.state
			r := &run{worker: &worker{manager: m}}
			if _, err := r.change(t.Context(), plan.UnitAction{Name: "a.service", Action: plan.Reload, Starts: true}, tt.state, monotonic()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.want}, m.take()); diff != "" {
				t.Errorf("calls for a unit in state %+v (-want +got):\n%s", tt.state, diff)
			}
		})
	}
}

// A unit that fails is told, does not stop the others, and is tried again by
// the next apply.
func TestUnitFails(t *testing.T) {
	m := newFake()
	m.fail["trust.service"] = "out of trust"
	m.journal = []string{"line"}
	b := newBench(t, demoImage(t, nil), m)
	res := b.set(everything)
	var bad []applier.Unit
	for _, u := range res.Units {
		if u.Error != "" {
			bad = append(bad, u)
		}
	}
	want := []applier.Unit{{Name: "trust.service", Action: "restart", State: "failed", Sub: "failed", Error: "out of trust", Journal: []string{"line"}}}
	if diff := cmp.Diff(want, bad); diff != "" || res.Status != applier.Failed || len(res.Units) != 4 {
		t.Errorf("apply with a unit that fails: %s, units with errors (-want +got):\n%s", res.Status, diff)
	}
	m.take()
	m.fail = map[string]string{}
	res = b.must(everything)
	if diff := cmp.Diff([]string{"settle /etc/trust.pem", "restart trust.service", "restart clock.service"}, brief(res)); diff != "" {
		t.Errorf("next apply (-want +got):\n%s", diff)
	}
	if res := b.must(everything); res.Status != applier.Nothing {
		t.Errorf("one more apply: %q, want nothing", brief(res))
	}
}

func TestActionFails(t *testing.T) {
	m := newFake()
	m.fail["write-sysctl"] = "no such key"
	b := newBench(t, demoImage(t, nil), m)
	res := b.set(everything)
	want := []applier.Action{{Package: "demo", Name: "write-sysctl", Error: "no such key", Output: "some output"}}
	if diff := cmp.Diff(want, res.Actions); diff != "" || res.Status != applier.Failed {
		t.Errorf("apply with an action that fails: %s (-want +got):\n%s", res.Status, diff)
	}
	m.fail = map[string]string{}
	if diff := cmp.Diff([]string{"settle /etc/sysctl.d/demo.conf", "run write-sysctl"}, brief(b.must(everything))); diff != "" {
		t.Errorf("next apply (-want +got):\n%s", diff)
	}
}

// Units wait for those they come after, and only for them.
func TestUnitOrder(t *testing.T) {
	m := newFake()
	b := newBench(t, demoImage(t, nil), m)
	b.must(`{}`)
	m.take()
	m.states["box@admin.service"] = State{Active: "inactive"}
	namesDone := make(chan struct{})
	m.begin = func(name string) {
		switch name {
		case "names.service": // which nothing orders
			close(namesDone)
		case "trust.service":
			<-namesDone
		}
	}
	b.must(everything)
	calls := m.take()
	at := func(call string) int { return slices.Index(calls, call) }
	if at("restart trust.service") > at("restart clock.service") || at("restart trust.service") > at("start box@admin.service") || at("restart trust.service") < 0 {
		t.Errorf("calls %q, want those of clock and box after that of trust", calls)
	}
}
