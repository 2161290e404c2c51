package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/models/document"
)

// ruin overwrites the database with what is none.
func ruin(t *testing.T, n *node) {
	t.Helper()
	writeFile(t, n.path("settings.db"), []byte(strings.Repeat("ruin", 5000)))
}

func TestRecoveryFromCopy(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	change(t, s, "a = 2\nb.c = ['x']")
	generate(t, s, Strong, "seed = 7")
	generate(t, s, Weak, "image = 'v1'")
	n.stop(s)
	n.told()
	ruin(t, n)
	s = n.open()
	wantUser(t, s, "a = 2\nb.c = ['x']")
	wantHistory(t, s, "3<2 recovery")
	wantGenerated(t, s, 3, "image = 'v1'\nseed = 7")
	wantFault(t, s, CodeRecovered)
	wantEvents(t, n, "recovered 3 ")
	if f := s.Health()[0]; !strings.HasSuffix(f.Detail, "; restored generation 2 from the plain copy") {
		t.Errorf("fault: %s", f.Detail)
	}
	if got := corrupt(t, n); len(got) != 1 || len(readFile(t, n.path(got[0]))) != 20000 {
		t.Errorf("databases set aside: %v, want the ruined one", got)
	}
	wantCopy(t, n, 3, "a = 2\nb.c = ['x']")
	s = n.reboot(s)
	wantFault(t, s, CodeRecovered) // until somebody has looked
	change(t, s, "a = 3")
	wantFault(t, s)
	wantHistory(t, s, "3<2 recovery", "4<3")
	if p, _ := s.Provenance(mustKey(t, "b.c")); p.Generation != 3 || p.Actor != internal {
		t.Errorf("Provenance(b.c) = %+v, want the recovery", p)
	}
}

