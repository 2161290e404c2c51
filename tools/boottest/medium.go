package boottest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
)

// mediumSize is that of a medium.
const mediumSize = 8 << 20

// Medium makes a disk with a file system of FAT that has a label, and the files,
// which may be in directories. It returns where it is.
func (l *Lab) Medium(t testing.TB, label string, files map[string]string) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("make a medium labelled %s: %v", label, err)
		}
	}
	dir := t.TempDir()
	disk, content := filepath.Join(dir, "medium.raw"), filepath.Join(dir, "content")
	must(os.WriteFile(disk, nil, 0o600))
	must(os.Truncate(disk, mediumSize))
	for name, text := range files {
		file := filepath.Join(content, filepath.FromSlash(name))
		must(os.MkdirAll(filepath.Dir(file), 0o755))
		must(os.WriteFile(file, []byte(text), 0o600))
	}
	program := func(name string, args ...string) {
		t.Helper()
		cmd, err := debtree.Program(l.tools(), name, args...)
		must(err)
		must(cmd.Run(t.Context()))
	}
	program("/usr/sbin/mkfs.vfat", "-n", label, disk)
	args := []string{"-i", disk, "-s", "-Q"}
	entries, err := os.ReadDir(content)
	must(err)
	for _, e := range entries {
		args = append(args, filepath.Join(content, e.Name()))
	}
	program("/usr/bin/mcopy", append(args, "::")...)
	return disk
}
