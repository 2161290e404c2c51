package durable_test

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/internal/durable"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{"one", "two"} {
		if err := durable.Write(path, []byte(text), 0o640); err != nil {
			t.Fatalf("Write(%q): %v", text, err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("after Write(%q) the file holds %q, %v", text, got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left behind: %v, %v", entries, err)
	}
	if err := durable.Write(filepath.Join(path, "below"), nil, 0o600); err == nil {
		t.Error("Write below a file: no error, want one")
	}
}

// Those who read, count and write while they hold the lock lose no count.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	count := filepath.Join(dir, "count")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			unlock, err := durable.Lock(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			data, _ := os.ReadFile(count) // none means 0
			n, _ := strconv.Atoi(string(data))
			if err := durable.Write(count, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := os.ReadFile(count); err != nil || string(got) != "8" {
		t.Errorf("count is %q, %v, want 8", got, err)
	}
	if _, err := durable.Lock(count); err == nil {
		t.Error("Lock of a file: no error, want one")
	}
}
