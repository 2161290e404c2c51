package checker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/checker"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func write(t *testing.T, path, text string, perm os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
}

// Build builds once for each state of the pins. A stand-in for the go command
// counts how often it was called.
func TestBuildOncePerPin(t *testing.T) {
	root := workspace.Root(t.TempDir())
	write(t, root.Path("tools", "lint", "go.mod"), "module lint\n", 0o644)
	write(t, root.Path("tools", "lint", "go.sum"), "", 0o644)
	stand := t.TempDir()
	write(t, filepath.Join(stand, "go"), "#!/bin/sh\necho \"$GOWORK $*\" >>"+stand+"/log\necho built >\"$3\"\n", 0o755)
	t.Setenv("PATH", stand+":"+os.Getenv("PATH"))
	build := func(calls int) {
		t.Helper()
		bin, err := checker.Build(t.Context(), root, "example.org/cmd/lint")
		if want := root.Path("build", "bin", "lint"); err != nil || bin != want {
			t.Fatalf("Build = %q, %v, want %q", bin, err, want)
		}
		log, err := os.ReadFile(filepath.Join(stand, "log"))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("off build -o "+bin+" example.org/cmd/lint\n", calls)
		if string(log) != want {
			t.Errorf("Build: calls of go\n%swant\n%s", log, want)
		}
	}
	build(1)
	build(1)
	write(t, root.Path("tools", "lint", "go.mod"), "module lint\n\nrequire x v1.0.0\n", 0o644)
	build(2)
	if err := os.Remove(root.Path("build", "bin", "lint")); err != nil {
		t.Fatal(err)
	}
	build(3)
}

func TestBuildFails(t *testing.T) {
	root := workspace.Root(t.TempDir())
	_, err := checker.Build(t.Context(), root, checker.Gofumpt)
	if err == nil || !strings.HasPrefix(err.Error(), "build gofumpt: open ") {
		t.Errorf("Build without tools/lint: error %v, want one about its go.mod", err)
	}
	write(t, root.Path("tools", "lint", "go.mod"), "module lint.example\n\ngo 1.26.0\n", 0o644)
	write(t, root.Path("tools", "lint", "go.sum"), "", 0o644)
	_, err = checker.Build(t.Context(), root, checker.Gofumpt)
	if err == nil || !strings.Contains(err.Error(), "build gofumpt: go build -o ") {
		t.Errorf("Build of what is not pinned: error %v, want that of go build", err)
	}
}
