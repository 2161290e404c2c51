package nodereset_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/nodereset"
)

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

func TestMark(t *testing.T) {
	root, dir := open(t)
	if m, due, err := nodereset.Due(root); due || err != nil {
		t.Errorf("Due without a mark: %+v, %t, %v", m, due, err)
	}
	want := nodereset.Mark{KeepData: true, Reason: "by root", Time: time.Date(2026, 11, 21, 1, 2, 3, 0, time.UTC)}
	if err := nodereset.Set(root, want); err != nil {
		t.Fatal(err)
	}
	if m, due, err := nodereset.Due(root); !due || err != nil || m != want {
		t.Errorf("Due: %+v, %t, %v, want %+v", m, due, err, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "reset.json")); err != nil || info.Mode() != 0o600 {
		t.Errorf("mark: %v, %v, want mode 0600", info, err)
	}
	if err := nodereset.Clear(root); err != nil {
		t.Fatal(err)
	}
	if _, due, err := nodereset.Due(root); due || err != nil {
		t.Errorf("Due after Clear: %t, %v", due, err)
	}
}

// Somebody has decided for a reset, even when it cannot be read which.
func TestBrokenMark(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "cut off": `{"keep_da`, "long": string(slices.Repeat([]byte(" "), 1<<20)) + "{}"} {
		t.Run(name, func(t *testing.T) {
			root, dir := open(t)
			if err := os.WriteFile(filepath.Join(dir, "reset.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if m, due, err := nodereset.Due(root); !due || err != nil || !m.KeepData {
				t.Errorf("Due: %+v, %t, %v, want a reset that keeps the data", m, due, err)
			}
		})
	}
}

func TestWipe(t *testing.T) {
	root, dir := open(t)
	all := []string{
		"audit/log", "lost+found/x", "machine-id", "net.toml", "provision/user-data.json", "remote/self-made.pem", "reset.json",
		"settings/a", "settings/b/c", "user-data.toml",
	}
	for _, name := range all {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "way-out")); err != nil {
		t.Fatal(err)
	}
	var steps []string
	if err := nodereset.Wipe(root, func(name string) { steps = append(steps, name) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"audit", "provision", "remote", "settings", "way-out"}, steps); diff != "" {
		t.Errorf("what goes (-want +got):\n%s", diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if diff := cmp.Diff([]string{"lost+found", "machine-id", "net.toml", "reset.json", "user-data.toml"}, left); diff != "" {
		t.Errorf("what stays (-want +got):\n%s", diff)
	}
	if _, err := os.Stat("/etc"); err != nil {
		t.Error("the target of a symbolic link is gone")
	}
}
