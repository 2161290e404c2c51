package slots

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What runs has tries for what is new about its next boot, where another version
// can take over. Whichever way that goes, a good version is left.
func TestProve(t *testing.T) {
	const two, one = "bulkhead-2.0.0.efi", "bulkhead-1.0.0.efi"
	tests := []struct {
		name   string
		files  []string
		change func(*View)
		broken []string
		names  []string // after the plan
		ran    []string // in the boots after it
		want   []string
		failed string
	}{
		{
			name: "healthy", files: []string{two, one}, names: []string{one, "bulkhead-2.0.0+3.efi"},
			ran: []string{"2.0.0"}, want: []string{one, two},
		},
		{
			name: "broken", files: []string{two, one}, broken: []string{"2.0.0"}, names: []string{one, "bulkhead-2.0.0+3.efi"},
			ran: []string{"2.0.0", "2.0.0", "2.0.0", "1.0.0"}, want: []string{one, "bulkhead-2.0.0+0-3.efi"}, failed: "it is broken",
		},
		{name: "nothing else", files: []string{two}, names: []string{two}, ran: []string{"2.0.0"}, want: []string{two}},
		{
			name: "nothing else that works", files: []string{two, "bulkhead-1.0.0+0-3.efi"}, names: []string{"bulkhead-1.0.0+0-3.efi", two},
			ran: []string{"2.0.0"}, want: []string{"bulkhead-1.0.0+0-3.efi", two},
		},
		{
			name: "nothing else than what has failed", files: []string{two, one}, names: []string{one, two}, ran: []string{"2.0.0"}, want: []string{one, two},
			change: func(v *View) { v.Memory.fail(Failure{Version: "1.0.0", Root: root("1.0.0"), Reason: "x"}) },
		},
		{
			name: "an update is next", files: []string{one, "bulkhead-2.0.0.efi.staged"}, names: []string{one, "bulkhead-2.0.0+3.efi"},
			change: func(v *View) {
				v.Entries[1].File, v.Entries[1].Name = "bulkhead-2.0.0+3.efi", v.Entries[1].Name.trial()
			},
			ran: []string{"2.0.0"}, want: []string{one, two},
		},
		{name: "on trial already", files: []string{one, "bulkhead-2.0.0+2.efi"}, names: []string{one, "bulkhead-2.0.0+1-1.efi"}, ran: []string{"2.0.0"}, want: []string{one, two}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for cut := -1; cut < 2; cut++ {
				w := newWorld(t, tt.files...)
				if tt.change != nil {
					tt.change(&w.view)
				}
				p := w.view.Prove("why", then)
				w.carry(p, cut, false)
				if cut < 0 {
					if diff := cmp.Diff(tt.names, w.files()); diff != "" {
						t.Errorf("names after\n%s(-want +got):\n%s", p, diff)
					}
				}
				w.broken = tt.broken
				if cut >= 0 {
					w.broken = nil // without its tries, nothing is new
				}
				w.boot()
				ran := w.settle()
				if cut >= 0 {
					continue
				}
				if diff := cmp.Diff(tt.ran, ran); diff != "" {
					t.Errorf("versions that ran (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.want, w.files()); diff != "" {
					t.Errorf("names in the end (-want +got):\n%s", diff)
				}
				f := w.view.Memory.failure(root("2.0.0"))
				if got := f != nil; got != (tt.failed != "") || got && f.Reason != tt.failed {
					t.Errorf("failure of 2.0.0: %+v, want %q", f, tt.failed)
				}
			}
		})
	}
}

// A version that does not even come as far as to say why has failed for the
// reason that was given.
func TestProveSilently(t *testing.T) {
	w := newWorld(t, "bulkhead-2.0.0.efi", "bulkhead-1.0.0.efi")
	w.carry(w.view.Prove("it was started with other parameters", then), -1, false)
	for range Tries + 1 {
		w.boot()
	}
	w.begin()
	f := w.view.Memory.failure(root("2.0.0"))
	if w.running() != "1.0.0" || f == nil || f.Reason != "it was started with other parameters" {
		t.Errorf("%s runs, failure %+v, want 1.0.0 and the reason", w.running(), f)
	}
	if next := w.view.Next(); next == nil || next.Name.Version != "1.0.0" || !w.view.Failed(root("2.0.0")) {
		t.Errorf("Next = %+v, want 1.0.0", next)
	}
}
