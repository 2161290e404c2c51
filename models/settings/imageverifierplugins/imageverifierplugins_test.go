package imageverifierplugins_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/imageverifierplugins"
)

func TestParseBase64JSON(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	_, notBase64 := scalar.ParseBase64("e30")
	valuetest.Texts(t, imageverifierplugins.ParseBase64JSON, []valuetest.Text{
		{Name: "object", In: encode(`{"version":"1.0","trustPolicies":[]}`)},
		{Name: "several lines", In: encode("{\n}\n")},
		{Name: "scalar", In: encode(`true`)},
		{Name: "name given twice", In: encode(`{"a":1,"a":2}`)},
		{Name: "empty", In: "", Want: `base64 of JSON is empty`},
		{Name: "not base64", In: "e30", Want: notBase64.Error()},
		{Name: "not JSON", In: encode("{"), Want: `base64 of 1 bytes that are not one JSON document`},
		{Name: "two documents", In: encode("{}{}"), Want: `base64 of 4 bytes that are not one JSON document`},
		{Name: "YAML", In: encode("version: 1"), Want: `base64 of 10 bytes that are not one JSON document`},
	})
	if got, want := string(valuetest.Parse[imageverifierplugins.Base64JSON](t, "e30=").Decoded()), "{}"; got != want {
		t.Errorf("Base64JSON(e30=).Decoded() = %q, want %q", got, want)
	}
}

func TestCheck(t *testing.T) {
	policy := valuetest.Parse[imageverifierplugins.Base64JSON](t, "e30=")
	notation := *valuetest.Parse[scalar.Identifier](t, "notation")
	type plugins = map[scalar.Identifier]imageverifierplugins.Plugin
	tests := []struct {
		name     string
		settings imageverifierplugins.Settings
		want     []string
	}{
		{name: "nothing set"},
		{name: "switched off", settings: imageverifierplugins.Settings{Enabled: new(false)}},
		{name: "with a policy", settings: imageverifierplugins.Settings{Enabled: new(true), Plugins: plugins{notation: {TrustPolicy: policy}}}},
		{
			name: "without a policy", settings: imageverifierplugins.Settings{Enabled: new(true), Plugins: plugins{notation: {}}},
			want: []string{
				`warning: settings.image-verifier-plugins.enabled: enabled is true and no verifier has a trustpolicy: ` +
					`nothing says which images to trust (set the trustpolicy of a verifier, such as notation)`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.settings.Check, "image-verifier-plugins")); diff != "" {
				t.Errorf("Check: faults (-want +got):\n%s", diff)
			}
		})
	}
}

// What is accepted holds one JSON document and comes back unchanged.
func FuzzBase64JSON(f *testing.F) {
	for _, s := range []string{"e30=", "e30", "", "dHJ1ZQ==", "e30=\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := imageverifierplugins.ParseBase64JSON(s)
		if err != nil {
			return
		}
		valuetest.PrintsAs(t, v, s)
		if !json.Valid(v.Decoded()) {
			t.Errorf("ParseBase64JSON(%q) accepted %q, which is no JSON", s, v.Decoded())
		}
	})
}
