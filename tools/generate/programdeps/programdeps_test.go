package programdeps_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/generate/programdeps"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.work":                  "go 1.26.0\n\nuse (\n\t./api\n\t./sources\n)\n",
		"api/go.mod":               "module " + workspace.Module + "/api\n\ngo 1.26.0\n",
		"api/client/client.go":     "package client\n\nimport _ \"fmt\"\n",
		"api/wire/wire.go":         "package wire\n",
		"api/cmd/tool/main.go":     "package main\n\nimport (\n\t_ \"" + workspace.Module + "/api/wire\"\n\t_ \"" + workspace.Module + "/api/client\"\n)\n\nfunc main() {}\n",
		"api/cmd/tool/sub/sub.go":  "package sub\n",
		"sources/go.mod":           "module " + workspace.Module + "/sources\n\ngo 1.26.0\n",
		"sources/apply/apply.go":   "package apply\n",
		"sources/apply/windows.go": "//go:build windows\n\npackage apply\n\nimport _ \"" + workspace.Module + "/api/client\"\n",
		"sources/cmd/one/main.go":  "package main\n\nimport _ \"" + workspace.Module + "/sources/apply\"\n\nfunc main() {}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := programdeps.Generate(t.Context(), workspace.Root(dir))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, data := range files {
		got[name] = string(data)
	}
	want := map[string]string{
		"api/cmd/tool/deps.txt": "# What tool is built with, besides the standard library.\n# Written by shipyard generate.\n" +
			workspace.Module + "/api/client\n" + workspace.Module + "/api/wire\n",
		"sources/cmd/one/deps.txt": "# What one is built with, besides the standard library.\n# Written by shipyard generate.\n" +
			workspace.Module + "/sources/apply\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Generate (-want +got):\n%s", diff)
	}
}
