package slots

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A world is a node of which only the names, the memory and the boots matter.
type world struct {
	t    *testing.T
	view View
	// broken are versions that do not get as far as to mark themselves good.
	broken []string
	// refused are versions that the firmware does not start.
	refused []string
	// blind says that the loader cannot write.
	blind bool
	boots int
}

var then = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func root(version string) string { return strings.Repeat("0", 64-len(version)) + version }

func entry(file string) Entry {
	n, ok := ParseName(file)
	if !ok {
		panic(file)
	}
	c := uint32(0)
	for _, b := range []byte(n.Version) {
		c = c*31 + uint32(b)
	}
	return Entry{File: file, Name: n, Root: root(n.Version), SortKey: "bulkhead-test", Sort: n.Version, Cluster: c}
}

// newWorld returns a node that has booted the first of what the loader would
// start of files.
func newWorld(t *testing.T, files ...string) *world {
	w := &world{t: t}
	seen := map[string]bool{}
	for _, f := range files {
		e := entry(f)
		w.view.Entries = append(w.view.Entries, e)
		if !seen[e.Root] {
			w.view.Slots = append(w.view.Slots, Slot{Name: string(rune('A' + len(seen))), Root: e.Root})
			seen[e.Root] = true
		}
	}
	w.boot()
	return w
}

// boot restarts the node: the loader counts and starts, a refused version sends
// the firmware to the loader again.
func (w *world) boot() {
	w.t.Helper()
	w.boots++
	for range Tries + 1 {
		e := next(w.view.Entries)
		if e == nil || w.view.slot(*e) == nil {
			w.t.Fatalf("nothing to start of %q", w.files())
		}
		if e.Name.State() == Trial && !w.blind {
			e.Name.Left, e.Name.Done = e.Name.Left-1, e.Name.Done+1
			e.File = e.Name.String()
		} else if e.Name.Counted && !w.blind {
			e.Name.Done++
			e.File = e.Name.String()
		}
		if slices.Contains(w.refused, e.Name.Version) {
			continue
		}
		w.view.Boot = Boot{ID: string(rune('a' + w.boots)), Root: e.Root, Stub: `\EFI\Linux\` + e.File}
		return
	}
	w.t.Fatalf("the firmware found nothing to start of %q", w.files())
}

func (w *world) files() []string {
	var all []string
	for _, e := range w.view.Entries {
		all = append(all, e.File)
	}
	slices.Sort(all)
	return all
}

// carry carries p out, and stops in front of the step with the number cut. Of a
// rename that is cut, both names may stay.
func (w *world) carry(p Plan, cut int, both bool) {
	w.t.Helper()
	for i, s := range p {
		if i == cut && !both {
			return
		}
		w.step(s, i == cut)
		if i == cut {
			return
		}
	}
}

func (w *world) step(s Step, both bool) {
	w.t.Helper()
	at := func(file string) int {
		i := slices.IndexFunc(w.view.Entries, func(e Entry) bool { return e.File == file })
		if i < 0 {
			w.t.Fatalf("%s: there are %q", s, w.files())
		}
		return i
	}
	switch x := s.(type) {
	case Remember:
		w.view.Memory = x.Memory.clone()
	case Unname:
		i := at(x.File)
		w.view.Entries = slices.Delete(w.view.Entries, i, i+1)
	case Rename:
		e := w.view.Entries[at(x.From)]
		if slices.ContainsFunc(w.view.Entries, func(o Entry) bool { return o.File == x.To && x.From != x.To }) {
			w.t.Fatalf("%s: there are %q", s, w.files())
		}
		if !both {
			i := at(x.From)
			w.view.Entries = slices.Delete(w.view.Entries, i, i+1)
		}
		n, ok := ParseName(x.To)
		if ok {
			e.File, e.Name, e.Short = x.To, n, false
			w.view.Entries = append(w.view.Entries, e)
		}
	}
}

func (w *world) running() string {
	if e := w.view.running(); e != nil {
		return e.Name.Version
	}
	return "unknown"
}

// begin does what boot-slot.service does.
func (w *world) begin() {
	w.t.Helper()
	w.carry(w.view.Repair(), -1, false)
	if p := w.view.Repair(); len(p) > 0 {
		w.t.Fatalf("a repair is followed by another:\n%s", p)
	}
	w.carry(w.view.Begin(then), -1, false)
	if p := w.view.Begin(then); len(p) > 0 {
		w.t.Fatalf("what is due at the beginning is due twice:\n%s", p)
	}
}

// settle boots until a boot is healthy, and returns the versions that ran.
func (w *world) settle() []string {
	w.t.Helper()
	var ran []string
	for range 12 {
		w.begin()
		ran = append(ran, w.running())
		if !slices.Contains(w.broken, w.running()) {
			p, err := w.view.MarkGood()
			if err != nil {
				w.t.Fatalf("MarkGood with %q: %v", w.files(), err)
			}
			w.carry(p, -1, false)
			return ran
		}
		if !w.view.CanFallBack() {
			return append(ran, "stays")
		}
		w.carry(w.view.GiveUp("it is broken"), -1, false)
		w.boot()
	}
	w.t.Fatalf("no healthy boot after %q", ran)
	return nil
}
