package journal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/journal"
)

// standIn puts a program first in PATH that takes the place of journalctl: it
// writes its words to a file and then runs script.
func standIn(t *testing.T, script string) (words func() []string) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$@\" >%s/words\n%s\n", dir, script)
	if err := os.WriteFile(filepath.Join(dir, journal.Program), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() []string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, "words"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

// read returns all lines of q, and how they end.
func read(t *testing.T, q journal.Query) ([]journal.Entry, error) {
	t.Helper()
	s, err := journal.Journal{}.Open(t.Context(), q)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var out []journal.Entry
	for {
		e, err := s.Next()
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
}

func TestWords(t *testing.T) {
	always := []string{
		"--output=json", "--output-fields=MESSAGE,PRIORITY,_PID,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_COMM",
		"--all", "--quiet", "--no-pager",
	}
	since := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	tests := []struct {
		name string
		in   journal.Query
		want []string
	}{
		{"everything", journal.Query{}, nil},
		{
			"all of it",
			journal.Query{Unit: "a.service", Boot: "-1", Priority: "err", Since: since, After: "s=0", Lines: 5, Kernel: true, Follow: true},
			[]string{"--unit=a.service", "--boot=-1", "--priority=err", "--after-cursor=s=0", "--since=2026-01-02 02:04:05.000006 UTC", "--lines=5", "_TRANSPORT=kernel", "--follow"},
		},
		{"follow from the start", journal.Query{Follow: true}, []string{"--no-tail", "--follow"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			words := standIn(t, "")
			if _, err := read(t, tt.in); !errors.Is(err, io.EOF) {
				t.Fatalf("Next: %v, want io.EOF", err)
			}
			if diff := cmp.Diff(append(always[:len(always):len(always)], tt.want...), words()); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEntries(t *testing.T) {
	standIn(t, `cat <<'END'
{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1767323045000006","MESSAGE":"hello","PRIORITY":"3","_PID":"12","_SYSTEMD_UNIT":"a.service","SYSLOG_IDENTIFIER":"a"}
{"__CURSOR":"s=2","__REALTIME_TIMESTAMP":"1767323045000006","MESSAGE":[104,105,255],"UNIT":"b.service","_SYSTEMD_UNIT":"init.scope","_COMM":"systemd"}

{"__CURSOR":"s=3","__REALTIME_TIMESTAMP":"1767323045000006","MESSAGE":["one","two"],"PRIORITY":"9"}
{"__CURSOR":"s=4","__REALTIME_TIMESTAMP":"1767323045000006","MESSAGE":null}
END
printf '{"__CURSOR":"s=5","__REALTIME_TIMESTAMP":"0","MESSAGE":"'
head -c 2000000 /dev/zero | tr '\0' x
printf '"}\n{"__CURSOR":"s=6","__REALTIME_TIMESTAMP":"0","MESSAGE":"'
head -c 100000 /dev/zero | tr '\0' x
printf '"}\n'`)
	got, err := read(t, journal.Query{})
	if !errors.Is(err, io.EOF) {
		t.Fatalf("Next: %v, want io.EOF", err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	want := []journal.Entry{
		{Time: at, Unit: "a.service", Identifier: "a", PID: 12, Priority: 3, Message: "hello", Cursor: "s=1"},
		{Time: at, Unit: "b.service", Identifier: "systemd", Priority: 6, Message: "hi\ufffd", Cursor: "s=2"},
		{Time: at, Priority: 6, Message: "one", Cursor: "s=3"},
		{Time: at, Priority: 6, Cursor: "s=4"},
		{Time: time.Unix(0, 0).UTC(), Priority: 6, Message: strings.Repeat("x", 64<<10) + "… (100000 bytes)", Cursor: "s=6"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// A program that fails says why.
func TestFailures(t *testing.T) {
	const line = `echo '{"__REALTIME_TIMESTAMP":"0"}'`
	tests := []struct {
		name, script, want string
		lines              int
	}{
		{"words", "echo advice >&2; echo no such boot >&2; exit 1", "journalctl: no such boot", 0},
		{"no words", line + "; exit 3", "run journalctl: exit status 3", 1},
		{"no JSON", "echo hello", "read an entry of the journal: invalid character 'h' looking for beginning of value", 0},
		{"no time", "echo '{}'", "read an entry of the journal: it has no time", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			standIn(t, tt.script)
			got, err := read(t, journal.Query{})
			if err == nil || err.Error() != tt.want || len(got) != tt.lines {
				t.Errorf("%d lines, then %v, want %d, then %q", len(got), err, tt.lines, tt.want)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := (journal.Journal{}).Open(t.Context(), journal.Query{}); err == nil || !strings.Contains(err.Error(), "run journalctl: ") {
		t.Errorf("Open without the program: %v, want an error", err)
	}
}

// Whoever follows sees lines when they come, and the program ends with him.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	standIn(t, fmt.Sprintf("echo $$ >%s/pid; echo '{\"__REALTIME_TIMESTAMP\":\"0\",\"MESSAGE\":\"first\"}'; exec sleep 1000", dir))
	ctx, cancel := context.WithCancel(t.Context())
	s, err := journal.Journal{}.Open(ctx, journal.Query{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e, err := s.Next(); err != nil || e.Message != "first" {
		t.Fatalf("Next: %+v, %v, want the first line", e, err)
	}
	if !s.Waiting() {
		t.Error("Waiting() = false behind the only line")
	}
	cancel()
	if _, err := s.Next(); err == nil {
		t.Error("Next after the end of the context: no error")
	}
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); !os.IsNotExist(err) {
		t.Errorf("process of the program: %v, want none", err)
	}
}

func TestChecks(t *testing.T) {
	tests := []struct {
		name  string
		check func(string) error
		good  []string
		bad   []string
	}{
		{"unit", journal.CheckUnit, []string{"a", "a@b.service", `dev-disk-by\x2duuid.device`}, []string{"", "-a", "a b", "a*", "a\n", strings.Repeat("a", 600)}},
		{"boot", journal.CheckBoot, []string{"0", "-1", "-0", strings.Repeat("0a", 16)}, []string{"", "1", "all", "-99999", strings.Repeat("0A", 16), "--x"}},
		{"priority", journal.CheckPriority, []string{"0", "7", "err"}, []string{"", "8", "error", "err..debug"}},
		{"cursor", journal.CheckCursor, []string{"s=0123abcdef;i=1;b=2;m=3;t=4;x=5"}, []string{"", "s=Z", "a b", strings.Repeat("s", 600)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.good {
				if err := tt.check(s); err != nil {
					t.Errorf("%q: %v, want it accepted", s, err)
				}
			}
			for _, s := range tt.bad {
				if err := tt.check(s); err == nil {
					t.Errorf("%q is accepted", s)
				}
			}
		})
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"90s": now.Add(-90 * time.Second), "2026-01-02": now.Truncate(24 * time.Hour), "2026-01-02 01:02": time.Date(2026, 1, 2, 1, 2, 0, 0, time.UTC),
		"2026-01-02T03:04:05+01:00": now.Add(-time.Hour), "2026-01-02T03:04:05": now,
	} {
		if got, err := journal.ParseSince(in, now); err != nil || !got.Equal(want) {
			t.Errorf("ParseSince(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1h", "yesterday", "1767323045"} {
		if got, err := journal.ParseSince(in, now); err == nil {
			t.Errorf("ParseSince(%q) = %v, want an error", in, got)
		}
	}
}

// No line that journalctl could write breaks the reader.
func FuzzEntry(f *testing.F) {
	f.Add(`{"__REALTIME_TIMESTAMP":"0","MESSAGE":[1,2]}`)
	f.Add(`{"__REALTIME_TIMESTAMP":"0","MESSAGE":[[1],"a"],"PRIORITY":-1}`)
	f.Fuzz(func(t *testing.T, line string) {
		e, err := journal.Parse([]byte(line))
		if err == nil && (e.Priority < 0 || e.Priority > 7 || len(e.Message) > 65<<10) {
			t.Errorf("Parse(%q) = %+v", line, e)
		}
	})
}
