package openapi

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestYAML(t *testing.T) {
	in := object{
		{"plain", "a word"},
		{"200", "no"},
		{"text", "colon: # and \"quotes\"\nnext <line>"},
		{"empty", object{}},
		{"none", []any{}},
		{"number", json.Number("0.5")},
		{"nothing", nil},
		{"sorted", map[string]any{"b": true, "a": 1}},
		{"list", []any{"x", object{{"a", "1"}, {"b", object{{"c", []any{1}}}}}, map[string]any{}, object{{"d", []any{object{{"e", 2}}}}}}},
	}
	want := `plain: a word
"200": "no"
text: "colon: # and \"quotes\"\nnext <line>"
empty: {}
none: []
number: 0.5
nothing: null
sorted:
  a: 1
  b: true
list:
  - x
  - a: "1"
    b:
      c:
        - 1
  - {}
  - d:
      - e: 2
`
	if diff := cmp.Diff(want, string(marshal(in))); diff != "" {
		t.Errorf("marshal (-want +got):\n%s", diff)
	}
}
