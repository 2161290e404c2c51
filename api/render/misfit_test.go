package render_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// A value that does not fit to its file is told with the setting it is of, and
// without the value where that is secret.
func TestFaultNamesSetting(t *testing.T) {
	const config = "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\nmode = '0600'\nsecret = true\n"
	tests := []struct{ name, settings, definition, template, setting, detail string }{
		{
			"text", `motd = "a\nb"`, config, `{{ setting "motd" | line }}`,
			"settings.motd", `text "a\nb" has U+000A, which a line cannot hold`,
		},
		{
			"part of a text", `motd = "x # y"`, config, `{{ range splitList " " (setting "motd") }}{{ word . }}{{ end }}`,
			"settings.motd", `text "#" has U+0023, which a word cannot hold`,
		},
		{
			"made of a text", `motd = "it's"`, config, `{{ printf "a-%s" (setting "motd") | word }}`,
			"settings.motd", `text "a-it's" has U+0027, which a word cannot hold`,
		},
		{
			"item", `metrics.service-checks = ["a", "b#"]`, config, `{{ range optional "metrics.service-checks" }}{{ word . }}{{ end }}`,
			"settings.metrics.service-checks", `text "b#" has U+0023, which a word cannot hold`,
		},
		{
			"entry", `kernel.sysctl = { a = "b", c = "d\te" }`, config, `{{ range $k, $v := setting "kernel.sysctl" }}{{ word $v }}{{ end }}`,
			"settings.kernel.sysctl.c", `text "d\te" has U+0009, which a word cannot hold`,
		},
		{
			"name of an entry", `kubernetes.node-labels."a/b" = "x"`, "[[config]]\npath = '/a/{{ .key }}'\ntemplate = 'a.tmpl'\nfor-each = 'kubernetes.node-labels'\n", "x",
			`settings.kubernetes.node-labels.a/b`, `"a/b" cannot be a part of a path`,
		},
		{
			"secret", `container-registry.credentials = [{registry = "r", password = "o'pen"}]`, config,
			`{{ range optional "container-registry.credentials" }}{{ member . "password" | word }}{{ end }}`,
			"settings.container-registry.credentials", `text <redacted> has U+0027, which a word cannot hold`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pack(t, tt.definition, "a.tmpl", tt.template)
			r := render.All(t.Context(), []*recipe.Package{p}, input(t, tt.settings))
			var got []string
			for _, f := range r.Faults {
				got = append(got, f.Setting, f.Detail)
			}
			if diff := cmp.Diff([]string{tt.setting, tt.detail}, got); diff != "" || len(r.Files) > 0 {
				t.Errorf("All(%s) with %s: %d files, want none; setting and detail of the fault (-want +got):\n%s",
					strings.TrimSpace(tt.template), tt.settings, len(r.Files), diff)
			}
		})
	}
}
