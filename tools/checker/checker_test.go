package checker_test

import (
	"os"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/checker"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestBuildFails(t *testing.T) {
	root := workspace.Root(t.TempDir())
	_, err := checker.Build(t.Context(), root, checker.Gofumpt)
	if err == nil || !strings.HasPrefix(err.Error(), "build gofumpt: open ") {
		t.Errorf("Build without tools/lint: error %v, want one about its go.mod", err)
	}
	if err := os.MkdirAll(root.Path("tools", "lint"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module lint.example\n\ngo 1.26.0\n", "go.sum": ""} {
		if err := os.WriteFile(root.Path("tools", "lint", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err = checker.Build(t.Context(), root, checker.Gofumpt)
	if err == nil || !strings.Contains(err.Error(), "build gofumpt: go build -o ") {
		t.Errorf("Build of what is not pinned: error %v, want that of go build", err)
	}
}
