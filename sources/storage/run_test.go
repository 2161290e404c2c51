package storage

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// good is what a node sees that has lost nothing.
func good(kept string, size int64) view {
	return view{
		Var: "ext4", Private: "ext4", Opt: "ext4", Size: size, Secret: secret, Kept: kept,
		Flags:   [2]int64{unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOATIME, unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOATIME | unix.ST_NOEXEC},
		Journal: true,
	}
}

// checkView compares views, whose sizes are without what a file system takes
// for itself.
func checkView(t *testing.T, what string, want, got view) {
	t.Helper()
	if got.Size <= want.Size && got.Size > want.Size-want.Size/10-8 {
		got.Size = want.Size
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: what the node sees (-want +got):\n%s", what, diff)
	}
}

func TestBoots(t *testing.T) {
	n := newNode(t, 120)
	checkView(t, "first boot", good("", 100), n.boot("one"))
	first := n.report()
	want := []string{
		"add partition 3 of 100 MiB as DATA-NEW", "tell the kernel of partition 3", "make the file system DATA on partition 3",
		"rename partition 3 to DATA", "mount partition 3 at /var", "tell the kernel of partition 2", "mount partition 2 at /var/lib/bulkhead",
	}
	if diff := cmp.Diff(want, first.Steps); diff != "" || len(first.Faults) > 0 {
		t.Errorf("first boot: steps (-want +got):\n%s\nfaults: %v", diff, first.Faults)
	}
	checkView(t, "second boot", good("one", 100), n.boot("two"))
	n.resize(200)
	checkView(t, "larger disk", good("two", grown(100, 180)), n.boot("three"))
	n.resize(4000)
	checkView(t, "much larger disk", good("three", grown(100, 3980)), n.boot(""))
	checkView(t, "after that", good("three", grown(100, 3980)), n.boot(""))
	if p := n.table()[2]; p.Sectors() != mib(3980) {
		t.Errorf("partition 3 has %d MiB, want 3980", p.Sectors()*sector/mebibyte)
	}
	want = nil
	if !mayGrow() {
		want = []string{"data-not-grown"}
	}
	if diff := cmp.Diff(want, strings.Fields(n.report().codes()), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("last boot: faults (-want +got):\n%s", diff)
	}
	got, err := healthfile.ReadAll(filepath.Join(n.root, healthfile.Dir))
	if err != nil || len(got) != len(want) {
		t.Errorf("health: %v, %v, want the faults of the report", got, err)
	}
}

// mayGrow reports whether the kernel lets this process grow file systems, which
// takes a right that root may not have in a container. Then they are mounted as
// they are, and the fault is reported.
func mayGrow() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&head, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// grown returns which of two sizes a file system has.
func grown(before, after int64) int64 {
	if mayGrow() {
		return after
	}
	return before
}

// What cannot be used stays as it is, and the node comes up without.
func TestLost(t *testing.T) {
	wipe := func(n *node, number int) {
		p := n.table()[number-1]
		n.change(func(f *os.File) error {
			_, err := f.WriteAt(make([]byte, 4096), int64(p.First)*512)
			return err
		})
	}
	spoil := func(n *node, number int) { // beyond what can be mended without a question
		p := n.table()[number-1]
		n.change(func(f *os.File) error {
			_, err := f.WriteAt([]byte(strings.Repeat("spoilt", 1<<16)), int64(p.First)*512+4096)
			return err
		})
	}
	without := good("", 100)
	without.Private, without.Secret = "memory", ""
	without.Kept = "one"
	memory := good("", 0)
	memory.Var, memory.Opt = "memory", "memory"
	tests := []struct {
		name   string
		change func(n *node)
		want   view
		codes  string
	}{
		{"DATA wiped", func(n *node) { wipe(n, 3) }, memory, "data-lost"},
		{"DATA spoilt", func(n *node) { spoil(n, 3) }, memory, "data-lost"},
		{"PRIVATE wiped", func(n *node) { wipe(n, 2) }, without, "private-lost"},
		{"PRIVATE spoilt", func(n *node) { spoil(n, 2) }, without, "private-lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, 120)
			n.boot("one")
			tt.change(n)
			n.copy()
			before := n.table()
			for _, which := range []string{"next boot", "boot after that"} {
				got := n.boot("")
				got.Flags = tt.want.Flags
				if tt.want.Var == "memory" {
					got.Size = 0
				}
				checkView(t, which, tt.want, got)
				r := n.report()
				if r.codes() != tt.codes || r.Faults[0].Severity != report.Error || r.Faults[0].Hint == "" {
					t.Errorf("%s: faults %v, want %s", which, r.Faults, tt.codes)
				}
			}
			if diff := cmp.Diff(before, n.table()); diff != "" {
				t.Errorf("partitions (-before +after):\n%s", diff)
			}
			lost := before[2]
			if tt.want.Private == "memory" {
				lost = before[1]
			}
			// Checking notes in the superblock that there are errors.
			n.run("cmp", "--ignore-initial", fmt.Sprint(lost.First*512+4096), "--bytes", fmt.Sprint(lost.Sectors()*512-4096), n.file, n.file+".cut")
		})
	}
}

