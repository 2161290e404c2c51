package updatetest

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

// powerService answers as the power service does, and tells what it was asked for once it
// was told to go ahead.
func (b *bench) powerService() <-chan power.Action {
	b.Helper()
	l, err := net.Listen("unix", b.path("run/power.sock"))
	b.must(err)
	b.Cleanup(func() { l.Close() })
	asked := make(chan power.Action, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return // the test is over
		}
		defer c.Close()
		in := bufio.NewReader(c)
		var r power.Request
		var ahead power.GoAhead
		for _, v := range []any{&r, &ahead} {
			line, err := in.ReadBytes('\n')
			if errors.Join(err, json.Unmarshal(line, v), json.NewEncoder(c).Encode(power.Answer{OK: true})) != nil {
				return
			}
		}
		asked <- r.Action
	}()
	return asked
}

// A node that updates by itself looks, fetches and reboots, one after the other.
func TestAutomatic(t *testing.T) {
	b := newBench(t)
	c := b.service()
	asked := b.powerService()
	auto := func() { b.run("auto", "--schedule", b.path("run/schedule.json")) }
	auto()
	if _, err := c.Status(); !errors.Is(err, updater.ErrNoStatus) {
		t.Errorf("auto without the setting: status %v, want that nothing was done", err)
	}
	b.must(b.Configure(b.server.URL, "auto = true\njitter = \"0s\"\n"))
	auto()
	b.idle(c)
	b.wantState(updater.Available, "")
	auto()
	b.idle(c)
	b.wantState(updater.Staged, "1.1.0")
	auto()
	if got := <-asked; got != power.Reboot {
		t.Errorf("the power service was asked for %s, want a reboot", got)
	}
	s := b.idle(c)
	if s.State != updater.Ready || s.LastCommand == nil || s.LastCommand.Type != updater.Apply || s.LastCommand.Status != "Success" {
		t.Errorf("before the reboot: state %s, %+v, want that all is recorded", s.State, s.LastCommand)
	}
	b.wantNext("1.1.0")
	events, err := c.History(1)
	if err != nil || len(events) != 1 || events[0].Actor != "settings.updates.auto" {
		t.Errorf("history %+v, %v, want by whose word it was", events, err)
	}
}

// Migrations of settings are there for the version that boots, and those of the version
// that runs for the way back.
func TestMigrations(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "migrations.toml")
	const text = "[[migration]]\nformat = 2\nabout = \"a better name\"\n\n[[migration.step]]\nkind = \"rename\"\nfrom = \"settings.a.b\"\nto = \"settings.a.c\"\n"
	b.must(os.WriteFile(file, []byte(text), 0o600))
	b.releaseAs("1.2.0", Image(3, 600), repo.Addition{Migrations: file})
	b.run("apply")
	b.wantNext("1.2.0")
	dir := b.path("private/updates/migrations")
	got, err := os.ReadFile(filepath.Join(dir, "1.2.0.toml"))
	if err != nil || string(got) != text {
		t.Errorf("migrations to 1.2.0: %q, %v, want %q", got, err, text)
	}
	b.must(b.Boot(b.releases["1.2.0"]))
	b.must(b.Bless(t.Context()))
	b.releaseAs("1.3.0", Image(4, 600), repo.Addition{})
	b.run("apply")
	b.wantNext("1.3.0")
	if _, err := os.Stat(filepath.Join(dir, "1.2.0.toml")); err != nil {
		t.Errorf("migrations back from 1.2.0: %v, want that they stay", err)
	}
	b.must(b.Boot(b.releases["1.3.0"]))
	b.must(b.Bless(t.Context()))
	b.run("apply", "--version", "1.1.0")
	b.wantNext("1.1.0")
	if _, err := os.Stat(filepath.Join(dir, "1.2.0.toml")); err == nil {
		t.Error("migrations to 1.2.0 are still there, want that they are gone with it")
	}
}
