package slots

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An action is what somebody asks of a node.
type action struct {
	name string
	plan func(View) (Plan, error)
}

func activate(version string) action {
	return action{"activate " + version, func(v View) (Plan, error) { return v.Activate(version, then, Careful) }}
}

func deactivate(version string) action {
	return action{"deactivate " + version, func(v View) (Plan, error) { return v.Deactivate(version) }}
}

var rollback = action{"rollback", func(v View) (Plan, error) { return v.Rollback("by hand", then, Careful) }}

// scenarios are what a node goes through: what it is asked, then boots until one
// is healthy.
var scenarios = []struct {
	name            string
	files           []string
	good            []string // versions known to be good
	actions         []action
	broken, refused []string
	blind           bool
	ran             []string // of the boots after the actions
	want            []string // files at the end
	failed          string
}{
	{
		name: "update", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, actions: []action{activate("1.1.0")},
		ran: []string{"1.1.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi"},
	},
	{
		name: "update that is broken", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, actions: []action{activate("1.1.0")}, broken: []string{"1.1.0"},
		ran: []string{"1.1.0", "1.1.0", "1.1.0", "1.0.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-3.efi"}, failed: "1.1.0: it is broken",
	},
	{
		name: "update that the firmware refuses", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, actions: []action{activate("1.1.0")}, refused: []string{"1.1.0"},
		ran: []string{"1.0.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-3.efi"}, failed: "1.1.0: it was started 3 times and did not become healthy",
	},
	{
		name: "update with a loader that cannot count", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, actions: []action{activate("1.1.0")}, blind: true,
		ran: []string{"1.1.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi"},
	},
	{
		name: "update taken back", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, actions: []action{activate("1.1.0"), deactivate("1.1.0")},
		ran: []string{"1.0.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"},
	},
	{
		name: "older version", files: []string{"bulkhead-1.1.0.efi", "bulkhead-1.0.0.efi.staged"}, actions: []action{activate("1.0.0")},
		ran: []string{"1.0.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0.efi"},
	},
	{
		name: "older version taken back", files: []string{"bulkhead-1.1.0.efi", "bulkhead-1.0.0.efi.staged"}, actions: []action{activate("1.0.0"), deactivate("1.0.0")},
		ran: []string{"1.1.0"}, want: []string{"bulkhead-1.0.0.efi.staged", "bulkhead-1.1.0.efi"},
	},
	{
		name: "older version that is broken", files: []string{"bulkhead-1.1.0.efi", "bulkhead-1.0.0.efi.staged"}, actions: []action{activate("1.0.0")}, broken: []string{"1.0.0"},
		ran: []string{"1.0.0", "1.0.0", "1.0.0", "1.1.0"}, want: []string{"bulkhead-1.0.0+0-3.efi", "bulkhead-1.1.0.efi"}, failed: "1.0.0: it is broken",
	},
	{
		name: "rollback", files: []string{"bulkhead-1.1.0.efi", "bulkhead-1.0.0.efi"}, good: []string{"1.0.0"}, actions: []action{rollback},
		ran: []string{"1.0.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0.efi"},
	},
	{
		name: "rollback and back", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0.efi"}, actions: []action{rollback},
		ran: []string{"1.1.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi"},
	},
	{
		name: "rollback of what is on trial", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+3.efi"}, actions: []action{rollback},
		ran: []string{"1.0.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-1.efi"}, failed: "1.1.0: by hand",
	},
	{
		name: "rollback to what does not work any more", files: []string{"bulkhead-1.1.0.efi", "bulkhead-1.0.0.efi"}, good: []string{"1.0.0"}, actions: []action{rollback}, broken: []string{"1.0.0"},
		ran: []string{"1.0.0", "1.0.0", "1.0.0", "1.1.0"}, want: []string{"bulkhead-1.0.0+0-3.efi", "bulkhead-1.1.0.efi"}, failed: "1.0.0: it is broken",
	},
	{
		name: "update by hand that is refused", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+3.efi"}, refused: []string{"1.1.0"},
		ran: []string{"1.0.0"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-3.efi"}, failed: "1.1.0: it was started 3 times and did not become healthy",
	},
	{
		name: "both broken", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, actions: []action{activate("1.1.0")}, broken: []string{"1.0.0", "1.1.0"},
		ran: []string{"1.1.0", "1.1.0", "1.1.0", "1.0.0", "stays"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-3.efi"}, failed: "1.1.0: it is broken",
	},
}

func TestScenarios(t *testing.T) {
	for _, tt := range scenarios {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.files...)
			for _, g := range tt.good {
				w.view.Memory.trust(root(g))
			}
			for _, a := range tt.actions {
				p, err := a.plan(w.view)
				if err != nil {
					t.Fatalf("%s: %v", a.name, err)
				}
				w.carry(p, -1, false)
				if again, err := a.plan(w.view); err != nil || len(again) > 0 {
					t.Errorf("%s once more: %v, plan\n%swant none", a.name, err, again)
				}
			}
			w.broken, w.refused, w.blind = tt.broken, tt.refused, tt.blind
			w.boot()
			ran := w.settle()
			var failed string
			if n := len(w.view.Memory.Failed); n > 0 {
				failed = w.view.Memory.Failed[n-1].Version + ": " + w.view.Memory.Failed[n-1].Reason
			}
			if diff := cmp.Diff([]any{tt.ran, tt.want, tt.failed}, []any{ran, w.files(), failed}); diff != "" {
				t.Errorf("boots, files and failure (-want +got):\n%s", diff)
			}
		})
	}
}

