package audit

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// Entries that the disk does not take are counted, and the chain goes on
// without a gap when it takes them again.
func TestWriteFailureLeavesNoGap(t *testing.T) {
	dir := t.TempDir()
	l := &Log{opt: Options{Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler), MaxBytes: 1 << 20, Keep: 1}}
	if err := l.begin(); err != nil {
		t.Fatal(err)
	}
	l.write(Entry{Method: "first"})
	readOnly, err := os.Open(l.path(0))
	if err != nil {
		t.Fatal(err)
	}
	writable := l.file
	l.file = readOnly
	l.write(Entry{Method: "second"})
	l.write(Entry{Method: "third"})
	l.file = writable
	l.write(Entry{Method: "fourth"})

	got, err := Verify(dir)
	if want := (Summary{Files: 1, Entries: 3, First: 1, Last: 3}); err != nil || got != want {
		t.Errorf("Verify = %+v, %v, want %+v", got, err, want)
	}
	b, err := os.ReadFile(l.path(0))
	if err != nil || !strings.Contains(string(b), "2 entries are missing here") {
		t.Errorf("the record does not tell of the lost entries: %s, %v", b, err)
	}
}
