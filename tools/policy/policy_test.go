package policy_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/policy"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// The tests in this file hold the repository to its rules.

func repository(t *testing.T) workspace.Root {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func report(t *testing.T, faults []string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	faults, err := policy.Docs(os.DirFS(string(repository(t))))
	report(t, faults, err)
}

// What outsiders import is described; elsewhere a comment is owed where there
// is something to tell.
func TestExportedNamesHaveComments(t *testing.T) {
	for _, dir := range []string{"models", "api"} {
		t.Run(dir, func(t *testing.T) {
			faults, err := policy.Exported(os.DirFS(repository(t).Path(dir)))
			report(t, faults, err)
		})
	}
}

func TestNamesSaySomething(t *testing.T) {
	faults, err := policy.Names(os.DirFS(string(repository(t))))
	report(t, faults, err)
}

func TestImportsPointTheRightWay(t *testing.T) {
	g, err := policy.Load(t.Context(), repository(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, policy.Arrows(g), nil)
}

func TestModulesReplaceOnlySiblings(t *testing.T) {
	files, err := policy.ModFiles(t.Context(), repository(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, policy.Replacements(files), nil)
}

func TestDependenciesHaveReasons(t *testing.T) {
	root := repository(t)
	g, err := policy.Load(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := policy.ModFiles(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(root.Path("docs", "design", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	report(t, policy.Reasons(string(list), g, files), nil)
}

// write puts files into a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
