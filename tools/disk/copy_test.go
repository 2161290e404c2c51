package disk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/disk"
)

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := example(t).Write(from); err != nil {
		t.Fatal(err)
	}
	if err := disk.Copy(to, from, 64*mebibyte); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 64*mebibyte || !bytes.Equal(want, got[:len(want)]) || len(bytes.Trim(got[len(want):], "\x00")) > 0 {
		t.Errorf("Copy: %d bytes, want those of the disk and zeros up to 64 MiB", len(got))
	}
	info, err := os.Stat(to)
	if err != nil {
		t.Fatal(err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > mebibyte {
		t.Errorf("Copy: the copy takes %d bytes, want holes", used)
	}
	if err := disk.Copy(to, from, mebibyte); err == nil || !strings.Contains(err.Error(), "size 1048576, want at least its 8388608") {
		t.Errorf("Copy to a smaller disk: %v, want a refusal", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("Copy left %v, %v, want two files", entries, err)
	}
}
