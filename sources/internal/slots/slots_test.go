package slots

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		files  []string
		change func(*View)
		action action
		want   string
	}{
		{"unknown version", []string{"bulkhead-1.0.0.efi"}, nil, activate("2"), "version 2: no boot program of that version is on the ESP"},
		{"running version", []string{"bulkhead-1.0.0.efi"}, nil, activate("1.0.0"), "refused: version 1.0.0 runs"},
		{"no slot", []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, func(v *View) { v.Slots = v.Slots[:1] }, activate("1.1.0"), "refused: no slot has the root 000000000000 that bulkhead-1.1.0.efi.staged starts; stage the version again"},
		{"on trial", []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+3.efi"}, nil, activate("1.0.0"), "refused: the running version 1.1.0 has not been healthy yet; wait for that, or use rollback"},
		{"nothing to go back to", []string{"bulkhead-1.0.0.efi"}, nil, rollback, "refused: there is no other version"},
		{"never ran", []string{"bulkhead-1.0.0.efi", "bulkhead-0.9.0.efi.staged"}, nil, rollback, "refused: version 0.9.0 has never run; use activate"},
		{"has failed", []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-3.efi"}, func(v *View) { v.Memory.fail(Failure{Version: "1.1.0", Root: root("1.1.0"), Reason: "no network"}) }, rollback, "refused: version 1.1.0 has failed: no network"},
		{"unreadable", []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, func(v *View) { v.Entries[1].Root, v.Entries[1].Fault = "", "it has no kernel" }, activate("1.1.0"), "refused: bulkhead-1.1.0.efi.staged cannot be used: it has no kernel"},
		{"good", []string{"bulkhead-1.1.0.efi", "bulkhead-1.0.0.efi"}, nil, deactivate("1.0.0"), "refused: version 1.0.0 is good, and what the node falls back to"},
		{"only one", []string{"bulkhead-1.0.0.efi"}, nil, action{"mark-bad", func(v View) (Plan, error) { return v.MarkBad("", "x", then, Careful) }}, "refused: there is nothing else to start"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.files...)
			if tt.change != nil {
				tt.change(&w.view)
			}
			p, err := tt.action.plan(w.view)
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s: %v, plan\n%swant %s", tt.action.name, err, p, tt.want)
			}
		})
	}
}

func TestParseName(t *testing.T) {
	tests := []struct {
		file  string
		want  Name
		state State
	}{
		{"bulkhead-1.0.0.efi", Name{Version: "1.0.0"}, Good},
		{"bulkhead-1.0.0+3.efi", Name{Version: "1.0.0", Counted: true, Left: 3}, Trial},
		{"bulkhead-1.0.0+0-3.efi", Name{Version: "1.0.0", Counted: true, Done: 3}, Bad},
		{"bulkhead-1.0.0+build.7+2-1.efi", Name{Version: "1.0.0+build.7", Counted: true, Left: 2, Done: 1}, Trial},
		{"bulkhead-1.0.0.efi.staged", Name{Version: "1.0.0", Staged: true}, Staged},
	}
	for _, tt := range tests {
		got, ok := ParseName(tt.file)
		if !ok || got != tt.want || got.State() != tt.state || got.String() != tt.file {
			t.Errorf("ParseName(%q) = %+v, %t, in state %s, printed %q; want %+v in state %s", tt.file, got, ok, got.State(), got, tt.want, tt.state)
		}
	}
	for _, file := range []string{"bulkhead-.efi", "other-1.efi", "bulkhead-1.0.0", "bulkhead-1.0.0.efi.double", "1.efi"} {
		if n, ok := ParseName(file); ok {
			t.Errorf("ParseName(%q) = %+v, want that it is not ours", file, n)
		}
	}
}

// The examples of the specification, in order, and ours.
func TestCompareVersions(t *testing.T) {
	for _, order := range [][]string{
		{"~1", "", "1"},
		{"122.1", "123~rc1-1", "123", "123-a", "123-a.1", "123-1", "123-1.1", "123^post1", "123.a-1", "123.1-1", "123a-1", "124-1"},
		{"0.9", "1.0.0-rc1", "1.0.0-rc2", "1.0.1", "1.2.0", "1.10.0", "2"},
	} {
		for i, a := range order {
			for j, b := range order {
				got, want := compareVersions(a, b), slices.Index([]int{j, i}, max(i, j))
				if i < j {
					want = -1
				} else if i == j {
					want = 0
				}
				if got != want {
					t.Errorf("compareVersions(%q, %q) = %d, want %d", a, b, got, want)
				}
			}
		}
	}
}

func TestStatusText(t *testing.T) {
	w := newWorld(t, "bulkhead-1.0.0.efi", "bulkhead-1.1.0+0-3.efi")
	w.view.Memory.fail(Failure{Version: "1.1.0", Root: root("1.1.0"), Reason: "no network", Time: then})
	const want = `SLOT  VERSION  STATE  TRIES           ROOT          
A     1.0.0    good   -               000000000000  running, next
B     1.1.0    bad    0 left, 3 done  000000000000  
failed 2026-11-21 12:00:00Z: version 1.1.0: no network
info: version 1.1.0 has failed: no network (it is not installed again unless it is named)
`
	if diff := cmp.Diff(want, w.view.Status().String()); diff != "" {
		t.Errorf("Status (-want +got):\n%s", diff)
	}
}

// Whatever a name says, it is printed as it was read.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{"bulkhead-1.0.0.efi", "bulkhead-1+2-1.efi", "bulkhead-1+3.efi.staged", "bulkhead-1+03.efi"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseName(s)
		if !ok {
			return
		}
		if again, ok := ParseName(n.String()); !ok || again != n {
			t.Errorf("ParseName(%q) prints as %q, which is read as %+v", s, n, again)
		}
	})
}