func corrupt(t *testing.T, n *node) []string {
	t.Helper()
	paths, err := filepath.Glob(n.path("settings.db.corrupt-*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

func TestRecoveryWithoutCopy(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	n.kill(s)
	n.told()
	ruin(t, n)
	s = n.open()
	wantUser(t, s, "")
	wantFault(t, s, CodeRecovered)
	wantEvents(t, n, "recovered 1 ")
	change(t, s, "a = 2")
	wantHistory(t, s, "1<0 recovery", "2<1")
}

// What of the database can still be read is worth more than an older copy, and
// the history comes along.
func TestRecoveryFromWhatIsLeft(t *testing.T) {
	n := newNode(t)
	s := n.open()
	for i := range 20 {
		change(t, s, fmt.Sprintf("n = %d\npad = '%s'", i, strings.Repeat("p", 5000)))
	}
	n.kill(s)
	b := readFile(t, n.path("settings.db"))
	// The oldest record is somewhere; its damage is no reason to lose others.
	other := bytes.ReplaceAll(b, []byte(`"id":3,`), []byte(`"id":8,`))
	if bytes.Equal(b, other) {
		t.Fatal("generation 3 not found in the file")
	}
	writeFile(t, n.path("settings.db"), other)
	s = n.open()
	wantFault(t, s, CodeRecovered)
	if got := s.Snapshot(); !strings.HasPrefix(string(got.User.JSON()), `{"n":19,`) || got.Current.Parent != 20 || got.Current.ID != 21 {
		t.Errorf("recovered generation %d<%d: %.20s", got.Current.ID, got.Current.Parent, got.User.JSON())
	}
	if got := history(s); len(got) != 20 || slices.Contains(got, "3<2") {
		t.Errorf("history: %v, want all but generation 3", got)
	}
	if p, _ := s.Provenance(mustKey(t, "n")); p.Generation != 20 {
		t.Errorf("Provenance(n) = %+v, want generation 20", p)
	}
}

// A generation on trial is not what a damaged store comes back to.
func TestRecoveryDuringTry(t *testing.T) {
	for _, copied := range []bool{true, false} {
		t.Run(fmt.Sprintf("copy %v", copied), func(t *testing.T) {
			n := newNode(t)
			s := n.open()
			change(t, s, "a = 1")
			n.stop(s)
			s = n.open()
			try(t, s, "a = 2", time.Hour)
			n.kill(s)
			if !copied {
				if err := os.Remove(n.path("settings.toml")); err != nil {
					t.Fatal(err)
				}
			}
			// Take the state away, so that only the records tell.
			b := readFile(t, n.path("settings.db"))
			writeFile(t, n.path("settings.db"), bytes.ReplaceAll(b, []byte(sealState), []byte("????")))
			s = n.open()
			wantUser(t, s, "a = 1")
			wantHistory(t, s, "1<0", "2<1", "3<1 recovery")
		})
	}
}

func TestDatabaseMissing(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	n.stop(s)
	if err := os.Remove(n.path("settings.db")); err != nil {
		t.Fatal(err)
	}
	s = n.open()
	wantUser(t, s, "a = 1")
	wantFault(t, s, CodeRecovered)
	n.stop(s)
	// Not even the copy can be read: an empty store, and the copy is kept.
	if err := os.Remove(n.path("settings.db")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, n.path("settings.toml"), []byte("not = [TOML"))
	s = n.open()
	wantUser(t, s, "")
	wantFault(t, s, CodeRecovered)
	if got := string(readFile(t, n.path("settings.toml.unreadable"))); got != "not = [TOML" {
		t.Errorf("unreadable copy: %q", got)
	}
}

// A copy that somebody has changed is used when nothing better is there.
func TestRecoveryFromChangedCopy(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	n.stop(s)
	ruin(t, n)
	writeFile(t, n.path("settings.toml"), []byte("[settings]\na = 2\n"))
	s = n.open()
	wantUser(t, s, "a = 2")
	if f := s.Health()[0]; !strings.HasSuffix(f.Detail, "from the plain copy, which somebody has changed") {
		t.Errorf("fault: %s", f.Detail)
	}
}

func TestAtMostThreeAreKeptAside(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	for i := range 5 {
		n.stop(s)
		ruin(t, n)
		if i > 1 { // twice within a second, then later
			n.pass(time.Minute)
		}
		s = n.open()
		wantUser(t, s, "a = 1")
	}
	got := corrupt(t, n)
	if len(got) != keepDamaged || got[2] != "settings.db.corrupt-20260822T120300Z" {
		t.Errorf("databases set aside: %v, want the last three", got)
	}
}

// A power cut loses any of the sectors that were not synced yet. bbolt syncs
// all of a commit but its meta page, then that: so the old settings are there,
// or the new ones, and nothing is damaged.
func TestPowerCut(t *testing.T) {
	const sector = 512
	n := newNode(t)
	n.opt.Retain = 5
	r := rand.New(rand.NewPCG(5, 6))
	s := n.open()
	page := 2 * os.Getpagesize() // the meta pages
	for i := range 25 {
		before := readFile(t, n.path("settings.db"))
		old := s.Snapshot().User
		change(t, s, fmt.Sprintf("n = %d\npad = '%s'", i, strings.Repeat("p", r.IntN(9000))))
		n.kill(s)
		after := readFile(t, n.path("settings.db"))
		if err := os.Remove(n.path("settings.toml")); err != nil && i > 0 {
			t.Fatal(err)
		}
		for range 4 {
			torn := slices.Clone(before)
			if len(after) > len(torn) && r.IntN(2) == 0 {
				torn = append(torn, make([]byte, len(after)-len(torn))...)
			}
			for at := page; at < len(torn); at += sector {
				if r.IntN(2) == 0 {
					copy(torn[at:at+sector], after[at:])
				}
			}
			wantAfterCut(t, n, torn, old)
		}
		// All is there but the meta page, of which some bytes are new.
		torn := slices.Clone(after)
		copy(torn, before[:page])
		for meta := 0; meta < page; meta += page / 2 {
			copy(torn[meta:meta+sector], after[meta:meta+r.IntN(sector)])
		}
		s = openAfterCut(t, n, torn)
		if got := s.Snapshot().User; !got.Equal(old) && !got.Equal(parseAfter(t, after, n)) {
			t.Errorf("commit %d, torn meta page: neither the old settings nor the new", i)
		}
		n.kill(s)
		writeFile(t, n.path("settings.db"), after)
		s = n.open()
	}
}

func wantAfterCut(t *testing.T, n *node, db []byte, want document.Document) {
	t.Helper()
	s := openAfterCut(t, n, db)
	defer n.kill(s)
	if !s.Snapshot().User.Equal(want) {
		t.Errorf("after a power cut: %.60s, want %.60s", s.Snapshot().User.JSON(), want.JSON())
	}
}

func openAfterCut(t *testing.T, n *node, db []byte) *Store {
	t.Helper()
	writeFile(t, n.path("settings.db"), db)
	if err := os.RemoveAll(n.path("settings.toml")); err != nil {
		t.Fatal(err)
	}
	s := n.open()
	wantFault(t, s)
	return s
}

// parseAfter returns the settings in the whole database db.
func parseAfter(t *testing.T, db []byte, n *node) document.Document {
	t.Helper()
	whole := newNode(t)
	whole.opt.Retain = n.opt.Retain
	if err := os.MkdirAll(whole.opt.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, whole.path("settings.db"), db)
	s := whole.open()
	defer whole.kill(s)
	return s.Snapshot().User
}

// Whatever happens to the bytes of the database, the store opens and works.
// With the copy nothing is lost; without, what is there was committed once.
func TestCorruption(t *testing.T) {
	seeds := 150
	if soak() {
		seeds = 20000
	}
	n := newNode(t)
	n.opt.Retain = 30
	s := n.open()
	var docs []document.Document
	docs = append(docs, document.Document{})
	for i := range 40 {
		change(t, s, fmt.Sprintf("n = %d\npad%d = '%s'", i, i%3, strings.Repeat("p", i*i*5)))
		docs = append(docs, s.Snapshot().User)
	}
	generate(t, s, Strong, "seed = 1")
	n.stop(s)
	db, plain := readFile(t, n.path("settings.db")), readFile(t, n.path("settings.toml"))
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		writeFile(t, n.path("settings.db"), damaged(r, db))
		writeFile(t, n.path("settings.toml"), plain)
		copied := r.IntN(2) == 0
		if !copied {
			if err := os.Remove(n.path("settings.toml")); err != nil {
				t.Fatal(err)
			}
		}
		s := n.open()
		got := s.Snapshot().User
		if copied && !got.Equal(docs[len(docs)-1]) || !slices.ContainsFunc(docs, got.Equal) {
			t.Errorf("seed %d, copy %v: settings %.60s were never committed, or not last", seed, copied, got.JSON())
		}
		change(t, s, "after = true")
		for _, g := range s.Generations(0, 0) {
			if _, _, err := s.Generation(g.ID); err != nil {
				t.Errorf("seed %d: Generation(%d): %v", seed, g.ID, err)
			}
		}
		n.kill(s)
		s = n.open()
		wantFault(t, s)
		n.stop(s)
	}
}

// damaged returns db with one kind of damage.
func damaged(r *rand.Rand, db []byte) []byte {
	b := slices.Clone(db)
	size := os.Getpagesize()
	page := func() []byte {
		at := r.IntN(len(b)/size) * size
		return b[at : at+size]
	}
	switch r.IntN(7) {
	case 0:
		return b[:r.IntN(len(b))]
	case 1:
		return b[:r.IntN(len(b)/size)*size]
	case 2:
		for range 1 + r.IntN(20) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	case 3:
		clear(page())
	case 4: // a page in the place of another
		copy(page(), page())
	case 5:
		for p := page(); len(p) > 0; p = p[1:] {
			p[0] = byte(r.Uint32())
		}
	default: // the head of a page, where lengths and page numbers are
		p := page()
		for range 1 + r.IntN(4) {
			p[r.IntN(96)] = byte(r.Uint32())
		}
	}
	return b
}
