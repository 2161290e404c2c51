package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bulkhead-os/bulkhead/models/migration"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// lossy are migrations that lose what they cannot keep.
const lossy = `
[[migration]]
format = 2
[[migration.step]]
kind = "rename"
from = "settings.ntp.servers"
to = "settings.ntp.time-servers"
[[migration.step]]
kind = "drop"
key = "settings.old"
[[migration.step]]
kind = "drop"
key = "settings.legacy.mode"
[[migration.step]]
kind = "map"
key = "settings.level"
values = [[2, "low"], [3, "high"]]
`

const more = `
[[migration]]
format = 3
[[migration.step]]
kind = "drop"
key = "settings.middle"
[[migration.step]]
kind = "add"
key = "settings.boot.timeout"
value = 30
`

func parseSteps(t testing.TB, text string) migration.Set {
	t.Helper()
	set, rep := migration.Parse("steps", []byte(text))
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// become makes n the image of a version that knows the migrations in text, and
// boots it.
func (n *node) become(s *Store, version, text string) *Store {
	n.t.Helper()
	if s != nil {
		n.stop(s)
	}
	n.newBoot()
	n.opt.Version, n.opt.Migrations = version, parseSteps(n.t, text)
	n.opt.Format = n.opt.Migrations.Newest()
	return n.open()
}

// Whoever goes back gets the settings that he left, with what was changed since,
// also by an image that has never heard of the newer format.
func TestWayBack(t *testing.T) {
	const start = "level = 2\nold = 'precious'\nlegacy.mode = 'x'\nmotd = 'hello'\nntp.servers = ['a']"
	tests := []struct {
		name   string
		change func(*testing.T, *Store) // by the newer version
		want   string
	}{
		{name: "nothing changed", want: start},
		{
			name: "what both know", change: func(t *testing.T, s *Store) { change(t, s, "motd = 'changed'") },
			want: "level = 2\nold = 'precious'\nlegacy.mode = 'x'\nmotd = 'changed'\nntp.servers = ['a']",
		},
		{
			name: "what is called otherwise", change: func(t *testing.T, s *Store) { change(t, s, "ntp.time-servers = ['b', 'c']") },
			want: "level = 2\nold = 'precious'\nlegacy.mode = 'x'\nmotd = 'hello'\nntp.servers = ['b', 'c']",
		},
		{
			name: "what has other values", change: func(t *testing.T, s *Store) { change(t, s, "level = 'high'") },
			want: "level = 3\nold = 'precious'\nlegacy.mode = 'x'\nmotd = 'hello'\nntp.servers = ['a']",
		},
		{
			name: "what is unset", change: func(t *testing.T, s *Store) { change(t, s, "", "motd", "ntp") },
			want: "level = 2\nold = 'precious'\nlegacy.mode = 'x'",
		},
		{
			name: "what only the newer one knows", change: func(t *testing.T, s *Store) { change(t, s, "new.thing = 1") },
			want: "level = 2\nold = 'precious'\nlegacy.mode = 'x'\nmotd = 'hello'\nntp.servers = ['a']\nnew.thing = 1",
		},
		{
			name: "on trial", change: func(t *testing.T, s *Store) { try(t, s, "motd = 'trial'", time.Hour) },
			want: start,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t)
			s := n.become(nil, "1.0.0", "")
			change(t, s, "motd = 'hello'\nold = 'older'")
			change(t, s, start)
			generate(t, s, Strong, "old2 = 1\nlegacy.mode2 = 2")
			s = n.become(s, "1.1.0", lossy)
			wantUser(t, s, "level = 'low'\nmotd = 'hello'\nntp.time-servers = ['a']")
			if tt.change != nil {
				tt.change(t, s)
			}
			s = n.become(s, "1.0.0", "") // has no migrations at all
			wantUser(t, s, tt.want)
			wantFault(t, s)
			if p, _ := s.Provenance(mustKey(t, "old")); p.Generation != 2 || p.Actor != tester {
				t.Errorf("Provenance(old) = %+v, want generation 2", p)
			}
			wantGenerated(t, s, s.Snapshot().Revision, "legacy.mode2 = 2\nold2 = 1")
		})
	}
}

// Forward again by the same steps gives what was left there; by other steps it
// does not, because those that were released instead may mend what the first broke.
func TestWayForwardAgain(t *testing.T) {
	n := newNode(t)
	s := n.become(nil, "1.0.0", "")
	change(t, s, "motd = 'hello'\nlevel = 2\nold = 'x'")
	s = n.become(s, "1.2.0", lossy+more)
	wantUser(t, s, "boot.timeout = 30\nlevel = 'low'\nmotd = 'hello'")
	change(t, s, "boot.timeout = 60")
	s = n.become(s, "1.0.0", "")
	wantUser(t, s, "level = 2\nmotd = 'hello'\nold = 'x'")
	change(t, s, "motd = 'bye'")
	s = n.become(s, "1.2.0", lossy+more)
	wantUser(t, s, "boot.timeout = 60\nlevel = 'low'\nmotd = 'bye'")
	s = n.become(s, "1.0.0", "")
	wantUser(t, s, "level = 2\nmotd = 'bye'\nold = 'x'")
	s = n.become(s, "1.2.1", lossy+strings.Replace(more, "30", "45", 1))
	wantUser(t, s, "boot.timeout = 45\nlevel = 'low'\nmotd = 'bye'")
}

