package render_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// everything is the schema of all groups.
var everything = schema.For(settings.Type, "test", nil)

// given returns the settings written as TOML.
func given(t testing.TB, sch *schema.Schema, text string) *render.Settings {
	t.Helper()
	in := sch.ReadTOML([]byte(text), schema.Options{})
	if err := in.Report.Err(); err != nil {
		t.Fatalf("settings %s: %v", text, err)
	}
	s, err := render.NewSettings(sch, document.Document{}.Apply(in.Patch))
	if err != nil {
		t.Fatalf("NewSettings(%s): %v", text, err)
	}
	return s
}

// input is a whole input with the settings written as TOML.
func input(t testing.TB, text string) render.Input {
	return render.Input{
		Settings: given(t, everything, text),
		OS:       render.OS{Name: "Bulkhead", Variant: "qemu-dev", Arch: "x86_64", Version: "1.2.0"},
		Node:     render.Node{Hostname: "node-1", CPUs: 4, Memory: 8 << 30, Addresses: []string{"192.0.2.1"}},
	}
}

func TestRender(t *testing.T) {
	tests := []struct{ name, settings, template, want string }{
		{name: "text", settings: `motd = "hi"`, template: `{{ setting "motd" | content }}`, want: "hi"},
		{name: "integer needs no encoder", settings: `kubernetes.max-pods = 5`, template: `{{ setting "kubernetes.max-pods" }}`, want: "5"},
		{name: "bool needs no encoder", settings: `updates.ignore-waves = false`, template: `{{ setting "settings.updates.ignore-waves" }}`, want: "false"},
		{name: "list", settings: `ntp.time-servers = ["a", "b"]`, template: `{{ range setting "ntp.time-servers" }}pool {{ word . }}{{ "\n" | content }}{{ end }}`, want: "pool a\npool b\n"},
		{name: "map in order", settings: "[kernel.sysctl]\n\"b.x\" = \"1\"\n\"a.x\" = \"2\"", template: `{{ range $k, $v := setting "kernel.sysctl" }}{{ line $k }}={{ line $v }};{{ end }}`, want: "a.x=2;b.x=1;"},
		{name: "empty map", template: `{{ range $k, $v := setting "kernel.sysctl" }}{{ line $k }}{{ else }}none{{ end }}`, want: "none"},
		{name: "optional", template: `{{ with optional "network.https-proxy" }}{{ line . }}{{ else }}none{{ end }}`, want: "none"},
		{name: "optional compared", template: `{{ if eq (optional "aws.region") "x" }}x{{ else }}y{{ end }}`, want: "y"},
		{name: "default keeps zero", settings: "kubernetes.event-qps = 0", template: `{{ optional "kubernetes.event-qps" | default 5 }}`, want: "0"},
		{name: "default", template: `{{ optional "kubernetes.event-qps" | default 5 }}`, want: "5"},
		{name: "have zero", settings: "kubernetes.event-qps = 0", template: `{{ have "kubernetes.event-qps" }} {{ have "motd" }}`, want: "true false"},
		{name: "member", settings: `host-containers.admin.enabled = true`, template: `{{ range $n, $c := setting "host-containers" }}{{ line $n }} {{ member $c "enabled" }}{{ with optmember $c "source" }}!{{ end }}{{ end }}`, want: "admin true"},
		{name: "facts", template: `{{ line .os.variant }} {{ .node.cpus }} {{ kube_reserve_cpu .node.cpus | yaml }}`, want: `qemu-dev 4 "80m"`},
		{name: "variable of encoded text", settings: `motd = "hi"`, template: `{{ $m := setting "motd" | toml }}{{ $m }}`, want: `"hi"`},
		{name: "define", settings: `motd = "hi"`, template: `{{ define "x" }}[{{ toml . }}]{{ end }}{{ template "x" setting "motd" }}`, want: `["hi"]`},
		{name: "block form", settings: "[kubernetes.eviction-hard]\n\"memory.available\" = \"5%\"\n\"nodefs.available\" = \"1Gi\"", template: "evictionHard:\n  {{ setting \"kubernetes.eviction-hard\" | yaml 2 }}\n", want: "evictionHard:\n  memory.available: \"5%\"\n  nodefs.available: \"1Gi\"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := run(t.Context(), tt.template, input(t, tt.settings))
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("Render(%s) with %s: error %v, (-want +got):\n%s", tt.template, tt.settings, err, diff)
			}
		})
	}
}

func run(ctx context.Context, text string, in render.Input) (string, error) {
	tmpl, err := render.Parse("x.tmpl", text)
	if err != nil {
		return "", err
	}
	b, err := tmpl.Render(ctx, render.Data{Input: in})
	return string(b), err
}

