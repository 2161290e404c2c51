package render_test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

const head = "[package]\nname = \"p\"\nsummary = \"test\"\nlicense = \"MIT\"\n"

// pack returns a package p with the given rest of its definition; templates are
// pairs of a name and a text.
func pack(t testing.TB, definition string, templates ...string) *recipe.Package {
	t.Helper()
	fsys := fstest.MapFS{"p/package.toml": {Data: []byte(head + definition)}}
	for i := 0; i < len(templates); i += 2 {
		fsys["p/"+templates[i]] = &fstest.MapFile{Data: []byte(templates[i+1])}
	}
	p, rep := recipe.Load(fsys, "p")
	if err := rep.Err(); err != nil {
		t.Fatalf("Load of %s: %v", definition, err)
	}
	return p
}

const hostContainers = `
[[config]]
path = "/etc/hc/{{ .key }}.toml"
template = "hc.tmpl"
for-each = "settings.host-containers"
when = [".enabled"]
unit = "hc@{{ .key }}.service"
mode = "0600"
secret = true
`

func TestAll(t *testing.T) {
	const two = "[host-containers.admin]\nenabled = true\nsource = 'a/b:1'\n[host-containers.control]\nenabled = false\nsource = 'a/c:1'\n"
	tests := []struct {
		name, settings, definition string
		templates                  []string
		want                       []string // path, units, reads, content
		faults                     []string
	}{
		{
			name: "one file", settings: "motd = 'x'", definition: "[[config]]\npath = '/etc/motd'\ntemplate = 'a.tmpl'\n", templates: []string{"a.tmpl", `{{ setting "motd" | content }}`},
			want: []string{"/etc/motd [] [settings.motd] x"},
		},
		{
			name: "entries", settings: two, definition: hostContainers, templates: []string{"hc.tmpl", `{{ member .value "source" | toml }}`},
			want: []string{`/etc/hc/admin.toml [hc@admin.service] [settings.host-containers.admin.enabled settings.host-containers.admin.source] "a/b:1"`},
		},
		{
			name: "whole entry", settings: two, definition: hostContainers, templates: []string{"hc.tmpl", `{{ range $k, $v := .value }}{{ line $k }},{{ end }}`},
			want: []string{`/etc/hc/admin.toml [hc@admin.service] [settings.host-containers.admin] enabled,source,`},
		},
		{
			name: "entry in a define", settings: two, definition: hostContainers, templates: []string{"hc.tmpl", `{{ define "x" }}{{ toml .value.source }}{{ end }}{{ template "x" . }}`},
			want: []string{`/etc/hc/admin.toml [hc@admin.service] [settings.host-containers.admin.enabled settings.host-containers.admin.source] "a/b:1"`},
		},
		{
			name: "list", settings: "container-registry.mirrors = [{registry = '*', endpoint = ['https://m']}, {registry = 'docker.io', endpoint = []}]",
			definition: "[[config]]\npath = '/c/{{ member .value \"registry\" | certs_dir }}/hosts.toml'\ntemplate = 'a.tmpl'\nfor-each = 'container-registry.mirrors'\nwhen = ['.endpoint']\n", templates: []string{"a.tmpl", `{{ line .key }}`},
			want: []string{"/c/_default/hosts.toml [] [settings.container-registry.mirrors] 0"},
		},
		{
			name: "fixed members are no entries", settings: "image-verifier-plugins.enabled = true\nimage-verifier-plugins.notation.trustpolicy = '" + base64.StdEncoding.EncodeToString([]byte("{}")) + "'\n",
			definition: "[[config]]\npath = '/c/{{ .key }}'\ntemplate = 'a.tmpl'\nfor-each = 'image-verifier-plugins'\n", templates: []string{"a.tmpl", `{{ member .value "trustpolicy" | b64dec | content }}`},
			want: []string{"/c/notation [] [settings.image-verifier-plugins.notation.trustpolicy] {}"},
		},
		{
			name: "when-not", settings: "kubernetes.standalone-mode = true", definition: "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\nwhen-not = ['kubernetes.standalone-mode']\n", templates: []string{"a.tmpl", `x`},
		},
		{
			name: "when empty", settings: "ntp.time-servers = []", definition: "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\nwhen = ['ntp.time-servers']\n", templates: []string{"a.tmpl", `x`},
		},
		{
			name: "omit-empty", definition: "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\nomit-empty = true\n[[config]]\npath = '/b'\ntemplate = 'a.tmpl'\nreads = ['motd']\n", templates: []string{"a.tmpl", " \n"},
			want: []string{"/b [] [settings.motd]  \n"},
		},
		{
			name: "one fault does not hide others", settings: "motd = 'x'", definition: "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\n[[config]]\npath = '/b'\ntemplate = 'b.tmpl'\n[[config]]\npath = '/c'\ntemplate = 'c.tmpl'\n",
			templates: []string{"a.tmpl", `{{ setting "aws.region" }}`, "b.tmpl", `{{ if }}`, "c.tmpl", `{{ setting "motd" | line }}`},
			want:      []string{"/c [] [settings.motd] x"},
			faults: []string{
				"/b: template p/b.tmpl:1: missing value for if",
				"/a: template p/a.tmpl:1:4: needs settings.aws.region, which is not set",
			},
		},
		{
			name: "entry whose name is no segment", settings: "kubernetes.node-labels.\"a/b\" = 'x'", definition: "[[config]]\npath = '/a/{{ .key }}'\ntemplate = 'a.tmpl'\nfor-each = 'kubernetes.node-labels'\n", templates: []string{"a.tmpl", "x"},
			faults: []string{`: template p/path of package.toml:1:7: "a/b" cannot be a part of a path`},
		},
		{
			name: "twins", settings: "container-registry.mirrors = [{registry = 'a', endpoint = ['https://m']}]\nhost-containers.a.enabled = true",
			definition: "[[config]]\npath = '/c/{{ .value.registry }}'\ntemplate = 'a.tmpl'\nfor-each = 'container-registry.mirrors'\n[[config]]\npath = '/c/{{ .key }}'\ntemplate = 'a.tmpl'\nfor-each = 'host-containers'\n", templates: []string{"a.tmpl", "x"},
			faults: []string{"/c/a: template p/a.tmpl: /c/a is rendered 2 times, first by p/a.tmpl"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pack(t, tt.definition, tt.templates...)
			r := render.All(t.Context(), []*recipe.Package{p}, input(t, tt.settings))
			var got, faults []string
			for _, f := range r.Files {
				got = append(got, fmt.Sprintf("%s %v %v %s", f.Path, f.Units, f.Reads, f.Content))
			}
			for _, f := range r.Faults {
				faults = append(faults, f.Path+": "+f.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("All with %s: files (-want +got):\n%s", tt.settings, diff)
			}
			if diff := cmp.Diff(tt.faults, faults); diff != "" {
				t.Errorf("All with %s: faults (-want +got):\n%s", tt.settings, diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	small := schema.For(settings.Type, "small", []string{"motd", "host-containers"})
	config := func(more string) string {
		return "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\n" + more
	}
	each := strings.Replace(hostContainers, "hc.tmpl", "a.tmpl", 1)
	tests := []struct{ name, definition, template, want string }{
		{name: "fine", definition: config(""), template: `{{ setting "motd" | line }}{{ with optional "ntp.options" }}{{ toml . }}{{ end }}`},
		{name: "of another variant", definition: config(""), template: `{{ setting "ntp.options" | toml }}`, want: "needs settings.ntp.options, which variant settings do not have"},
		{name: "of no variant", definition: config(""), template: `{{ optional "ntp.optins" | toml }}`, want: "names settings.ntp.optins, which does not exist"},
		{name: "condition of no variant", definition: config("when = ['a.b']"), template: `x`, want: "names settings.a.b, which does not exist"},
		{name: "member of no entry", definition: each, template: `{{ member .value "colour" | toml }}`, want: "names settings.host-containers.<name>.colour, which does not exist"},
		{name: "member of an entry", definition: each, template: `{{ member .value "user-data" | toml }}`},
		{name: "secret", definition: config(""), template: `{{ optional "kubernetes.bootstrap-token" | toml }}`, want: "reads the secret settings.kubernetes.bootstrap-token and is not declared secret"},
		{name: "secret in a table", definition: config(""), template: `{{ setting "host-containers" | toml }}`, want: "reads the secret settings.host-containers and is not declared secret"},
		{name: "secret of an entry", definition: strings.Replace(each, "secret = true", "", 1), template: `{{ member .value "user-data" | toml }}`, want: "reads the secret settings.host-containers.<name>.user-data and is not declared secret"},
		{name: "no secret of an entry", definition: strings.Replace(each, "secret = true", "", 1), template: `{{ member .value "source" | toml }}`},
		{name: "entries of what has none", definition: "[[config]]\npath = '/a{{ .key }}'\ntemplate = 'a.tmpl'\nfor-each = 'motd'\n", template: "x", want: "for-each: settings.motd has no entries"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, faults := render.Compile([]*recipe.Package{pack(t, tt.definition, "a.tmpl", tt.template)})
			if len(faults) > 0 {
				t.Fatalf("Compile: %v", faults)
			}
			got := ""
			for _, f := range set.Check(small, everything) {
				got += f.Detail
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check of %s (-want +got):\n%s", tt.template, diff)
			}
		})
	}
}

func TestUnread(t *testing.T) {
	small := schema.For(settings.Type, "small", []string{"motd", "host-containers", "ntp"})
	p := pack(t, hostContainers+"[[reads]]\nsettings = ['ntp.options']\nby = 'x'\n", "hc.tmpl", `{{ member .value "source" | toml }}`)
	set, _ := render.Compile([]*recipe.Package{p})
	want := []string{
		"settings.motd", "settings.host-containers.<name>.superpowered", "settings.host-containers.<name>.user-data",
		"settings.host-containers.<name>.command", "settings.host-containers.<name>.resources.memory",
		"settings.host-containers.<name>.resources.cpus", "settings.host-containers.<name>.resources.pids", "settings.ntp.time-servers",
	}
	if diff := cmp.Diff(want, set.Unread(small, []*recipe.Package{p})); diff != "" {
		t.Errorf("Unread (-want +got):\n%s", diff)
	}
}

// The template uses every encoder and every helper.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/encoders.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("testdata/encoders.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := run(t.Context(), string(text), input(t, string(doc)))
	if err != nil {
		t.Fatalf("Render(testdata/encoders.tmpl): %v", err)
	}
	golden := filepath.Join("testdata", "encoders.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("Render(testdata/encoders.tmpl) (-want +got), to accept it run with -update:\n%s", diff)
	}
}

// What is rendered from settings and lies on disk needs nothing done.
func TestPlanOfWhatIsThereIsEmpty(t *testing.T) {
	p := pack(t, hostContainers+"[[unit]]\nname = 'hc@.service'\n[[config]]\npath = '/etc/motd'\ntemplate = 'motd.tmpl'\n", "hc.tmpl", `{{ member .value "source" | toml }}`, "motd.tmpl", `{{ setting "motd" | content }}`)
	packages := []*recipe.Package{p}
	documents := []string{
		"motd = 'a'", "motd = ''", "motd = 'b'\n[host-containers.a]\nenabled = true\nsource = 'x:1'",
		"motd = 'b'\n[host-containers.a]\nenabled = true\nsource = 'x:2'\n[host-containers.b]\nenabled = true\nsource = 'y:2'",
	}
	for _, before := range documents {
		for _, after := range documents {
			a := render.All(t.Context(), packages, input(t, before))
			disk, done := carriedOut(a.Files)
			b := render.All(t.Context(), packages, input(t, after))
			got := plan.Make(plan.Input{Files: b.Files, Disk: disk, Previous: done, Packages: packages})
			if got.IsEmpty() != (before == after) {
				t.Errorf("plan from %q to %q: IsEmpty() = %t, want %t; files %v", before, after, got.IsEmpty(), before == after, got.Files)
			}
			wanted := map[string]bool{}
			for _, f := range b.Files {
				wanted[f.Path] = true
			}
			for _, f := range got.Files {
				if wanted[f.Path] == (f.Action == plan.Remove) {
					t.Errorf("plan from %q to %q: %s %s, which is wanted: %t", before, after, f.Action, f.Path, wanted[f.Path])
				}
			}
		}
	}
}

// carriedOut returns the disk and the record after files have been applied.
func carriedOut(files []plan.File) (map[string]plan.DiskFile, map[string]plan.Written) {
	disk, done := map[string]plan.DiskFile{}, map[string]plan.Written{}
	for _, f := range files {
		disk[f.Path] = plan.DiskFile{Content: f.Content, Mode: f.Mode, Owner: f.Owner, Group: f.Group}
		done[f.Path] = f.Record()
	}
	return disk, done
}

func TestReadsOfAFile(t *testing.T) {
	p := pack(t, "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\nwhen = ['motd']\nreads = ['aws.region']\n", "a.tmpl", `{{ if have "dns.name-servers" }}x{{ end }}`)
	r := render.All(t.Context(), []*recipe.Package{p}, input(t, "motd = 'x'"))
	want := []key.Key{key.Of("aws", "region"), key.Of("dns", "name-servers"), key.Of("motd")}
	if diff := cmp.Diff(want, r.Files[0].Reads, cmp.Comparer(func(a, b key.Key) bool { return a == b })); diff != "" {
		t.Errorf("Reads (-want +got):\n%s", diff)
	}
}

func BenchmarkAll(b *testing.B) {
	p := pack(b, hostContainers, "hc.tmpl", `{{ range $k, $v := .value }}{{ line $k }}={{ toml $v }}{{ end }}`)
	var doc strings.Builder
	for i := range 60 {
		fmt.Fprintf(&doc, "[host-containers.c%d]\nenabled = true\nsource = 'a/b:1'\n", i)
	}
	in := input(b, doc.String())
	set, _ := render.Compile([]*recipe.Package{p})
	for b.Loop() {
		if r := set.Render(b.Context(), in); len(r.Files) != 60 {
			b.Fatalf("Render: %d files, want 60; faults %v", len(r.Files), r.Faults)
		}
	}
}
