package sparse_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/sparse"
)

func TestCopy(t *testing.T) {
	const size = 64 << 20
	tests := []struct {
		name string
		data map[int64]string // what the file holds where
	}{
		{name: "holes only"},
		{name: "data at both ends", data: map[int64]string{0: "first", size - 4: "last"}},
		{name: "data between holes", data: map[int64]string{20 << 20: "here", 40 << 20: "and there"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
			f, err := os.Create(from)
			must(t, err)
			must(t, f.Truncate(size))
			for at, text := range tt.data {
				_, err := f.WriteAt([]byte(text), at)
				must(t, err)
			}
			must(t, f.Close())
			must(t, os.WriteFile(to, []byte("what was there before"), 0o644))
			if err := sparse.Copy(to, from); err != nil {
				t.Fatalf("Copy: %v", err)
			}
			want, err := os.ReadFile(from)
			must(t, err)
			got, err := os.ReadFile(to)
			must(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("Copy of %d bytes gave %d others", len(want), len(got))
			}
			if blocks := blocksOf(t, to); blocks*512 > 4<<20 {
				t.Errorf("the copy takes %d bytes on the disk, want holes", blocks*512)
			}
		})
	}
}

func TestCopyOfNothing(t *testing.T) {
	to := filepath.Join(t.TempDir(), "to")
	if err := sparse.Copy(to, "/nowhere"); !os.IsNotExist(err) {
		t.Errorf("Copy of /nowhere: %v, want that it does not exist", err)
	}
	if _, err := os.Stat(to); !os.IsNotExist(err) {
		t.Errorf("after a Copy of /nowhere: %v, want no file", err)
	}
}

func blocksOf(t *testing.T, name string) int64 {
	t.Helper()
	var s unix.Stat_t
	must(t, unix.Stat(name, &s))
	return s.Blocks
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