func TestRenderFaults(t *testing.T) {
	const noEncoder = " without an encoder: end the action with toml, yaml, json, systemd, line or the like"
	tests := []struct{ name, settings, template, want string }{
		{name: "not set", template: "a\n  {{ setting \"ntp.time-servers\" | toml }}", want: "2:6: needs settings.ntp.time-servers, which is not set"},
		{name: "unknown setting", template: `{{ setting "ntp.servers" | toml }}`, want: "1:4: needs settings.ntp.servers, which this variant does not have"},
		{name: "member not set", settings: `host-containers.admin.enabled = true`, template: `{{ range $n, $c := setting "host-containers" }}{{ member $c "source" | toml }}{{ end }}`, want: "1:51: needs settings.host-containers.admin.source, which is not set"},
		{name: "member of a list", settings: `container-registry.mirrors = [{registry = "a"}]`, template: `{{ range setting "container-registry.mirrors" }}{{ member . "endpoint" | toml }}{{ end }}`, want: "1:52: needs settings.container-registry.mirrors[0].endpoint, which is not set"},
		{name: "member of text", settings: `motd = "x"`, template: `{{ member (setting "motd") "a" }}`, want: `1:4: want a table to take "a" from, got text`},
		{name: "text without encoder", settings: `motd = "x"`, template: "\n{{ setting \"motd\" }}", want: "2:4: prints text" + noEncoder},
		{name: "table without encoder", template: `{{ setting "kernel.sysctl" }}`, want: "1:4: prints a table" + noEncoder},
		{name: "variable without encoder", settings: `motd = "x"`, template: `{{ $x := setting "motd" }}{{ $x }}`, want: "1:30: prints text" + noEncoder},
		{name: "text in a ternary", settings: `motd = "x"`, template: `{{ ternary (setting "motd") "b" true }}`, want: "1:4: prints text" + noEncoder},
		{name: "nothing", template: `{{ optional "motd" }}`, want: "1:4: prints a value that is not set: use with, have or default"},
		{name: "known text", template: `{{ upper "x" }}`, want: "1:4: prints what upper gives: end the action with an encoder such as toml, yaml or line"},
		{name: "printf", template: `{{ printf "x" }}`, want: "1:4: prints what printf gives: end the action with an encoder such as toml, yaml or line"},
		{name: "constant", template: `{{ "x" }}`, want: "1:4: prints a constant: put it outside of the action, or end the action with an encoder"},
		{name: "encoded twice", settings: `motd = "x"`, template: `{{ setting "motd" | toml | json }}`, want: "1:28: the text is encoded already"},
		{name: "line refuses", settings: `motd = "a\nb"`, template: `{{ setting "motd" | line }}`, want: `1:21: text "a\nb" has U+000A, which a line cannot hold`},
		{name: "unknown fact", template: `{{ line .os.colour }}`, want: `1:12: .os.colour: map has no entry for key "colour"`},
		{name: "key without for-each", template: `{{ line .key }}`, want: `1:9: .key: map has no entry for key "key"`},
		{name: "syntax", template: "a\n{{ if }}", want: "2: missing value for if"},
		{name: "unknown function", template: `{{ env "HOME" | line }}`, want: `1: function "env" not defined`},
		{name: "hidden function", template: `{{ _print "x" }}`, want: `1: function "_print" not defined`},
		{name: "computed name", template: `{{ setting (printf "m%s" "otd") | line }}`, want: `1:13: the name of a setting must be a constant, got printf "m%s" "otd"`},
		{name: "piped name", template: `{{ "motd" | setting | line }}`, want: "1:13: setting takes one constant: the name of a setting"},
		{name: "function as argument", template: `{{ line setting }}`, want: "1:9: setting has no arguments here: put it in parentheses with them"},
		{name: "invalid name", template: `{{ setting "a..b" }}`, want: `1:12: key "a..b": segment 2 is empty`},
		{name: "recursion", template: `{{ define "a" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ template "a" }}{{ end }}{{ template "a" }}`, want: " a define calls itself, perhaps by way of others"},
		{name: "division by zero", template: `{{ div 1 0 }}`, want: "1:4: runtime error: integer divide by zero"},
		{name: "endless loop", template: `{{ range $i := 9000000000000000000 }}{{ end }}`, want: ": runs for longer than 1s"},
		{name: "exponential", template: doubling(40), want: ": runs for longer than 1s"},
		{name: "output", template: `{{ range $i := 20000 }}` + strings.Repeat("x", 100) + `{{ end }}`, want: " prints more than 1048576 bytes"},
		{name: "text in a variable", template: `{{ $x := "0123456789" }}{{ range $i := 30 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`, want: "1:48: keeps a text of more than 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := run(t.Context(), tt.template, input(t, tt.settings))
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("Render(%s) with %s = %q, error %v, want %s", tt.template, tt.settings, got, err, tt.want)
			}
		})
	}
}

// doubling has n defines, each of which calls the one before twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString(`{{ define "a" }}{{ end }}`)
	name := "a"
	for range n {
		b.WriteString(`{{ define "` + name + `a" }}{{ template "` + name + `" }}{{ template "` + name + `" }}{{ end }}`)
		name += "a"
	}
	return b.String() + `{{ template "` + name + `" }}`
}

func TestRenderStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := run(ctx, `x`, input(t, ""))
	if err == nil || !strings.HasSuffix(err.Error(), "was told to stop") {
		t.Errorf("Render with a cancelled context: error %v, want it to say that it was told to stop", err)
	}
}

func TestRenderPatience(t *testing.T) {
	in := input(t, "")
	in.Patience = 10 * time.Millisecond
	_, err := run(t.Context(), `{{ range $i := 9000000000000000000 }}{{ end }}`, in)
	if err == nil || !strings.HasSuffix(err.Error(), "runs for longer than 10ms") {
		t.Errorf("Render of an endless loop with a patience of 10 ms: error %v, want it to tell the limit", err)
	}
}

func TestReads(t *testing.T) {
	tmpl, err := render.Parse("x", `{{ if have "motd" }}{{ with optional "network.https-proxy" }}{{ line . }}{{ end }}{{ end }}
{{ define "y" }}{{ range (setting "ntp.time-servers") }}{{ line . }}{{ end }}{{ end }}{{ setting "motd" | toml }}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range tmpl.Keys() {
		got = append(got, k.String())
	}
	want := []string{"settings.motd", "settings.network.https-proxy", "settings.ntp.time-servers"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Keys (-want +got):\n%s", diff)
	}
}
