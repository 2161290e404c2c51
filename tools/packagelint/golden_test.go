package packagelint_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldens are the variants and the documents that are rendered for each.
var goldens = []struct {
	variant   string
	documents []string
}{
	{"qemu-dev", []string{"defaults"}},
	{"aws-dev", []string{"defaults"}},
	{"vmware-k8s-1.37", []string{"defaults"}},
	{"metal-k8s-1.36", []string{"defaults", "example", "full", "nasty", "standalone"}},
	{"aws-k8s-1.37", []string{"defaults", "kubernetes-aws"}},
	{"aws-k8s-1.37-nvidia", []string{"defaults", "nvidia"}},
	{"aws-ecs-2", []string{"defaults", "ecs", "nasty-ecs"}},
	{"aws-ecs-2-nvidia", []string{"defaults"}},
}

const (
	documents = root + "/packages/testdata/documents"
	golden    = root + "/packages/testdata/golden"
)

// TestGolden renders documents and compares with what is checked in. To write
// that anew: go test ./tools/packagelint -run Golden -update
func TestGolden(t *testing.T) {
	all := load(t)
	for _, g := range goldens {
		i := slices.IndexFunc(all, func(c packagelint.Composition) bool { return c.Name == g.variant })
		if i < 0 {
			t.Errorf("there is no variant %s", g.variant)
			continue
		}
		for _, doc := range g.documents {
			t.Run(g.variant+"/"+doc, func(t *testing.T) {
				files := rendered(t, all[i], doc)
				for _, f := range files {
					if err := wellFormed(f); err != nil {
						t.Errorf("%s is not well formed: %v\n%s", f.Path, err, f.Content)
					}
				}
				compare(t, filepath.Join(golden, g.variant, doc), contents(files))
			})
		}
	}
}

// Each template is shown by a golden file.
func TestEveryTemplateHasGoldenFiles(t *testing.T) {
	all := load(t)
	shown := map[string]bool{}
	for _, g := range goldens {
		i := slices.IndexFunc(all, func(c packagelint.Composition) bool { return c.Name == g.variant })
		for _, doc := range g.documents {
			for _, f := range rendered(t, all[i], doc) {
				shown[f.Package+"/"+f.Template] = true
			}
		}
	}
	for _, c := range all {
		for _, p := range c.Packages {
			for name := range p.Templates {
				if !shown[p.Name+"/"+name] {
					t.Errorf("variant %s: no golden file is rendered from %s/%s", c.Name, p.Name, name)
				}
			}
		}
	}
}

// rendered returns the files for a document.
func rendered(t *testing.T, c packagelint.Composition, doc string) []plan.File {
	t.Helper()
	file := filepath.Join(documents, doc+".toml")
	if doc == "example" {
		file = root + "/docs/guide/examples/metal-k8s.toml" // what the guide shows
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := c.Schema.ReadTOML(data, schema.Options{})
	if err := in.Report.Err(); err != nil {
		t.Fatalf("document %s: %v", doc, err)
	}
	effective, rep := c.Validate(document.Document{}.Apply(in.Patch), document.Document{})
	if err := rep.Err(); err != nil {
		t.Fatalf("document %s: %v", doc, err)
	}
	settings, err := render.NewSettings(c.Schema, effective)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Set.Render(t.Context(), render.Input{Settings: settings, OS: image(c), Node: node})
	for _, f := range r.Faults {
		t.Errorf("document %s: %v", doc, &f)
	}
	return r.Files
}

var node = render.Node{
	Hostname: "node-1", Addresses: []string{"192.0.2.107"}, CPUs: 4, Memory: 16 << 30, Region: "eu-west-1",
}

func image(c packagelint.Composition) render.OS {
	return render.OS{
		Name: "Bulkhead", Pretty: "Bulkhead 1.2.3 (" + c.Name + ")", Version: "1.2.3", Build: "0",
		Variant: c.Name, Platform: c.Platform, Runtime: c.Runtime, RuntimeVersion: c.Version, Arch: "x86_64",
	}
}

// contents returns the files by name below the golden directory, and an index
// of what else there is to them.
func contents(files []plan.File) map[string]string {
	out := map[string]string{}
	var index strings.Builder
	for _, f := range files {
		out[strings.TrimPrefix(f.Path, "/")] = string(f.Content)
		secret := ""
		if f.Secret {
			secret = " secret"
		}
		fmt.Fprintf(&index, "%s %04o %s:%s%s %s/%s %s %s\n", f.Path, f.Mode.Perm(), f.Owner, f.Group, secret, f.Package, f.Template,
			f.OnChange, strings.Join(f.Units, " "))
	}
	out["index.txt"] = index.String()
	return out
}

func compare(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if *update {
		write(t, dir, want)
	}
	if diff := cmp.Diff(tree(t, dir), want); diff != "" {
		t.Errorf("files below %s (-checked in +rendered):\n%s", dir, diff)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	fsys := os.DirFS(dir)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		out[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wellFormed parses files of formats that have a parser here.
func wellFormed(f plan.File) error {
	ext := filepath.Ext(f.Path)
	if slices.Contains([]string{".conf", ".env", ".toml"}, ext) && !bytes.HasSuffix(f.Content, []byte("\n")) {
		return fmt.Errorf("the last line has no end")
	}
	switch ext {
	case ".json":
		_, rep := syntax.JSON(f.Content, syntax.DefaultLimits)
		return rep.Err()
	case ".toml":
		_, rep := syntax.TOML(f.Content, syntax.DefaultLimits)
		return rep.Err()
	case ".env":
		return environment(string(f.Content))
	case ".yaml":
		return wellFormedYAML(f.Content)
	case "":
		if strings.HasSuffix(f.Path, "kubeconfig") {
			return wellFormedYAML(f.Content)
		}
	}
	return nil
}

func wellFormedYAML(data []byte) error {
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		return err
	}
	// What JSON cannot hold, such as a key that is no text, Kubernetes cannot
	// either.
	_, err := json.Marshal(v)
	return err
}

func environment(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if !ok || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "" {
			return fmt.Errorf("line %q assigns nothing", line)
		}
	}
	return nil
}
