package packagelint_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

const head = "[package]\nname = \"p\"\nsummary = \"For tests\"\nlicense = \"MIT\"\n"

// oneVariant is a variant with three groups of settings and the package p.
func oneVariant() fstest.MapFS {
	return fstest.MapFS{"v.toml": {Data: []byte(`
[variant]
name = "v"
summary = "For tests"
settings = ["motd", "autoscaling", "host-containers"]
packages = ["p"]
`)}}
}

// reading is a definition that reads all settings of oneVariant.
const reading = head + `
[[reads]]
settings = ["settings.motd", "settings.autoscaling", "settings.host-containers"]
by = "program"
`

func TestCheck(t *testing.T) {
	tests := []struct {
		name     string
		packages fstest.MapFS
		want     []string
	}{
		{name: "nothing wrong", packages: fstest.MapFS{"p/package.toml": {Data: []byte(reading)}}},
		{
			name:     "unused package",
			packages: fstest.MapFS{"p/package.toml": {Data: []byte(reading)}, "q/package.toml": {Data: []byte(head)}},
			want:     []string{"q: no variant has this package"},
		},
		{
			name:     "missing source",
			packages: fstest.MapFS{"p/package.toml": {Data: []byte(reading + "[[file]]\nsource = \"x\"\npath = \"/x\"\n")}},
			want:     []string{"p: there is no file x"},
		},
		{
			name:     "nothing reads",
			packages: fstest.MapFS{"p/package.toml": {Data: []byte(strings.Replace(reading, `"settings.motd", `, "", 1))}},
			want:     []string{"v: nothing reads settings.motd"},
		},
		{
			name: "setting of no variant",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/x\"\ntemplate = \"x.tmpl\"\n")},
				"p/x.tmpl":       {Data: []byte(`{{ optional "kernel.lockdown" | default "" | line }}`)},
			},
			want: []string{"p: x.tmpl reads settings.kernel.lockdown, which no variant with this package has"},
		},
		{
			name: "secret shown",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/{{ .key }}\"\ntemplate = \"x.tmpl\"\nfor-each = \"settings.host-containers\"\n")},
				"p/x.tmpl":       {Data: []byte(`{{ member .value "user-data" | line }}`)},
			},
			want: []string{"p: x.tmpl shows the secret settings.host-containers.<name>.user-data: its file wants secret = true"},
		},
		{
			name: "secret beside what is shown",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/{{ .key }}\"\ntemplate = \"x.tmpl\"\nfor-each = \"settings.host-containers\"\n")},
				"p/x.tmpl":       {Data: []byte(`{{ member .value "source" | line }}`)},
			},
		},
		{
			name: "member that no template names",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(strings.Replace(reading, `, "settings.host-containers"`, "", 1) +
					"[[config]]\npath = \"/{{ .key }}\"\nmode = \"0600\"\nsecret = true\ntemplate = \"x.tmpl\"\nfor-each = \"settings.host-containers\"\nwhen = [\".enabled\"]\n")},
				"p/x.tmpl": {Data: []byte(`{{ member .value "source" | line }}{{ member .value "user-data" | line }}{{ member .value "command" | json }}`)},
			},
			want: []string{"v: nothing reads settings.host-containers.<name>.superpowered"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			compositions, err := packagelint.Load(oneVariant(), tt.packages)
			if err != nil {
				t.Fatal(err)
			}
			problems, err := packagelint.Check(compositions, tt.packages)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

// A setting that a template cannot do without is in every variant with the
// package, unless the template asks first.
func TestCheckNeeds(t *testing.T) {
	variants := oneVariant()
	variants["w.toml"] = &fstest.MapFile{Data: []byte("[variant]\nname = \"w\"\nsummary = \"Without motd\"\nsettings = [\"autoscaling\", \"host-containers\"]\npackages = [\"p\"]\n")}
	tests := []struct {
		name, template string
		want           string // part of a problem, or empty where there is none
	}{
		{name: "needed", template: `{{ setting "motd" | line }}`, want: "p: x.tmpl needs settings.motd, which variant w does not have"},
		{name: "optional", template: `{{ optional "motd" | default "" | line }}`},
		{name: "asked for", template: `{{ if have "motd" }}{{ setting "motd" | line }}{{ end }}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packages := fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/x\"\ntemplate = \"x.tmpl\"\n")},
				"p/x.tmpl":       {Data: []byte(tt.template)},
			}
			compositions, err := packagelint.Load(variants, packages)
			if err != nil {
				t.Fatal(err)
			}
			problems, err := packagelint.Check(compositions, packages)
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(problems, func(p packagelint.Problem) bool { return p.String() == tt.want })
			if tt.want == "" && len(problems) > 0 || tt.want != "" && !found {
				t.Errorf("Check(%q): got %v, want %q", tt.template, problems, tt.want)
			}
		})
	}
}

func TestLoadFaults(t *testing.T) {
	tests := []struct {
		name     string
		packages fstest.MapFS
		want     string
	}{
		{name: "no package", packages: fstest.MapFS{}, want: `packages of variant v: `},
		{
			name: "template that does not parse",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/x\"\ntemplate = \"x.tmpl\"\n")},
				"p/x.tmpl":       {Data: []byte("{{ nosuch }}")},
			},
			want: "packages of variant v: template p/x.tmpl:1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := packagelint.Load(oneVariant(), tt.packages)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Load: error %v, want one that starts with %q", err, tt.want)
			}
		})
	}
}