// From one version to the next and back over both, each gives what it could not
// keep.
func TestWayBackOverSeveralVersions(t *testing.T) {
	n := newNode(t)
	s := n.become(nil, "1.0.0", "")
	change(t, s, "old = 'x'\nlevel = 2\nmotd = 'a'")
	s = n.become(s, "1.1.0", lossy)
	change(t, s, "middle = 7\nmotd = 'b'")
	s = n.become(s, "1.2.0", lossy+more)
	wantUser(t, s, "boot.timeout = 30\nlevel = 'low'\nmotd = 'b'")
	change(t, s, "motd = 'c'")
	s = n.become(s, "1.0.0", "")
	wantUser(t, s, "level = 2\nmiddle = 7\nmotd = 'c'\nold = 'x'")
	s = n.become(s, "1.1.0", lossy)
	wantUser(t, s, "level = 'low'\nmiddle = 7\nmotd = 'c'")
}

// A node that was installed with the newer version has the way back as well.
func TestWayBackOfANewNode(t *testing.T) {
	n := newNode(t)
	s := n.become(nil, "1.2.0", lossy+more)
	change(t, s, "ntp.time-servers = ['a']\nboot.timeout = 5")
	s = n.become(s, "1.0.0", "")
	wantUser(t, s, "ntp.servers = ['a']")
	wantFault(t, s)
}

// The plain copy has the way back, too: it may be all that is left.
func TestWayBackFromTheCopy(t *testing.T) {
	n := newNode(t)
	s := n.become(nil, "1.1.0", lossy)
	change(t, s, "ntp.time-servers = ['a']\nlevel = 'high'")
	n.stop(s)
	ruin(t, n)
	s = n.become(nil, "1.0.0", "")
	wantUser(t, s, "level = 3\nntp.servers = ['a']")
	wantFault(t, s, CodeRecovered)
	n.stop(s)

	// Or somebody else has it.
	n = newNode(t)
	s = n.become(nil, "1.1.0", lossy)
	change(t, s, "ntp.time-servers = ['a']")
	n.stop(s)
	ruin(t, n)
	text := readFile(t, n.path("settings.toml"))
	text = bytes.Replace(text, []byte(`,"steps":"`), []byte(`,"stops":"`), 1)
	writeFile(t, n.path("settings.toml"), text)
	n.opt.Version, n.opt.Format, n.opt.Migrations = "1.0.0", 1, migration.Set{}
	if _, err := Open(n.opt); !errors.Is(err, ErrNotMigrated) || !errors.Is(err, migration.ErrUnknownFormat) {
		t.Errorf("Open without a way: %v, want ErrNotMigrated", err)
	}
	n.opt.OtherMigrations = func() migration.Set { return parseSteps(t, lossy+more) }
	wantUser(t, n.open(), "ntp.servers = ['a']")
}

// A new image that does not know what is set has lost it in an update; an old one
// that does not know it was asked for.
func TestLeftOutByDirection(t *testing.T) {
	n := newNode(t)
	n.opt.Evaluate = nil
	s := n.become(nil, "1.1.0", "")
	change(t, s, "a = 'bad'\nb = 1")
	n.opt.Evaluate = evaluate
	severity := func(s *Store) report.Severity {
		t.Helper()
		faults := s.Health()
		if len(faults) != 1 || faults[0].Path != "settings.a" {
			t.Fatalf("Health() = %v, want a fault of a", faults)
		}
		return faults[0].Severity
	}
	for _, tt := range []struct {
		version string
		want    report.Severity
	}{{"1.2.0", report.Error}, {"1.2.0", report.Error}, {"1.0.0", report.Warning}, {"1.0.0", report.Warning}, {"1.1.0", report.Error}} {
		s = n.become(s, tt.version, "")
		if got := severity(s); got != tt.want {
			t.Errorf("version %s: severity %s, want %s", tt.version, got, tt.want)
		}
	}
}

