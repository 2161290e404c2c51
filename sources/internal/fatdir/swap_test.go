package fatdir_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir/fattest"
)

// Wherever the power is cut while two files are exchanged, the first is whole, with
// the contents of the one or the other, and no third file has changed.
func TestSwapSurvivesCuts(t *testing.T) {
	const a, b = "bulkhead-1.0.0.efi", "bulkhead-1.1.0+2-1.efi"
	was := contents(files())
	done, between := maps.Clone(was), maps.Clone(was)
	done[a], done[b] = was[b], was[a]
	between[b] = was[a]
	for pad := range 20 {
		t.Run(fmt.Sprintf("behind %d", pad), func(t *testing.T) {
			for cut := 1; ; cut++ {
				d := &fattest.Disk{Safe: fattest.Make(64<<10, dir, pad, files()), Cut: cut}
				err := open(t, d).Swap(a, b)
				for _, image := range d.AfterCut() {
					got, err := fattest.Contents(image, dir, true)
					if err != nil {
						t.Fatalf("after a cut at %d: %v", cut, err)
					}
					if !maps.Equal(got, was) && !maps.Equal(got, done) && !maps.Equal(got, between) {
						t.Fatalf("after a cut at %d the files are neither as they were nor as they were to be", cut)
					}
				}
				if err == nil {
					if got, err := fattest.Contents(d.Safe, dir, false); err != nil || !maps.Equal(got, done) {
						t.Fatalf("Swap: %v, and the files are not exchanged", err)
					}
					return
				}
				if !errors.Is(err, fattest.ErrCut) {
					t.Fatalf("Swap: %v", err)
				}
			}
		})
	}
}

func TestSwapRefuses(t *testing.T) {
	d := &fattest.Disk{Safe: fattest.Make(64<<10, dir, 0, files())}
	err := open(t, d).Swap("bulkhead-1.0.0.efi", "x")
	if want := "swap bulkhead-1.0.0.efi and x: there is none"; err == nil || err.Error() != want {
		t.Errorf("Swap with what is not there: %v, want %s", err, want)
	}
}