// Whichever step of a scenario the power is cut in, and at whichever of those of
// the repair and of the next boot once more, the node comes up with one of the two
// versions, keeps a second to fall back to, and says of no version that it failed
// which did not.
func TestScenariosSurviveCuts(t *testing.T) {
	cuts := 0
	for _, tt := range scenarios {
		for step := range 8 {
			for again := -1; again < 4; again++ {
				for _, both := range []bool{false, true} {
					name := fmt.Sprintf("%s, cut at %d and %d, both %t", tt.name, step, again, both)
					if !t.Run(name, func(t *testing.T) { cutScenario(t, tt.files, tt.good, tt.actions, step, again, both) }) {
						return
					}
					cuts++
				}
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

func cutScenario(t *testing.T, files, good []string, actions []action, step, again int, both bool) {
	w := newWorld(t, files...)
	for _, g := range good {
		w.view.Memory.trust(root(g))
	}
	for _, a := range actions {
		p, err := a.plan(w.view)
		if err != nil {
			t.Fatal(err)
		}
		if step < len(p) {
			w.carry(p, step, both)
			break
		}
		step -= len(p)
		w.carry(p, -1, false)
	}
	w.boot()
	// The first boot is cut as well.
	w.carry(w.view.Repair(), again, both)
	w.boot()
	w.begin()
	if p, err := w.view.MarkGood(); err != nil {
		t.Fatalf("MarkGood with %q: %v", w.files(), err)
	} else {
		w.carry(p, again, both)
	}
	w.boot()
	w.settle()

	if len(w.view.Entries) != 2 {
		t.Fatalf("there are %q, want two programs", w.files())
	}
	run := w.view.running()
	if run == nil || run.Name.State() != Good {
		t.Fatalf("what runs of %q is not good", w.files())
	}
	for _, f := range w.view.Memory.Failed {
		if f.Reason == "it was started 3 times and did not become healthy" && w.boots > Tries {
			continue // the power was cut in each of its boots
		}
		if f.Reason != "by hand" {
			t.Errorf("version %s has failed: %s; nothing is broken here", f.Version, f.Reason)
		}
	}
	if w.view.Memory.Attempt != nil {
		t.Errorf("an attempt is left: %+v", *w.view.Memory.Attempt)
	}
}

// What was refused by the firmware is never marked good, whatever the loader says
// of it: the boot that took over has another root.
func TestMarkGoodGoesByTheRoot(t *testing.T) {
	w := newWorld(t, "bulkhead-1.0.0.efi", "bulkhead-1.1.0+2-1.efi")
	w.view.Boot.Root, w.view.Boot.Stub = root("1.0.0"), `\EFI\Linux\bulkhead-1.1.0+3.efi`
	p, err := w.view.MarkGood()
	if err != nil || len(p) != 0 {
		t.Errorf("MarkGood with a stub that names another version: %v, plan\n%swant none", err, p)
	}
	w.view.Boot.Root = root("9")
	if _, err := w.view.MarkGood(); err == nil || !strings.Contains(err.Error(), "no boot program on the ESP starts the root") {
		t.Errorf("MarkGood with a root that no program starts: %v, want it refused", err)
	}
}

func TestRepair(t *testing.T) {
	tests := []struct {
		name   string
		files  []string
		change func(*View)
		want   []string
	}{
		{name: "nothing", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+2-1.efi"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+2-1.efi"}},
		{name: "counted by half", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+3.efi", "bulkhead-1.1.0+2-1.efi"}, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+2-1.efi"}},
		{
			name: "marked good by half", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+2-1.efi", "bulkhead-1.1.0.efi"},
			change: func(v *View) { v.Memory.trust(root("1.1.0")) }, want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi"},
		},
		{
			name: "nobody knows", files: []string{"bulkhead-1.1.0.efi", "bulkhead-1.0.0+2-1.efi", "bulkhead-1.0.0.efi"},
			want: []string{"bulkhead-1.0.0+2-1.efi", "bulkhead-1.1.0.efi"},
		},
		{
			name: "two programs for one root", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.0.0+3.efi"},
			change: func(v *View) { v.Entries[1].Cluster = 7 }, want: []string{"bulkhead-1.0.0.efi"},
		},
		{
			name: "activated by half, and refused", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged", "bulkhead-1.1.0+0-3.efi"},
			change: func(v *View) { v.Memory.Attempt = &Attempt{Version: "1.1.0", Root: root("1.1.0")} },
			want:   []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-3.efi"},
		},
		{
			name: "name lost", files: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi"},
			change: func(v *View) {
				v.Boot.Root = root("1.0.0")
				v.Entries[1].File, v.Entries[1].Short, v.Entries[1].Name = "BULKHE~1.EFI", true, Name{Version: "1.1.0"}
			},
			want: []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+1.efi"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.files...)
			w.view.Entries = nil
			for _, f := range tt.files {
				w.view.Entries = append(w.view.Entries, entry(f))
			}
			w.view.Boot.Stub = ""
			if tt.change != nil {
				tt.change(&w.view)
			}
			w.begin()
			got := w.files()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("files after a repair (-want +got):\n%s", diff)
			}
		})
	}
}