// A partition whose name says so is made again; one whose table was lost is not.
func TestBeginAnew(t *testing.T) {
	n := newNode(t, 19)
	image := n.file + ".image"
	n.run("cp", "--sparse=always", n.file, image)
	n.resize(120)
	n.boot("one")
	// The image is written over the disk again.
	n.run("dd", "if="+image, "of="+n.file, "bs=1M", "conv=notrunc", "status=none")
	checkView(t, "after the image was written again", good("one", 100), n.boot(""))
	if got := n.report().codes(); got != "data-found" {
		t.Errorf("faults %s, want data-found", got)
	}
	checkView(t, "after that", good("one", 100), n.boot(""))
	if got := n.report().codes(); got != "" {
		t.Errorf("faults %s, want none", got)
	}
}

// Without room the node comes up, and with more room it is as good as any.
func TestNoRoom(t *testing.T) {
	n := newNode(t, 19)
	if v := n.boot(""); v.Var != "memory" || v.Secret != secret || n.report().codes() != "data-not-made" {
		t.Errorf("boot without room: %+v, faults %v", v, n.report().Faults)
	}
	n.resize(120)
	checkView(t, "with room", good("", 100), n.boot(""))
}

// The machine id of the boot is compared with the one that is kept.
func TestIdentity(t *testing.T) {
	n := newNode(t, 120)
	n.must(os.WriteFile(filepath.Join(n.root, "etc/machine-id"), []byte(strings.Repeat("ab", 16)+"\n"), 0o444))
	n.boot("")
	r := n.report()
	want := "the machine id " + strings.Repeat("ab", 16) + " holds for this boot only, the node keeps " + machineID
	if r.codes() != "machine-id-temporary" || r.Faults[0].Detail != want {
		t.Errorf("faults %v, want %q", r.Faults, want)
	}
}

// A second run in the same boot does nothing.
func TestAgain(t *testing.T) {
	n := newNode(t, 120)
	checkView(t, "boot with two runs", good("", 100), n.bootWith(boot{Twice: true}))
	if got := len(n.report().Steps); got != 7 {
		t.Errorf("the report has %d steps, want the 7 of the first run", got)
	}
}

// Wherever the power is cut between two steps, the next boot completes what was
// begun, and nothing that was kept is lost.
func TestPowerCutAtSteps(t *testing.T) {
	for stop := 1; stop <= 7; stop++ {
		t.Run(fmt.Sprintf("first boot, step %d", stop), func(t *testing.T) {
			n := newNode(t, 120)
			r := n.start(boot{Stop: stop})
			r.await("stopped")
			r.cutPower()
			checkView(t, "next boot", good("", 100), n.boot("one"))
			checkView(t, "boot after that", good("one", 100), n.boot(""))
		})
	}
	for stop := 1; stop <= 6; stop++ {
		t.Run(fmt.Sprintf("growth, step %d", stop), func(t *testing.T) {
			n := newNode(t, 120)
			n.boot("one")
			n.resize(500)
			r := n.start(boot{Stop: stop})
			r.await("stopped")
			r.cutPower()
			checkView(t, "next boot", good("one", grown(100, 480)), n.boot(""))
		})
	}
}

// The same at any time. What was written before the cut and synced is there.
func TestPowerCutAtRandom(t *testing.T) {
	const cuts = 5
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	t.Run("first boot", func(t *testing.T) {
		fresh := newNode(t, 120)
		fresh.run("cp", "--sparse=always", fresh.file, fresh.file+".fresh")
		began := time.Now()
		fresh.boot("")
		took := time.Since(began)
		for range cuts {
			fresh.run("cp", "--sparse=always", fresh.file+".fresh", fresh.file)
			kept := cutAfter(fresh, time.Duration(random.Int64N(int64(took))))
			checkCut(t, kept, 100, fresh.boot(""))
		}
	})
	t.Run("growth", func(t *testing.T) {
		n := newNode(t, 120)
		n.boot("before")
		n.run("cp", "--sparse=always", n.file, n.file+".small")
		n.resize(2000)
		began := time.Now()
		n.boot("")
		took := time.Since(began)
		for range cuts {
			n.run("cp", "--sparse=always", n.file+".small", n.file)
			n.resize(2000)
			kept := cutAfter(n, time.Duration(random.Int64N(int64(took))))
			checkCut(t, kept, grown(100, 1980), n.boot(""))
		}
	})
}

// cutAfter boots n and cuts the power after some time, and reports whether the
// node had said by then that its file is kept.
func cutAfter(n *node, after time.Duration) bool {
	n.t.Helper()
	r := n.start(boot{Keep: "kept"})
	timer := time.NewTimer(after)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				n.t.Fatalf("the boot ended:\n%s", r.log.String())
			}
			if line == "kept" {
				r.cutPower()
				return true
			}
		case <-timer.C:
			return slices.Contains(r.cutPower(), "kept")
		}
	}
}

// checkCut checks the boot after a power cut. A file that was not yet kept may
// be there or not, in part or as it was before.
func checkCut(t *testing.T, kept bool, size int64, got view) {
	t.Helper()
	want := good("kept", size)
	if !kept {
		want.Kept = got.Kept
	}
	checkView(t, "boot after a power cut", want, got)
}

func TestReport(t *testing.T) {
	n := newNode(t, 120)
	n.boot("")
	info, err := os.Stat(filepath.Join(n.root, "run/bulkhead/storage.json"))
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("report: %v, %v, want a file that all can read", info, err)
	}
	text, err := json.Marshal(n.report().Volumes)
	want := `[{"name":"DATA","dir":"/var"},{"name":"PRIVATE","dir":"/var/lib/bulkhead"}]`
	if err != nil || string(text) != want {
		t.Errorf("volumes %s, %v, want %s", text, err, want)
	}
}
