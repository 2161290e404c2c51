package atomicfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// mine leaves the owner as it is.
func mine(mode os.FileMode) atomicfile.Attributes {
	return atomicfile.Attributes{Mode: mode, UID: -1, GID: -1}
}

func open(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func TestReplace(t *testing.T) {
	tests := []struct {
		name   string
		before func(path string) error
	}{
		{"nothing there", func(string) error { return nil }},
		{"a file", func(path string) error { return os.WriteFile(path, []byte("old"), 0o777) }},
		{"a symbolic link", func(path string) error { return os.Symlink("/etc/passwd", path) }},
		{"a link to nothing", func(path string) error { return os.Symlink("nowhere", path) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := open(t)
			path := filepath.Join(dir, "f")
			if err := tt.before(path); err != nil {
				t.Fatal(err)
			}
			if err := atomicfile.Replace(root, "f", []byte("new"), mine(0o640)); err != nil {
				t.Fatalf("Replace: %v", err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != 0o640 {
				t.Errorf("mode %v, %v, want -rw-r-----", info.Mode(), err)
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != "new" {
				t.Errorf("contents %q, %v, want new", got, err)
			}
			if diff := cmp.Diff([]string{"f"}, names(t, dir)); diff != "" {
				t.Errorf("directory (-want +got):\n%s", diff)
			}
		})
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestReplaceOwner(t *testing.T) {
	root, dir := open(t)
	err := atomicfile.Replace(root, "f", nil, atomicfile.Attributes{Mode: 0o4755, UID: 12, GID: 13})
	if os.Geteuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "operation not permitted") {
			t.Errorf("Replace for another user: %v, want that it is not permitted", err)
		}
		if got := names(t, dir); len(got) > 0 {
			t.Errorf("left behind: %q", got)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	if uid, gid := owner(info); uid != 12 || gid != 13 {
		t.Errorf("owner %d:%d, want 12:13", uid, gid)
	}
}

func TestReplaceDirectory(t *testing.T) {
	root, dir := open(t)
	if err := os.MkdirAll(filepath.Join(dir, "f/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Replace(root, "f", nil, mine(0o644)); err == nil {
		t.Error("Replace of a directory: nil, want an error")
	}
	if diff := cmp.Diff([]string{"f"}, names(t, dir)); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
}

func TestRemove(t *testing.T) {
	root, dir := open(t)
	if err := atomicfile.Replace(root, "f", nil, mine(0o644)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing
		if err := atomicfile.Remove(root, "f"); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("Remove left %q", got)
	}
}

func TestSweep(t *testing.T) {
	root, dir := open(t)
	for _, name := range []string{"f", ".f123", ".f1.conf", ".f", ".fx12", ".g123", ".f99"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.Sweep(root, "f"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".f", ".f1.conf", ".fx12", ".g123", "f"}, names(t, dir)); diff != "" {
		t.Errorf("after Sweep (-want +got):\n%s", diff)
	}
}

// Sweep knows the names that Replace gives to its temporary files.
func TestSweepName(t *testing.T) {
	root, dir := open(t)
	if err := os.Mkdir(filepath.Join(dir, "f"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := atomicfile.Replace(root, "f", nil, mine(0o644)) // the error has the name
	if err == nil {
		t.Fatal("Replace of a directory: nil, want an error")
	}
	words := strings.Fields(err.Error())
	name := filepath.Base(words[1])
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Sweep(root, "f"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"f"}, names(t, dir)); diff != "" {
		t.Errorf("after Sweep of what %q is about (-want +got):\n%s", err, diff)
	}
}
