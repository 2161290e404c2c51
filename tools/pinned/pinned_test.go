package pinned_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/pinned"
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

// standIn puts a stand-in for the go command first in PATH, which notes its
// calls in the file that is returned.
func standIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	write(t, filepath.Join(dir, "go"), "#!/bin/sh\necho \"${PWD##*/} $GOWORK $CGO_ENABLED $4\" >>"+log+"\necho built >\"$3\"\n", 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return log
}

// Build builds once for each state of what it is built from.
func TestBuildOncePerPin(t *testing.T) {
	root := workspace.Root(t.TempDir())
	source := root.Path("tools", "read.go")
	steps := []struct {
		name   string
		change func()
		builds bool
	}{
		{"the first", func() {}, true},
		{"nothing changed", func() {}, false},
		{"go.mod changed", func() { write(t, root.Path("m", "go.mod"), "module m\n\nrequire x v1.0.0\n", 0o644) }, true},
		{"go.sum changed", func() { write(t, root.Path("m", "go.sum"), "x v1.0.0 h1:\n", 0o644) }, true},
		{"the source changed", func() { write(t, source, "package main // anew\n", 0o644) }, true},
		{"the program is gone", func() { os.Remove(root.Path("build", "tools", "read")) }, true},
	}
	write(t, root.Path("m", "go.mod"), "module m\n", 0o644)
	write(t, root.Path("m", "go.sum"), "", 0o644)
	write(t, source, "package main\n", 0o644)
	log := standIn(t)
	p := pinned.Program{Module: "m", File: "tools/read.go", Output: "build/tools/read"}
	want := ""
	for _, step := range steps {
		step.change()
		if _, ok := p.Find(root); ok == step.builds {
			t.Errorf("%s: Find says %t, want %t", step.name, ok, !step.builds)
		}
		bin, err := p.Build(t.Context(), root)
		if err != nil || bin != root.Path("build", "tools", "read") {
			t.Fatalf("%s: Build = %q, %v", step.name, bin, err)
		}
		if step.builds {
			want += "m off 0 " + source + "\n"
		}
		calls, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(calls)); diff != "" {
			t.Errorf("%s: calls of go (-want +got):\n%s", step.name, diff)
		}
		if found, ok := p.Find(root); !ok || found != bin {
			t.Errorf("%s: Find after Build = %q, %t, want %q", step.name, found, ok, bin)
		}
	}
}

func TestBuildOfPackage(t *testing.T) {
	root := workspace.Root(t.TempDir())
	write(t, root.Path("m", "go.mod"), "module m\n", 0o644)
	write(t, root.Path("m", "go.sum"), "", 0o644)
	log := standIn(t)
	p := pinned.Program{Module: "m", Package: "example.org/cmd/x", Output: "build/x"}
	if _, err := p.Build(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	p.Flags = []string{"-trimpath"}
	if _, ok := p.Find(root); ok {
		t.Error("Find with other flags finds what was built without them")
	}
	if _, err := p.Build(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	calls, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("m off 0 example.org/cmd/x\nm off 0 -trimpath\n", string(calls)); diff != "" {
		t.Errorf("Build: calls of go (-want +got):\n%s", diff)
	}
}
