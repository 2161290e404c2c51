package bootsettings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// What comes up stays, for the version that came up with it.
func TestParametersThatWork(t *testing.T) {
	w := newWorld(t, two, one)
	w.start("")
	if !w.marked() {
		t.Error("without settings there is no mark that says so")
	}
	if diff := cmp.Diff([]string{string(codeReboot)}, w.start(asked)); diff != "" {
		t.Errorf("faults when settings come (-want +got):\n%s", diff)
	}
	w.is("addons while the node runs", w.onESP("2.0.0"), "")
	w.stop(asked)
	w.is("addons of 2.0.0", w.onESP("2.0.0"), ours)
	w.is("addons of 1.0.0", w.onESP("1.0.0"), "")
	w.is("program of 2.0.0", w.v.Entries[0].File, "bulkhead-2.0.0+3.efi")
	if w.marked() {
		t.Error("there is an addon, and the mark that there is none")
	}
	w.boot()
	w.is("program of 2.0.0 in its boot", w.v.Entries[0].File, "bulkhead-2.0.0+2-1.efi")
	if got := w.start(asked); len(got) > 0 {
		t.Errorf("faults of a boot that has what is wanted: %q", got)
	}
	w.healthy()
	w.is("program of 2.0.0 when it is healthy", w.v.Entries[0].File, two)
	w.stop(asked) // changes nothing
	w.is("program of 2.0.0 after another boot", w.v.Entries[0].File, two)

	both := "addons = [\"debug\"]\n" + asked
	w.stop(both)
	w.is("addons of 2.0.0 with one of the image", w.onESP("2.0.0"), Word+"debug of-the-image "+ours)
	w.boot()
	w.start(both)
	w.healthy()
	w.stop("")
	w.is("addons of no settings", w.onESP("2.0.0"), "")
	if _, err := os.Stat(filepath.Join(w.dir, "esp", extraDir("2.0.0"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory of no addons: %v, want none", err)
	}
	w.boot()
	w.healthy()
	if got := w.start(""); len(got) > 0 || !w.marked() {
		t.Errorf("faults of no settings: %q, marked %t, want none and the mark", got, w.marked())
	}
	if _, err := os.Stat(filepath.Join(w.dir, "state")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state in the end: %v, want none", err)
	}
}

// What does not come up costs the version its tries, and the other one takes
// over, without it and for good.
func TestParametersThatBreak(t *testing.T) {
	w := newWorld(t, two, one)
	w.words = "mem=1M"
	w.stop(bad)
	if tries := w.boot(); tries != slots.Tries || w.v.Boot.Root != rootOf("1.0.0") {
		t.Fatalf("%d boots failed, and %s runs, want %d and 1.0.0", tries, w.v.Boot.Root, slots.Tries)
	}
	for range 2 { // boots
		if diff := cmp.Diff([]string{string(codeUnproven)}, w.start("reboot-to-reconcile = true\n"+bad)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		w.stop(bad)
		w.is("addons of 1.0.0", w.onESP("1.0.0"), "")
		w.boot()
	}
	if f := w.v.Memory.Failed; len(f) != 1 || f[0].Version != "2.0.0" || f[0].Reason != proveReason {
		t.Errorf("versions that failed: %+v, want 2.0.0 for its parameters", f)
	}
	w.start(asked)
	w.stop(asked)
	w.is("other addons of 1.0.0", w.onESP("1.0.0"), ours)
	w.is("program of 1.0.0, with nothing to take over", w.v.Entries[1].File, one)
}

// Nor is another version spoiled by parameters with which one comes up and is not
// healthy, and that goes down in good order each time.
func TestParametersThatAreUnhealthy(t *testing.T) {
	w := newWorld(t, two, one)
	w.stop(asked)
	for range slots.Tries {
		w.boot()
		w.is("what runs", w.v.Boot.Root, rootOf("2.0.0"))
		w.start(asked)
		if err := w.carry(w.v.GiveUp("no network")); err != nil {
			t.Fatal(err)
		}
		w.stop(asked)
	}
	w.boot()
	w.is("what runs in the end", w.v.Boot.Root, rootOf("1.0.0"))
	w.is("addons of 1.0.0", w.onESP("1.0.0"), "")
	if diff := cmp.Diff([]string{string(codeUnproven)}, w.start(asked)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// A version that is gone back to has what it had.
func TestRollback(t *testing.T) {
	w := newWorld(t, two, one)
	w.stop(asked)
	w.boot()
	w.start(asked)
	w.healthy()
	p, err := w.v.Rollback("by hand", time.Now(), slots.Careful)
	if err := errors.Join(err, w.carry(p)); err != nil {
		t.Fatal(err)
	}
	w.stop(asked)
	w.is("what is next", w.v.Next().Root, rootOf("1.0.0"))
	w.is("addons of 1.0.0", w.onESP("1.0.0"), "")
	w.is("addons of 2.0.0", w.onESP("2.0.0"), ours)
}

// The firmware and the ESP are looked at when that matters.
func TestLook(t *testing.T) {
	w := newWorld(t, two)
	w.put(secureBoot, []byte{6, 0, 0, 0, 1})
	m := machine{root: w.dir, esp: filepath.Join(w.dir, "esp"), mounted: true, state: filepath.Join(w.dir, "state")}
	for in, signed := range map[string]bool{"": false, asked: true, "addons = [\"debug\"]\n": true} {
		s, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		n, err := m.look(t.Context(), s)
		if err != nil || !n.SecureBoot || (len(n.Signed["debug"]) > 0) != signed {
			t.Errorf("look for %q: Secure Boot %t, signed %d, %v, want Secure Boot and the addons of the image %t", in, n.SecureBoot, len(n.Signed), err, signed)
		}
	}
}

// A node with one version has nothing to go back to.
func TestOneVersion(t *testing.T) {
	w := newWorld(t, two)
	w.stop(asked)
	w.is("addons", w.onESP("2.0.0"), ours)
	w.is("program", w.v.Entries[0].File, two)
	w.boot()
	if got := w.start(asked); len(got) > 0 {
		t.Errorf("faults: %q, want none", got)
	}
}

// An update has the parameters of the version before it, and what is new with it
// is tried with the update alone.
func TestUpdate(t *testing.T) {
	tests := []struct {
		name, settings string
		breaks         string
		runs           string
		want           string // of the version that runs in the end
		old            string // what the old version has in any case
		fault          string
	}{
		{name: "as before", settings: asked, runs: "2.0.0", want: ours, old: ours},
		{name: "with something new", settings: "addons = [\"debug\"]\n" + asked, runs: "2.0.0", want: Word + "debug of-the-image " + ours, old: ours},
		{name: "with something that breaks it", settings: bad, breaks: "mem=1M", runs: "1.0.0", want: ours, old: ours, fault: string(codeUnproven)},
		{name: "without any more", settings: "", runs: "2.0.0", want: "", old: ours},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, one, "bulkhead-0.9.0.efi")
			w.stop(asked)
			w.boot()
			w.healthy()
			w.words = tt.breaks
			w.v.Entries[1] = slots.Entry{}
			w.v.Entries = w.v.Entries[:1]
			w.add("bulkhead-2.0.0.efi.staged")
			w.v.Slots[1].Root = rootOf("2.0.0")
			p, err := w.v.Activate("2.0.0", time.Now(), slots.Careful)
			if err := errors.Join(err, w.carry(p)); err != nil {
				t.Fatal(err)
			}
			w.start(tt.settings)
			w.stop(tt.settings)
			w.is("addons of the old version", w.onESP("1.0.0"), tt.old)
			w.boot()
			if w.v.Boot.Root != rootOf(tt.runs) {
				t.Errorf("%s runs, want %s", w.v.Boot.Root, tt.runs)
			}
			w.is("addons of what runs", w.onESP(tt.runs), tt.want)
			if got := strings.Join(w.start(tt.settings), " "); got != tt.fault {
				t.Errorf("faults: %q, want %q", got, tt.fault)
			}
		})
	}
}

// A version that is started again after parameters have failed has those of the
// one that runs.
func TestVersionAfterFailure(t *testing.T) {
	w := newWorld(t, two, one)
	w.stop(asked)
	w.boot()
	w.start(asked)
	w.healthy()
	w.words = "mem=1M"
	w.start(bad)
	w.stop(bad)
	w.boot()
	w.start(bad)
	w.is("what runs", w.v.Boot.Root, rootOf("1.0.0"))
	p, err := w.v.Activate("2.0.0", time.Now(), slots.Forced)
	if err := errors.Join(err, w.carry(p)); err != nil {
		t.Fatal(err)
	}
	w.stop(bad)
	w.is("addons of 2.0.0", w.onESP("2.0.0"), w.onESP("1.0.0"))
	if tries := w.boot(); tries > 0 || w.v.Boot.Root != rootOf("2.0.0") {
		t.Errorf("%d boots failed, and %s runs, want 2.0.0 at once", tries, w.v.Boot.Root)
	}
}

// Directories of versions that are gone go, and those of others stay.
func TestGone(t *testing.T) {
	w := newWorld(t, two, one)
	w.put("esp/"+extraDir("0.5.0")+"/"+settingsName, []byte("old"))
	w.put("esp/"+extraDir("0.6.0")+"/of-somebody.addon.efi", []byte("x"))
	w.stop("")
	for dir, want := range map[string]bool{extraDir("0.5.0"): false, extraDir("0.6.0"): true, slots.Dir + "/somebody-else.efi.extra.d": true} {
		if _, err := os.Stat(filepath.Join(w.dir, "esp", dir)); (err == nil) != want {
			t.Errorf("%s: %v, want that it is there: %t", dir, err, want)
		}
	}
	if !w.marked() {
		t.Error("there is no mark, and nothing of ours")
	}
}

// Without tries, nothing new is written.
func TestNoTries(t *testing.T) {
	w := newWorld(t, two, one)
	w.stuck = errors.New("the partition is full of holes")
	if diff := cmp.Diff([]string{string(codeReboot), string(codeFailed)}, w.run(asked, options{install: true})); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	w.is("addons", w.onESP("2.0.0"), "")
	w.stuck = nil
	w.boot()
	w.start("")
	if _, err := os.Stat(filepath.Join(w.dir, "state")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state: %v, want that nothing is pending", err)
	}
}
