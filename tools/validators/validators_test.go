package validators_test

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/tools/cage"
	"github.com/bulkhead-os/bulkhead/tools/validators"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

const root = "../.."

// machine returns a machine with what the variant called name has, and its
// validators. Where there can be none, the test is skipped.
func machine(t *testing.T, name string) (*validators.Machine, []validators.Validator) {
	t.Helper()
	repository, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	m, err := validators.NewMachine(t.Context(), repository)
	if errors.Is(err, validators.ErrUnprepared) || errors.Is(err, cage.ErrNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	v, packages := load(t, name)
	if err := m.Install(packages, os.DirFS(root+"/packages")); err != nil {
		t.Fatal(err)
	}
	kubelet := ""
	if v.Runtime == "k8s" {
		kubelet = v.Version
	}
	return m, validators.For(kubelet)
}

func load(t *testing.T, name string) (*variant.Variant, []*recipe.Package) {
	t.Helper()
	v, err := variant.Load(os.DirFS(root+"/variants"), name)
	if err != nil {
		t.Fatal(err)
	}
	packages, rep := recipe.LoadAll(os.DirFS(root+"/packages"), v.Packages)
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	return v, packages
}

// A program that lets everything pass shows nothing.
func TestValidatorsComplain(t *testing.T) {
	m, all := machine(t, "metal-k8s-1.36")
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			if !v.Reads(v.Bad.Path) {
				t.Errorf("Reads(%q) = false, want true", v.Bad.Path)
			}
			if err := m.Put(v.Bad.Path, []byte(v.Bad.Text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := v.Check(t.Context(), m, v.Bad.Path)
			if errors.Is(err, validators.ErrUnable) {
				t.Skip(err)
			}
			if err == nil || !strings.Contains(err.Error(), v.Bad.Complaint) {
				t.Errorf("Check of %q: error %v, want %q in it", v.Bad.Text, err, v.Bad.Complaint)
			}
			if err := m.Remove(v.Bad.Path); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Every golden file is shown to the program that reads it.
func TestGoldenFiles(t *testing.T) {
	cases, err := fs.Glob(os.DirFS(root+"/packages/testdata/golden"), "*/*")
	if err != nil || len(cases) == 0 {
		t.Fatalf("golden files: %v, %v, want some", cases, err)
	}
	for _, c := range cases {
		t.Run(c, func(t *testing.T) {
			m, all := machine(t, path.Dir(c))
			for _, f := range put(t, m, os.DirFS(root+"/packages/testdata/golden/"+c)) {
				check(t, m, all, f)
			}
		})
	}
}

// put gives m the files of a golden directory and returns their paths.
func put(t *testing.T, m *validators.Machine, golden fs.FS) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(golden, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "index.txt" {
			return err
		}
		data, err := fs.ReadFile(golden, name)
		if err != nil {
			return err
		}
		out = append(out, "/"+name)
		return m.Put("/"+name, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every file that packages bring as it is, too.
func TestInstalledFiles(t *testing.T) {
	names, err := variant.Names(os.DirFS(root + "/variants"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range names {
		_, packages := load(t, name)
		files := validators.Installed(packages)
		isNew := func(f string) bool { return !seen[f] }
		if !slices.ContainsFunc(files, isNew) {
			continue // another variant has shown them
		}
		t.Run(name, func(t *testing.T) {
			m, all := machine(t, name)
			for _, f := range files {
				if !seen[f] {
					seen[f] = true
					check(t, m, all, f)
				}
			}
		})
	}
}

func check(t *testing.T, m *validators.Machine, all []validators.Validator, file string) {
	t.Helper()
	for _, v := range all {
		if !v.Reads(file) {
			continue
		}
		t.Run(v.Name+file, func(t *testing.T) {
			err := v.Check(t.Context(), m, file)
			if errors.Is(err, validators.ErrUnable) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
