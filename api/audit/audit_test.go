package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/audit"
)

var epoch = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, opt audit.Options) *audit.Log {
	t.Helper()
	opt.Now = func() time.Time { return epoch }
	return audit.Open(opt)
}

// write opens the record in dir, appends n entries and closes it.
func write(t *testing.T, opt audit.Options, n int) {
	t.Helper()
	l := open(t, opt)
	for i := range n {
		l.Append(audit.Entry{Actor: "root", Method: "PATCH", Route: "/settings", Result: 204, Message: fmt.Sprint(i), Generation: uint64(i + 1)})
	}
	if err := l.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func lines(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, audit.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
}

func verify(t *testing.T, dir string, want audit.Summary) {
	t.Helper()
	got, err := audit.Verify(dir)
	if err != nil {
		t.Errorf("Verify: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Verify (-want +got):\n%s", diff)
	}
}

func TestLine(t *testing.T) {
	dir := t.TempDir()
	l := open(t, audit.Options{Dir: dir})
	l.Append(audit.Entry{
		Actor: "uid 1000", UID: 1000, PID: 7, Role: "admin", Via: "socket", Method: "POST", Route: "/tx/commit", Tx: "t",
		Generation: 3, Result: 200, Keys: []string{"settings.motd"}, Message: `forged","hash":"`,
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	line := lines(t, dir)[0]
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("line %s: %v", line, err)
	}
	if s, ok := got["hash"].(string); !ok || len(s) != 64 {
		t.Errorf("hash is %v, want 64 digits", got["hash"])
	}
	delete(got, "hash")
	want := map[string]any{
		"prev": strings.Repeat("0", 64), "seq": 1.0, "time": "2026-08-01T12:00:00Z", "actor": "uid 1000", "uid": 1000.0, "pid": 7.0, "role": "admin",
		"via": "socket", "method": "POST", "route": "/tx/commit", "tx": "t", "generation": 3.0, "result": 200.0,
		"keys": []any{"settings.motd"}, "message": `forged","hash":"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, audit.FileName))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode is %v, %v, want -rw-------", info.Mode(), err)
	}
	verify(t, dir, audit.Summary{Files: 1, Entries: 1, First: 1, Last: 1})
}

func TestChainGoesOnAfterRestart(t *testing.T) {
	dir := t.TempDir()
	verify(t, dir, audit.Summary{})
	write(t, audit.Options{Dir: dir}, 3)
	l := open(t, audit.Options{Dir: dir})
	if got := l.LastGeneration(); got != 3 {
		t.Errorf("LastGeneration() = %d, want 3", got)
	}
	l.Append(audit.Entry{Method: "DELETE"}) // no generation: the newest is further up
	l.Close()
	l.Append(audit.Entry{Method: "late"})
	write(t, audit.Options{Dir: dir}, 2)
	verify(t, dir, audit.Summary{Files: 1, Entries: 6, First: 1, Last: 6})
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	opt := audit.Options{Dir: dir, MaxBytes: 2000, Keep: 3}
	for range 40 {
		write(t, opt, 1)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 4 {
		t.Fatalf("files: %v, %v, want %s and three older ones", names, err, audit.FileName)
	}
	for _, n := range names {
		if info, err := os.Stat(n); err != nil || info.Size() > opt.MaxBytes {
			t.Errorf("%s has %d bytes, want at most %d", n, info.Size(), opt.MaxBytes)
		}
	}
	got, err := audit.Verify(dir)
	if err != nil || got.Files != 4 || got.First == 1 || got.Entries != int(got.Last-got.First)+1 {
		t.Errorf("Verify = %+v, %v, want four files whose chain has no gap", got, err)
	}
	l := open(t, opt)
	defer l.Close()
	if got := l.LastGeneration(); got != 1 {
		t.Errorf("LastGeneration() = %d, want 1", got)
	}
}

func TestTornLine(t *testing.T) {
	tests := []struct {
		name string
		tear func(b []byte) []byte
		want audit.Summary
	}{
		{"half of the last line", func(b []byte) []byte { return b[:len(b)-40] }, audit.Summary{Files: 1, Entries: 4, First: 1, Last: 4}},
		{"newline missing", func(b []byte) []byte { return b[:len(b)-1] }, audit.Summary{Files: 1, Entries: 4, First: 1, Last: 4}},
		{"zeros at the end", func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, audit.Summary{Files: 1, Entries: 5, First: 1, Last: 5}},
		{"nothing whole", func([]byte) []byte { return []byte(`{"prev":"00`) }, audit.Summary{Files: 1, Entries: 2, First: 1, Last: 2}},
		{"empty", func([]byte) []byte { return nil }, audit.Summary{Files: 1, Entries: 1, First: 1, Last: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, audit.Options{Dir: dir}, 3)
			file := filepath.Join(dir, audit.FileName)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, tt.tear(b), 0o600); err != nil {
				t.Fatal(err)
			}
			write(t, audit.Options{Dir: dir}, 1)
			verify(t, dir, tt.want)
			noted := strings.Contains(strings.Join(lines(t, dir), ""), "unfinished entry")
			if want := tt.name != "empty"; noted != want {
				t.Errorf("the record says that an entry was taken away: %t, want %t", noted, want)
			}
		})
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(l []string) []string
		line   int
		want   string
	}{
		{"value changed", func(l []string) []string { l[1] = strings.Replace(l[1], "root", "bert", 1); return l }, 2, "entry was changed: its hash does not fit"},
		{"line taken out", func(l []string) []string { return append(l[:2], l[3:]...) }, 3, "entry 4 does not follow entry 2"},
		{"line doubled", func(l []string) []string { return append(l[:2], l[1:]...) }, 3, "entry 2 does not follow entry 2"},
		{"lines swapped", func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }, 2, "entry 3 does not follow entry 1"},
		{"foreign line", func(l []string) []string { l[2] = "{}\n"; return l }, 3, "entry is not an entry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, audit.Options{Dir: dir}, 5)
			file := filepath.Join(dir, audit.FileName)
			if err := os.WriteFile(file, []byte(strings.Join(tt.tamper(lines(t, dir)), "")), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := audit.Verify(dir)
			var broken *audit.BrokenError
			if !errors.As(err, &broken) || broken.Line != tt.line || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("Verify: %v, want line %d, %q", err, tt.line, tt.want)
			}
		})
	}
}