// frozen opens the store that Open does not, and checks that it changes nothing.
func frozen(t *testing.T, n *node, user string) {
	t.Helper()
	before := listing(t, n)
	_, why := Open(n.opt)
	wantErr(t, "Open", why, ErrNotMigrated)
	s, err := OpenFrozen(n.opt, why)
	if err != nil {
		t.Fatalf("OpenFrozen: %v", err)
	}
	wantUser(t, s, user)
	wantFault(t, s, CodeNotMigrated)
	wantErr(t, "Patch", s.Patch(t.Context(), PatchRequest{Tx: "t", Patch: set(t, "a = 1")}), ErrReadOnly)
	_, err = s.Revert(t.Context(), RevertRequest{})
	wantErr(t, "Revert", err, ErrReadOnly)
	wantErr(t, "SetGenerated", s.SetGenerated(t.Context(), GeneratedRequest{Patch: set(t, "a = 1")}), ErrReadOnly)
	if id := s.Snapshot().Current.ID; id != 0 {
		if _, d, err := s.Generation(id); err != nil || !d.Equal(s.Snapshot().User) {
			t.Errorf("Generation(%d) = %s, %v, want what is shown", id, d.JSON(), err)
		}
		if _, _, err := s.Generation(1); id != 1 && !errors.Is(err, ErrReadOnly) {
			t.Errorf("Generation(1): %v, want ErrReadOnly", err)
		}
	}
	if _, open := s.tend(); !open {
		t.Error("tend: the store is closed")
	}
	n.stop(s)
	if got := listing(t, n); !bytes.Equal(got, before) {
		t.Error("the state directory has changed")
	}
}

func TestFrozen(t *testing.T) {
	// forget takes the stored migrations away, as where a newer version was too old
	// to store them.
	forget := func(n *node) {
		n.t.Helper()
		db, err := bbolt.Open(n.path("settings.db"), 0o600, nil)
		if err == nil {
			err = errors.Join(db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keySteps) }), db.Close())
		}
		if err != nil {
			n.t.Fatal(err)
		}
	}
	old := func(n *node) { n.opt.Version, n.opt.Format, n.opt.Migrations = "1.0.0", 1, migration.Set{} }

	t.Run("nothing is left behind", func(t *testing.T) {
		n := newNode(t)
		s := n.become(nil, "1.1.0", lossy)
		change(t, s, "a = 1")
		change(t, s, "a = 2")
		n.stop(s)
		forget(n)
		old(n)
		frozen(t, n, "")
		s = n.become(nil, "1.1.0", lossy) // finds its settings
		wantUser(t, s, "a = 2")
		wantFault(t, s)
	})
	t.Run("as they were left behind", func(t *testing.T) {
		n := newNode(t)
		s := n.become(nil, "1.0.0", "")
		change(t, s, "a = 1\nold = 'x'")
		s = n.become(s, "1.1.0", lossy)
		change(t, s, "a = 2")
		n.stop(s)
		forget(n)
		old(n)
		frozen(t, n, "a = 1\nold = 'x'")
	})
	t.Run("no space", func(t *testing.T) {
		if !inChild(t, privateMounts()) {
			return
		}
		n := newNode(t)
		remount := onSmallDisk(t, n)
		s := n.become(nil, "1.0.0", "")
		change(t, s, "level = 3\nold = 'x'")
		n.stop(s)
		remount(1 /* MS_RDONLY */, "")
		n.opt.Version, n.opt.Format, n.opt.Migrations = "1.1.0", 2, parseSteps(t, lossy)
		frozen(t, n, "level = 'high'")
		remount(0, "")
		s = n.become(nil, "1.1.0", lossy)
		wantUser(t, s, "level = 'high'")
	})
	t.Run("damaged, and no way", func(t *testing.T) {
		n := newNode(t)
		s := n.become(nil, "1.1.0", lossy)
		change(t, s, "a = 1")
		n.stop(s)
		forget(n)
		b := readFile(t, n.path("settings.db"))
		writeFile(t, n.path("settings.db"), b[:len(b)-1])
		old(n)
		if _, why := Open(n.opt); why != nil {
			frozen(t, n, "")
		}
	})
}

// Leftovers do not pile up.
func TestLeftoversAreBounded(t *testing.T) {
	n := newNode(t)
	steps := ""
	s := n.become(nil, "1.0.0", steps)
	change(t, s, "a = 1")
	for f := 2; f < 10; f++ {
		steps += fmt.Sprintf("[[migration]]\nformat = %d\n", f)
		s = n.become(s, fmt.Sprintf("1.%d.0", f), steps)
		n.pass(time.Minute)
	}
	if len(s.left) != keepLeft || s.left[8].Version != "1.8.0" {
		t.Errorf("%d leftovers, want the last %d", len(s.left), keepLeft)
	}
	s = n.become(s, "1.0.0", "")
	wantUser(t, s, "a = 1")
	if _, err := os.Stat(n.path("settings.db")); err != nil || len(s.left) > keepLeft {
		t.Errorf("%d leftovers, %v", len(s.left), err)
	}
}