// What is cut off without a restart is completed by asking for the same again.
func TestActionsCanBeRepeated(t *testing.T) {
	for _, tt := range scenarios {
		for i, a := range tt.actions {
			for step := range 4 {
				for _, both := range []bool{false, true} {
					want, _ := repeated(t, tt.files, tt.good, tt.actions[:i], a, -1, false)
					got, plan := repeated(t, tt.files, tt.good, tt.actions[:i], a, step, both)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s: %s, cut at step %d, both names %t, and once more: files (-want +got):\n%splan\n%s", tt.name, a.name, step, both, diff, plan)
					}
				}
			}
		}
	}
}

// repeated returns the files after actions, and after a last one that was cut at
// a step and done again.
func repeated(t *testing.T, files, good []string, before []action, last action, step int, both bool) ([]string, Plan) {
	t.Helper()
	w := newWorld(t, files...)
	for _, g := range good {
		w.view.Memory.trust(root(g))
	}
	for _, a := range before {
		p, err := a.plan(w.view)
		if err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		w.carry(p, -1, false)
	}
	p, err := last.plan(w.view)
	if err != nil {
		t.Fatalf("%s: %v", last.name, err)
	}
	w.carry(p, step, both)
	w.carry(w.view.Repair(), -1, false)
	if p, err = last.plan(w.view); err != nil {
		t.Fatalf("%s once more: %v", last.name, err)
	}
	w.carry(p, -1, false)
	return w.files(), p
}

// A good version that the initrd could not start, and took back, has failed.
func TestTakenBack(t *testing.T) {
	w := newWorld(t, "bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-1.efi")
	w.view.Memory.trust(root("1.1.0"))
	w.begin()
	f := w.view.Memory.failure(root("1.1.0"))
	if f == nil || f.Reason != "it was started once and did not become healthy" {
		t.Errorf("failure of a version that was taken back: %+v, want one", f)
	}
}