// A last line that is whole but was changed is not taken away: the record goes
// on behind it, and Verify still finds it.
func TestChangedLastLineStays(t *testing.T) {
	dir := t.TempDir()
	write(t, audit.Options{Dir: dir}, 2)
	file := filepath.Join(dir, audit.FileName)
	l := lines(t, dir)
	l[1] = strings.Replace(l[1], "root", "bert", 1) + "\n"
	if err := os.WriteFile(file, []byte(strings.Join(l, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, audit.Options{Dir: dir}, 1)
	if all := strings.Join(lines(t, dir), ""); !strings.Contains(all, "the chain goes on from the last good one") {
		t.Errorf("the record does not say that an entry was changed:\n%s", all)
	}
	if _, err := audit.Verify(dir); err == nil {
		t.Error("Verify of a record with a changed line: no error")
	}
}

func TestLongKeyListIsCut(t *testing.T) {
	dir := t.TempDir()
	l := open(t, audit.Options{Dir: dir})
	l.Append(audit.Entry{Keys: make([]string, audit.MaxKeys+5)})
	l.Close()
	if line := []byte(lines(t, dir)[0]); !bytes.Contains(line, []byte(`"more":5`)) {
		t.Errorf("line %s lacks the number of keys that are not named", line)
	}
}

func TestConcurrentAppend(t *testing.T) {
	dir := t.TempDir()
	l := open(t, audit.Options{Dir: dir})
	done := make(chan struct{})
	for range 8 {
		go func() {
			for range 300 {
				l.Append(audit.Entry{Method: "PATCH"})
			}
			done <- struct{}{}
		}()
	}
	for range 8 {
		<-done
	}
	l.Close()
	verify(t, dir, audit.Summary{Files: 1, Entries: 2400, First: 1, Last: 2400})
}

// A directory that cannot be used is tried again, so that the record goes on
// when the disk is back.
func TestOpensLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, audit.Options{Dir: dir})
	if l.Err() == nil {
		t.Error("Err() is nil while the directory is a file")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	l.Append(audit.Entry{Method: "PATCH"})
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	verify(t, dir, audit.Summary{Files: 1, Entries: 1, First: 1, Last: 1})
}
