package workspace_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := workspace.Find(deep); err == nil || !strings.Contains(err.Error(), "run shipyard inside the repository") {
		t.Errorf("Find(%q) without go.work: error %v, want one that says where to run shipyard", deep, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.work"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{dir, deep} {
		got, err := workspace.Find(from)
		if err != nil || got != workspace.Root(dir) {
			t.Errorf("Find(%q) = %q, %v, want %q", from, got, err, dir)
		}
	}
}

func TestModules(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := root.Modules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"api", "models", "sources", "tools", "variants"} {
		if !slices.Contains(got, want) {
			t.Errorf("Modules = %q, want %q among them", got, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	got := workspace.Patterns([]string{"models", "sources/operator"})
	if diff := cmp.Diff([]string{"./models/...", "./sources/operator/..."}, got); diff != "" {
		t.Errorf("Patterns (-want +got):\n%s", diff)
	}
}
