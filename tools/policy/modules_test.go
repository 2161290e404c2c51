package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/policy"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func modFile(t *testing.T, dir, text string) policy.ModFile {
	t.Helper()
	m := policy.ModFile{Dir: dir}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReplacements(t *testing.T) {
	models := modFile(t, "models", `{"Module": {"Path": "x/models"}}`)
	operator := modFile(t, "sources/operator", `{"Module": {"Path": "x/sources/operator"},
		"Replace": [{"Old": {"Path": "x/models"}, "New": {"Path": "../../models"}}]}`)
	bad := modFile(t, "api", `{"Module": {"Path": "x/api"}, "Toolchain": "go1.27.0", "Replace": [
		{"Old": {"Path": "x/models"}, "New": {"Path": "../modelsx"}},
		{"Old": {"Path": "other.example/y"}, "New": {"Path": "fork.example/y", "Version": "v1.0.0"}}]}`)
	pins := modFile(t, "packages/p", `{"Module": {"Path": "x/packages/p"}, "Replace": [
		{"Old": {"Path": "k.example/api"}, "New": {"Path": "k.example/api", "Version": "v0.1.0"}},
		{"Old": {"Path": "k.example/b"}, "New": {"Path": "fork.example/b", "Version": "v0.1.0"}}]}`)
	got := policy.Replacements([]policy.ModFile{models, operator, bad, pins})
	want := []string{
		"api/go.mod replaces x/models by ../modelsx, want replace directives for sibling modules only",
		"api/go.mod replaces other.example/y by fork.example/y, want replace directives for sibling modules only",
		"api/go.mod asks for toolchain go1.27.0, want no toolchain line: the Go at hand builds everything",
		"packages/p/go.mod replaces k.example/b by fork.example/b, want replace directives for sibling modules only",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Replacements (-want +got):\n%s", diff)
	}
}

func TestReasons(t *testing.T) {
	const api = workspace.Module + "/api"
	g := policy.Graph{
		{Path: api + "/store", Module: api, Imports: []string{"fmt", "go.etcd.io/bbolt", "new.example/mod/pkg"}},
		{Path: api + "/store_test [x.test]", Module: api, Test: true, Imports: []string{"cmp.example/cmp [x.test]"}},
		{Path: "go.etcd.io/bbolt", Module: "go.etcd.io/bbolt", Imports: []string{"deep.example/mod"}},
		{Path: "new.example/mod/pkg", Module: "new.example/mod"},
		{Path: "cmp.example/cmp", Module: "cmp.example/cmp"},
		{Path: "deep.example/mod", Module: "deep.example/mod"},
		{Path: "fmt", Standard: true},
	}
	files := []policy.ModFile{modFile(t, "api", `{"Require": [{"Path": "go.etcd.io/bbolt"}, {"Path": "cmp.example/cmp"}]}`)}
	list := "# Dependencies\n\n| Module | Why |\n|---|---|\n| `go.etcd.io/bbolt` | keeps generations |\n" +
		"| `old.example/gone` | was of use |\n| `cmp.example/cmp` | |\n"
	want := []string{
		"docs/design/dependencies.md: no line for cmp.example/cmp, want one that gives the reason for it",
		"docs/design/dependencies.md: no line for new.example/mod, want one that gives the reason for it",
		"docs/design/dependencies.md: old.example/gone is in no go.mod any more, want its line gone",
	}
	if diff := cmp.Diff(want, policy.Reasons(list, g, files)); diff != "" {
		t.Errorf("Reasons (-want +got):\n%s", diff)
	}
}
