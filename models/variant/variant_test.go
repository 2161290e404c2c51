package variant_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

const small = `[variant]
name = "small"
platform = "qemu"
runtime = "dev"
arch = ["x86_64"]
summary = "a test"
settings = ["motd", "ntp"]
include = ["shared/a.toml"]
[defaults]
motd = "hello"
[defaults.ntp]
options = ["iburst"]
`

func TestLoad(t *testing.T) {
	tests := []struct{ name, file, fragment, want, err string }{
		{name: "own over included", file: small, fragment: "motd = 'x'\nntp = {time-servers = ['a']}", want: `{"motd":"hello","ntp":{"options":["iburst"],"time-servers":["a"]}}`},
		{name: "unknown member", file: strings.Replace(small, "summary", "sumary", 1), fragment: "", err: "variant small: strict mode: fields in the document are missing in the target struct"},
		{name: "other name", file: strings.Replace(small, `"small"`, `"tiny"`, 1), err: `variant small: its file calls it "tiny"`},
		{name: "package twice", file: strings.Replace(small, "include", `packages = ["a", "b", "a"]`+"\ninclude", 1), err: `variant small: the package "a" is listed twice`},
		{name: "unknown group", file: strings.Replace(small, `"ntp"]`, `"ntp", "npt"]`, 1), err: `variant small: there is no settings group "npt"`},
		{name: "default of another group", file: small, fragment: "dns = {}", err: "variant small: defaults in shared/a.toml: 1:1: settings.dns: there is no setting \"dns\" here (variant small does not have these settings)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{"small.toml": {Data: []byte(tt.file)}, "shared/a.toml": {Data: []byte(tt.fragment)}}
			v, err := variant.Load(fsys, "small")
			if err != nil {
				if diff := cmp.Diff(tt.err, err.Error()); diff != "" {
					t.Errorf("Load: error (-want +got):\n%s", diff)
				}
				return
			}
			if diff := cmp.Diff(tt.want, string(v.Defaults.JSON())); diff != "" || tt.err != "" {
				t.Errorf("Load: defaults (-want +got):\n%s\nwant error %q", diff, tt.err)
			}
		})
	}
}

func TestLoadUnknown(t *testing.T) {
	_, err := variant.Load(fstest.MapFS{"a.toml": {}, "b.toml": {}}, "c")
	if want := `there is no variant "c", want one of a, b`; err == nil || err.Error() != want {
		t.Errorf("Load(c) = %v, want %s", err, want)
	}
}

func TestValidateLayers(t *testing.T) {
	v, err := variant.Load(fstest.MapFS{"small.toml": {Data: []byte(small)}, "shared/a.toml": {}}, "small")
	if err != nil {
		t.Fatal(err)
	}
	in := v.Schema.ReadPairs([]string{"motd=user"})
	generated := v.Schema.ReadPairs([]string{"motd=generated", `ntp.time-servers=["g"]`})
	effective, rep := v.Validate(in.Patch.Set, generated.Patch.Set)
	if want := `{"motd":"user","ntp":{"options":["iburst"],"time-servers":["g"]}}`; string(effective.JSON()) != want || rep.HasErrors() {
		t.Errorf("Validate = %s, %v, want %s", effective.JSON(), rep.Faults, want)
	}
	if d := document.Diff(v.Effective(document.Document{}, document.Document{}), v.Defaults); len(d) > 0 {
		t.Errorf("without other layers, %v differ from the defaults", d)
	}
	if !slices.Equal(v.Schema.Groups(), []string{"motd", "ntp"}) {
		t.Errorf("Groups = %v", v.Schema.Groups())
	}
}

func TestPackages(t *testing.T) {
	file := strings.Replace(small, "include", `packages = ["base", "chrony"]`+"\ninclude", 1)
	v, err := variant.Load(fstest.MapFS{"small.toml": {Data: []byte(file)}, "shared/a.toml": {}}, "small")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if diff := cmp.Diff([]string{"base", "chrony"}, v.Packages); diff != "" {
		t.Errorf("Load: packages (-want +got):\n%s", diff)
	}
}

func TestImageName(t *testing.T) {
	file := strings.Replace(small, `"ntp"]`, `"ntp", "host-containers"]`, 1) + `
[defaults.host-containers.admin]
source = "registry.example.org/admin:v1"
[embed]
admin = ""
"registry.example.org/tool:v1" = "tool.tar"
`
	v, err := variant.Load(fstest.MapFS{"small.toml": {Data: []byte(file)}, "shared/a.toml": {}}, "small")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"admin": "", "registry.example.org/tool:v1": "tool.tar"}, v.Embed); diff != "" {
		t.Errorf("Load: images to embed (-want +got):\n%s", diff)
	}
	for _, tt := range []struct{ name, want, err string }{
		{"admin", "registry.example.org/admin:v1", ""},
		{"registry.example.org/tool:v1", "registry.example.org/tool:v1", ""},
		{"tool", "", `variant small has no host container "tool" with an image; write the whole name of the image`},
	} {
		got, err := v.ImageName(tt.name)
		if text := ""; got != tt.want || err != nil && err.Error() != tt.err || err == nil && tt.err != text {
			t.Errorf("ImageName(%s) = %q, %v, want %q, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}
