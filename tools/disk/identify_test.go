package disk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/disk"
)

// A partition that was given another UUID is what a layout with that UUID has.
func TestIdentify(t *testing.T) {
	layout := func(id disk.GUID) string {
		l := disk.Layout{UUID: disk.GUID{1}, Size: 8 << 20, Partitions: []disk.Partition{
			{Name: "A", Type: disk.GUID{2}, UUID: disk.GUID{3}, Size: 1 << 20},
			{Name: "B", Type: disk.GUID{2}, UUID: id, Size: 1 << 20, ReadOnly: true},
		}}
		file := filepath.Join(t.TempDir(), "disk")
		if err := l.Write(file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	read := func(file string) []byte {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	got, want := layout(disk.GUID{4}), layout(disk.GUID{5})
	if err := disk.Identify(got, "B", disk.GUID{5}); err != nil {
		t.Fatalf("Identify: %v", err)
	}
	if !bytes.Equal(read(got), read(want)) {
		t.Error("Identify does not give the disk that has the UUID from the beginning")
	}
	if err := disk.Identify(got, "C", disk.GUID{5}); err == nil {
		t.Error("Identify of a partition that is not there: no error")
	}
}
