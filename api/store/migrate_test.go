package store

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/models/migration"
)

const steps = `
[[migration]]
format = 2
[[migration.step]]
kind = "rename"
from = "settings.ntp.servers"
to = "settings.ntp.time-servers"
[[migration.step]]
kind = "add"
key = "settings.boot.timeout"
value = 30

[[migration]]
format = 3
[[migration.step]]
kind = "move"
from = "settings.log"
to = "settings.journal"
[[migration.step]]
kind = "map"
key = "settings.level"
values = [[1, "low"], [2, "high"]]
`

func migrations(t testing.TB) migration.Set {
	t.Helper()
	set, rep := migration.Parse("steps", []byte(steps))
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestMigration(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "ntp.servers = ['x']\nlevel = 1")
	n.pass(time.Minute)
	change(t, s, "level = 2\nlog.size = 5")
	generate(t, s, Weak, "log.image = 'v1'")
	generate(t, s, Strong, "log.seed = 7")
	patch(t, s, "t", "b = 1")
	n.stop(s)
	n.told()

	n.opt.Format, n.opt.Migrations = 3, migrations(t)
	s = n.open()
	const user = "boot.timeout = 30\njournal.size = 5\nlevel = 'high'\nntp.time-servers = ['x']"
	wantUser(t, s, user)
	wantGenerated(t, s, 3, "journal.image = 'v1'\njournal.seed = 7")
	wantEvents(t, n, "migrated 2 ", "tx-expired 2 ")
	wantHistory(t, s, "1<0", "2<1")
	if _, d, err := s.Generation(1); err != nil || string(d.TOML()) != string(parse(t, "boot.timeout = 30\nlevel = 'low'\nntp.time-servers = ['x']").TOML()) {
		t.Errorf("Generation(1) = %s, %v", d.JSON(), err)
	}
	for name, id := range map[string]uint64{"ntp.time-servers": 1, "level": 2, "journal.size": 2, "boot.timeout": 2} {
		if p, _ := s.Provenance(mustKey(t, name)); p.Generation != id {
			t.Errorf("Provenance(%s) = %+v, want generation %d", name, p, id)
		}
	}
	if p, _ := s.Provenance(mustKey(t, "journal.seed")); p.Strength != Strong {
		t.Errorf("Provenance(journal.seed) = %+v, want a strong value", p)
	}
	wantCopy(t, n, 2, user)

	// Back: an older image knows the steps of the newer one.
	n.stop(s)
	n.opt.Format = 1
	s = n.open()
	wantUser(t, s, "level = 2\nlog.size = 5\nntp.servers = ['x']")
	wantGenerated(t, s, 4, "log.image = 'v1'\nlog.seed = 7")
	if _, d, err := s.Generation(1); err != nil || string(d.JSON()) != `{"level":1,"ntp":{"servers":["x"]}}` {
		t.Errorf("Generation(1) after the way back = %s, %v", d.JSON(), err)
	}
}

func TestMigrationDuringTry(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "level = 1")
	try(t, s, "level = 2", time.Hour)
	n.stop(s)
	n.opt.Format, n.opt.Migrations = 3, migrations(t)
	s = n.open()
	wantUser(t, s, "boot.timeout = 30\nlevel = 'high'")
	n.pass(time.Hour)
	patch(t, s, "t", "a = 1")
	wantUser(t, s, "boot.timeout = 30\nlevel = 'low'")
}

// What this program cannot read it does not touch.
func TestUnknownFormat(t *testing.T) {
	n := newNode(t)
	n.opt.Format = 9
	s := n.open()
	change(t, s, "a = 1")
	n.stop(s)
	tests := []struct {
		name   string
		format int
		set    migration.Set
		damage bool
	}{
		{"no migrations", 1, migration.Set{}, false},
		{"migrations that end before", 3, migrations(t), false},
		{"and the database is missing", 3, migrations(t), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.damage {
				if err := os.Remove(n.path("settings.db")); err != nil {
					t.Fatal(err)
				}
			}
			before := listing(t, n)
			n.opt.Format, n.opt.Migrations = tt.format, tt.set
			_, err := Open(n.opt)
			wantErr(t, "Open", err, migration.ErrUnknownFormat)
			if err != nil && !strings.Contains(err.Error(), "nothing was changed: start the version that wrote the settings") {
				t.Errorf("Open: error %q does not say what to do", err)
			}
			if got := listing(t, n); !bytes.Equal(got, before) {
				t.Error("the state directory has changed")
			}
		})
	}
}

// listing returns what the state directory holds.
func listing(t *testing.T, n *node) []byte {
	t.Helper()
	entries, err := os.ReadDir(n.opt.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(e.Name() + "\n")
		if e.Type().IsRegular() {
			b.Write(readFile(t, n.path(e.Name())))
		}
	}
	return b.Bytes()
}

// An older copy comes back through the migrations too.
func TestRecoveryMigratesTheCopy(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "level = 1")
	n.stop(s)
	ruin(t, n)
	n.opt.Format, n.opt.Migrations = 3, migrations(t)
	s = n.open()
	wantUser(t, s, "boot.timeout = 30\nlevel = 'low'")
	wantFault(t, s, CodeRecovered)
}
