package packagelint_test

import (
	"errors"
	"fmt"
	"io/fs"
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

// applyUnit says where rendered files may be.
var applyUnit = fstest.MapFile{Data: []byte("[Service]\nReadWritePaths=/nowhere\nReadWritePaths=\nReadWritePaths=/etc -/root/\nReadWritePaths=/run/x\n")}

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
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/etc/x\"\ntemplate = \"x.tmpl\"\n")},
				"p/x.tmpl":       {Data: []byte(`{{ optional "kernel.lockdown" | default "" | line }}`)},
			},
			want: []string{"p: x.tmpl reads settings.kernel.lockdown, which no variant with this package has"},
		},
		{
			name: "secret shown",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/etc/{{ .key }}\"\ntemplate = \"x.tmpl\"\nfor-each = \"settings.host-containers\"\n")},
				"p/x.tmpl":       {Data: []byte(`{{ member .value "user-data" | line }}`)},
			},
			want: []string{"p: x.tmpl shows the secret settings.host-containers.<name>.user-data: its file wants secret = true"},
		},
		{
			name: "files where none can be written",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + files("/var/lib/x", "/root/x", "/etcetera", "/run/x/{{ .key }}", "/{{ .key }}", "/nowhere/x"))},
				"p/x.tmpl":       {Data: []byte("text\n")},
			},
			want: []string{
				"p: apply may not write /var/lib/x, only below /etc, /root, /run/x: see ReadWritePaths= in apply/apply.service",
				"p: apply may not write /etcetera, only below /etc, /root, /run/x: see ReadWritePaths= in apply/apply.service",
				"p: apply may not write /{{ .key }}, only below /etc, /root, /run/x: see ReadWritePaths= in apply/apply.service",
				"p: apply may not write /nowhere/x, only below /etc, /root, /run/x: see ReadWritePaths= in apply/apply.service",
			},
		},
		{
			name: "secret beside what is shown",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/etc/{{ .key }}\"\ntemplate = \"x.tmpl\"\nfor-each = \"settings.host-containers\"\n")},
				"p/x.tmpl":       {Data: []byte(`{{ member .value "source" | line }}`)},
			},
		},
		{
			name: "member that no template names",
			packages: fstest.MapFS{
				"p/package.toml": {Data: []byte(strings.Replace(reading, `, "settings.host-containers"`, "", 1) +
					"[[config]]\npath = \"/etc/{{ .key }}\"\nmode = \"0600\"\nsecret = true\ntemplate = \"x.tmpl\"\nfor-each = \"settings.host-containers\"\nwhen = [\".enabled\"]\n")},
				"p/x.tmpl": {Data: []byte(`{{ member .value "source" | line }}{{ member .value "user-data" | line }}{{ member .value "command" | json }}{{ member .value "resources" | json }}`)},
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
			tt.packages["apply/apply.service"] = &applyUnit
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

// files are rendered files at paths, one per host container where a path asks for
// its name.
func files(paths ...string) string {
	var b strings.Builder
	for _, p := range paths {
		fmt.Fprintf(&b, "[[config]]\npath = %q\ntemplate = \"x.tmpl\"\n", p)
		if strings.Contains(p, ".key") {
			b.WriteString("for-each = \"settings.host-containers\"\n")
		}
	}
	return b.String()
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
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/etc/x\"\ntemplate = \"x.tmpl\"\n")},
				"p/x.tmpl":       {Data: []byte(tt.template)},

				"apply/apply.service": &applyUnit,
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

// Without the unit nobody knows where files may be.
func TestCheckWithoutApply(t *testing.T) {
	const config = reading + "[[config]]\npath = \"/etc/x\"\ntemplate = \"x.tmpl\"\n"
	packages := fstest.MapFS{"p/package.toml": {Data: []byte(config)}, "p/x.tmpl": {Data: []byte("x")}}
	compositions, err := packagelint.Load(oneVariant(), packages)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := packagelint.Check(compositions, packages); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Check without apply.service: error %v, want %v", err, fs.ErrNotExist)
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
				"p/package.toml": {Data: []byte(reading + "[[config]]\npath = \"/etc/x\"\ntemplate = \"x.tmpl\"\n")},
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
