package debtree_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
)

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"usr/lib64", "usr/lib/x86_64-linux-gnu"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	loader := filepath.Join(dir, "usr/lib64/ld-linux-x86-64.so.2")
	if err := os.WriteFile(loader, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd, err := debtree.Program(dir, "/usr/bin/mcopy", "-s", "a")
	if err != nil {
		t.Fatal(err)
	}
	libraries := filepath.Join(dir, "usr/lib/x86_64-linux-gnu")
	want := []string{
		loader, "--library-path", libraries + ":" + libraries + "/systemd", "--argv0", "mcopy",
		filepath.Join(dir, "usr/bin/mcopy"), "-s", "a",
	}
	if diff := cmp.Diff(want, cmd.Args); diff != "" {
		t.Errorf("Program(/usr/bin/mcopy) (-want +got):\n%s", diff)
	}
}

func TestProgramOfAnEmptyTree(t *testing.T) {
	dir := t.TempDir()
	want := dir + " has no loader"
	if _, err := debtree.Program(dir, "/usr/bin/mcopy"); err == nil || err.Error() != want {
		t.Errorf("Program: error %v, want %s", err, want)
	}
}
