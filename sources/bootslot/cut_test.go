package bootslot

import (
	"errors"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir/fattest"
)

// halve renames a file on the ESP, up to where the power is cut: it has both names
// then.
func (n *node) halve(pad int, from, to string) {
	n.t.Helper()
	d := &fattest.Disk{Safe: fattest.Make(espSize, dir, pad, two()), Cut: 3}
	fs, err := fatdir.Open(d)
	n.must(err)
	l, err := fs.Dir(dir)
	n.must(err)
	if err := l.Rename(from, to); !errors.Is(err, fattest.ErrCut) {
		n.t.Fatalf("Rename with a cut behind the first sync: %v, want %v", err, fattest.ErrCut)
	}
	all, err := fattest.Contents(d.Safe, dir, true)
	n.must(err)
	if all[from] == "" || all[to] != all[from] {
		n.t.Fatalf("after the cut there are %q, want both names", slices.Sorted(maps.Keys(all)))
	}
	f, err := os.OpenFile(n.path("disk"), os.O_RDWR, 0)
	n.must(err)
	_, err = f.WriteAt(d.Safe, 64*sector)
	n.must(errors.Join(err, f.Close()))
}

// Both names of a file, as a power cut leaves them on a disk, become one again.
func TestBeginMendsTwoNames(t *testing.T) {
	n := newNode(t, "1.0.0", "1.1.0", two())
	// Behind so many slots the names do not have room in one sector.
	n.halve(9, "bulkhead-1.1.0.efi.staged", "bulkhead-1.1.0+3.efi")
	out, err := n.run("begin")
	const want = "remove the name bulkhead-1.1.0+3.efi: it is a second name of a file, left by a power cut\n"
	if err != nil || out != want {
		t.Errorf("boot-slot begin: %v, output\n%swant\n%s", err, out, want)
	}
	if diff := cmp.Diff([]string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}, n.files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
