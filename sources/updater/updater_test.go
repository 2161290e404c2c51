package updater

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

func version(t *testing.T, text string) update.Version {
	t.Helper()
	v, err := update.ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "updater.toml")
	text := `metadata-base-url = "https://example.org/m/"
seed = 7
version-lock = "v1.2.0"
deny = ["1.3.0", "v1.4.0"]
pin = "1"
channel = "beta"
ignore-waves = true
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.request(facts{variant: "qemu-dev", arch: "x86_64", version: version(t, "1.0.0")}, []update.Version{version(t, "1.1.0")})
	if err != nil {
		t.Fatal(err)
	}
	want := update.Request{
		Variant: "qemu-dev", Arch: "x86_64", Running: version(t, "1.0.0"), Seed: 7, IgnoreWaves: true, Version: version(t, "1.2.0"),
		Avoid: []update.Version{version(t, "1.1.0")}, Deny: []update.Version{version(t, "1.3.0"), version(t, "1.4.0")}, Pin: "1", Channel: "beta",
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b update.Version) bool { return a == b })); diff != "" {
		t.Errorf("request of %s (-want +got):\n%s", text, diff)
	}
	if c, err := readConfig(filepath.Join(t.TempDir(), "none")); err != nil || !cmp.Equal(c, config{}) {
		t.Errorf("readConfig of no file = %+v, %v, want nothing", c, err)
	}
}

// The history is bounded, and its oldest lines go whole.
func TestHistoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(dir, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for i := range 400 {
		if err := s.note(updater.Event{Kind: "refresh", Detail: strings.Repeat("x", 1000), Version: string(rune('a' + i%26))}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, updater.HistoryFile))
	if err != nil || info.Size() > mostHistory+2000 {
		t.Errorf("history: %d bytes, %v, want at most %d", info.Size(), err, mostHistory)
	}
	events, err := updater.New(updater.Places{Dir: dir}).History(0)
	if err != nil || len(events) < 100 || events[0].Version != string(rune('a'+399%26)) {
		t.Errorf("history: %d events, %v, want the last ones", len(events), err)
	}
	for _, e := range events {
		if len(e.Detail) != 1000 {
			t.Fatalf("event %+v, want it whole", e)
		}
	}
}

// What the slots are like decides on the state, whatever was said before.
func TestReconcile(t *testing.T) {
	const rootA, rootB = "aa", "bb"
	entry := func(version, root, file string) slots.Entry {
		n, _ := slots.ParseName(file)
		return slots.Entry{File: file, Name: n, Root: root, SortKey: "bulkhead", Sort: version}
	}
	tests := []struct {
		name    string
		entries []slots.Entry
		runs    string // root
		chosen  string
		want    updater.State
		staged  string
		next    bool // the other one
	}{
		{name: "nothing", entries: []slots.Entry{entry("1.0.0", rootA, "bulkhead-1.0.0.efi")}, runs: rootA, want: updater.Idle},
		{name: "chosen", entries: []slots.Entry{entry("1.0.0", rootA, "bulkhead-1.0.0.efi")}, runs: rootA, chosen: "1.1.0", want: updater.Available},
		{name: "chosen and running", entries: []slots.Entry{entry("1.0.0", rootA, "bulkhead-1.0.0.efi")}, runs: rootA, chosen: "1.0.0", want: updater.Idle},
		{
			name: "staged", runs: rootA, want: updater.Staged, staged: "1.1.0",
			entries: []slots.Entry{entry("1.0.0", rootA, "bulkhead-1.0.0.efi"), entry("1.1.0", rootB, "bulkhead-1.1.0.efi.staged")},
		},
		{
			name: "activated", runs: rootA, want: updater.Ready, staged: "1.1.0", next: true,
			entries: []slots.Entry{entry("1.0.0", rootA, "bulkhead-1.0.0.efi"), entry("1.1.0", rootB, "bulkhead-1.1.0+3.efi")},
		},
		{
			name: "updated", runs: rootB, chosen: "1.0.0", want: updater.Idle,
			entries: []slots.Entry{entry("1.0.0", rootB, "bulkhead-1.0.0.efi"), entry("0.9.0", rootA, "bulkhead-0.9.0.efi")},
		},
		{
			name: "fell back", runs: rootA, want: updater.Idle,
			entries: []slots.Entry{entry("1.0.0", rootA, "bulkhead-1.0.0.efi"), entry("1.1.0", rootB, "bulkhead-1.1.0+0-3.efi")},
		},
		{
			name: "going back", runs: rootA, want: updater.Idle, staged: "0.9.0", next: true,
			entries: []slots.Entry{entry("1.0.0", rootA, "bulkhead-1.0.0+0-1.efi"), entry("0.9.0", rootB, "bulkhead-0.9.0.efi")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &engine{facts: facts{variant: "qemu-dev", arch: "x86_64", version: version(t, "1.0.0")}, now: time.Now}
			v := slots.View{Entries: tt.entries, Slots: []slots.Slot{{Name: "A", Root: rootA}, {Name: "B", Root: rootB}}, Boot: slots.Boot{Root: tt.runs}}
			var s updater.Status
			if tt.chosen != "" {
				i := e.image(tt.chosen)
				s.ChosenUpdate = &i
			}
			e.reconcile(&s, v)
			staged, next := "", false
			if s.StagingPartition != nil {
				staged, next = s.StagingPartition.Image.Version, s.StagingPartition.NextToBoot
			}
			if s.State != tt.want || staged != tt.staged || next != tt.next || s.ActivePartition.NextToBoot == tt.next {
				t.Errorf("state %s, staged %q, next %v, and the active one next %v, want %s, %q, %v", s.State, staged, next, s.ActivePartition.NextToBoot, tt.want, tt.staged, tt.next)
			}
		})
	}
}
