package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"go.etcd.io/bbolt"
)

// errCut stands for a loss of power.
var errCut = errors.New("the power is gone")

// A cut is the place in an update at which the power goes.
type cut int

const (
	cutBefore cut = iota // before anything was written
	cutDuring            // when the pages are on disk, and what refers to them is not
	cutAfter             // when all is on disk, and nobody was told
	cuts
)

// openCut opens the store with the power going at the update behind so many, and
// reports whether it went: then there is no store, and on disk what was there at
// that moment.
func (n *node) openCut(nth int, at cut) (s *Store, gone bool) {
	n.t.Helper()
	disk := map[string][]byte{}
	s = newStore(n.opt)
	s.commit = func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
		if nth--; nth >= 0 {
			return db.Update(fn)
		}
		metas := readFile(n.t, n.path("settings.db"))[:2*db.Info().PageSize]
		if at != cutBefore {
			if err := db.Update(fn); err != nil {
				return err
			}
		}
		for _, name := range []string{"settings.db", "settings.toml"} {
			if data, err := os.ReadFile(n.path(name)); err == nil {
				disk[name] = data
			}
		}
		if at == cutDuring {
			copy(disk["settings.db"], metas)
		}
		return errCut
	}
	err := s.start()
	if len(disk) == 0 {
		if err != nil {
			n.t.Fatalf("Open: %v", err)
		}
		n.t.Cleanup(func() { s.Close() })
		return s, false
	}
	if !s.closed {
		n.kill(s)
	}
	for name, data := range disk {
		writeFile(n.t, n.path(name), data)
	}
	if disk["settings.toml"] == nil {
		os.Remove(n.path("settings.toml"))
	}
	return nil, true
}

// Versions come and go, people change settings, and the power goes at any point of
// any migration: in the end each version has what it would have had without.
func TestMigrationSurvivesPowerCuts(t *testing.T) {
	versions := []struct{ version, steps string }{{"1.0.0", ""}, {"1.1.0", lossy}, {"1.2.0", lossy + more}}
	went := 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			calm, rough := newNode(t), newNode(t)
			a, b := calm.become(nil, "1.0.0", ""), rough.become(nil, "1.0.0", "")
			for range 10 {
				text := randomSettings(r)
				change(t, a, text)
				change(t, b, text)
				to := versions[r.IntN(len(versions))]
				a = calm.become(a, to.version, to.steps)
				rough.stop(b)
				for range r.IntN(4) {
					rough.newBoot()
					rough.opt.Version, rough.opt.Migrations = to.version, parseSteps(t, to.steps)
					rough.opt.Format = rough.opt.Migrations.Newest()
					if s, gone := rough.openCut(r.IntN(3), cut(r.IntN(int(cuts)))); !gone {
						rough.kill(s)
					} else {
						went++
					}
					if r.IntN(4) == 0 { // another version boots after that
						other := versions[r.IntN(len(versions))]
						rough.stop(rough.become(nil, other.version, other.steps))
					}
				}
				b = rough.become(nil, to.version, to.steps)
				if got, want := b.Snapshot(), a.Snapshot(); !got.User.Equal(want.User) || got.Current.ID != want.Current.ID {
					t.Fatalf("after the way to %s: generation %d %s, want %d %s", to.version, got.Current.ID, got.User.JSON(), want.Current.ID, want.User.JSON())
				}
				if faults := b.Health(); len(faults) > 0 {
					t.Fatalf("after the way to %s: %v", to.version, faults)
				}
			}
		})
	}
	if went < 20 {
		t.Errorf("the power went %d times, which is too few to say anything", went)
	}
}

// randomSettings returns settings that all versions know, so that every way leads
// to the same ones.
func randomSettings(r *rand.Rand) string {
	text := ""
	for _, name := range []string{"a", "b.c", "b.d", "motd"} {
		if r.IntN(2) == 0 {
			text += fmt.Sprintf("%s = %d\n", name, r.IntN(5))
		}
	}
	return text + fmt.Sprintf("count = %d\n", r.Int64())
}
