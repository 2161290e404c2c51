package storage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/nodereset"
)

// marked boots a node that keeps something, and asks for a reset.
func marked(t *testing.T, m nodereset.Mark) *node {
	t.Helper()
	n := newNode(t, 120)
	n.boot("one")
	n.bootWith(boot{Reset: &m})
	return n
}

// forgotten is what a node sees after a reset.
func forgotten(kept string) view {
	v := good(kept, 100)
	v.Secret = ""
	return v
}

func TestReset(t *testing.T) {
	all := []string{
		"mount partition 3 at /var", "mount partition 2 at /var/lib/bulkhead", "unmount everything for the reset",
		"rename partition 3 to DATA-NEW for the reset", "make the file system DATA on partition 3", "rename partition 3 to DATA",
		"mount partition 3 at /var", "mount partition 2 at /var/lib/bulkhead", "forget secret", "end the reset",
	}
	tests := []struct {
		name  string
		mark  nodereset.Mark
		want  view
		steps []string
	}{
		{"all", nodereset.Mark{Reason: "by root"}, forgotten(""), all},
		{"without the data", nodereset.Mark{KeepData: true}, forgotten("one"), append(slices.Clone(all[:2]), "forget secret", "end the reset")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := marked(t, tt.mark)
			checkView(t, "reset", tt.want, n.boot(""))
			r := n.report()
			steps := slices.DeleteFunc(r.Steps, func(s string) bool { return strings.HasPrefix(s, "tell the kernel") })
			if diff := cmp.Diff(tt.steps, steps); diff != "" || r.codes() != "reset" {
				t.Errorf("reset: steps (-want +got):\n%s\nfaults: %v", diff, r.Faults)
			}
			checkView(t, "boot after that", tt.want, n.boot(""))
			if got := n.report().codes(); got != "" {
				t.Errorf("boot after that: faults %s, want none", got)
			}
		})
	}
}

// The machine is the same one, and has its identity.
func TestResetKeepsIdentity(t *testing.T) {
	n := marked(t, nodereset.Mark{})
	n.boot("")
	if got := n.report().codes(); got != "reset" {
		t.Errorf("faults %s, want that of the reset only, not one about the machine id", got)
	}
}

// A node that has lost DATA is made as good as new.
func TestResetOfLostData(t *testing.T) {
	n := marked(t, nodereset.Mark{})
	p := n.table()[2]
	n.change(func(f *os.File) error {
		_, err := f.WriteAt(make([]byte, 4096), int64(p.First)*512)
		return err
	})
	checkView(t, "reset", forgotten(""), n.boot("two"))
	checkView(t, "boot after that", forgotten("two"), n.boot(""))
}

// Wherever the power is cut between two steps, the next boot ends what was
// begun, and nothing of before is left.
func TestPowerCutInReset(t *testing.T) {
	for _, keep := range []bool{false, true} {
		last := 11
		if keep {
			last = 5
		}
		for stop := 1; stop <= last; stop++ {
			t.Run(fmt.Sprintf("keep data %t, step %d", keep, stop), func(t *testing.T) {
				n := marked(t, nodereset.Mark{KeepData: keep})
				r := n.start(boot{Stop: stop})
				r.await("stopped")
				r.cutPower()
				want := forgotten("")
				if keep {
					want = forgotten("one")
				}
				checkView(t, "next boot", want, n.boot("two"))
				if got := n.report().codes(); got != "reset" {
					t.Errorf("next boot: faults %s, want that of the reset", got)
				}
				checkView(t, "boot after that", forgotten("two"), n.boot(""))
			})
		}
	}
}

// The same at any time, for cuts before the mark is safe as well: then nothing
// happens at all.
func TestPowerCutInResetAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	n := marked(t, nodereset.Mark{})
	n.run("cp", "--sparse=always", n.file, n.file+".marked")
	began := time.Now()
	n.boot("")
	took := time.Since(began)
	for range 5 {
		n.run("cp", "--sparse=always", n.file+".marked", n.file)
		kept := cutAfter(n, time.Duration(random.Int64N(int64(took))))
		got := n.boot("")
		if !kept {
			got.Kept = "kept"
		}
		checkView(t, "boot after a power cut", forgotten("kept"), got)
	}
}
