package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/disk"
)

func TestFind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	l := disk.Layout{UUID: disk.GUID{1}, Partitions: []disk.Partition{
		{Name: "ESP", Type: disk.GUID{2}, UUID: disk.GUID{3}, Size: 4 << 20},
		{Name: "DÄTA", Type: disk.GUID{2}, UUID: disk.GUID{4}, Size: 8 << 20},
	}}
	l.Size = l.Need()
	if err := l.Write(file); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]disk.Place{
		"ESP":  {Start: 1 << 20, Size: 4 << 20},
		"DÄTA": {Start: 5 << 20, Size: 8 << 20},
	} {
		if got, err := disk.Find(file, name); err != nil || got != want {
			t.Errorf("Find(%q): %+v, %v, want %+v", name, got, err, want)
		}
	}
	if _, err := disk.Find(file, "DATA"); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("Find of a partition that is not there: %v, want that", err)
	}
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Find(file, "ESP"); err == nil || !strings.Contains(err.Error(), "no partition table") {
		t.Errorf("Find on an empty disk: %v, want that it has no table", err)
	}
}
