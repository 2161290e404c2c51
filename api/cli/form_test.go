package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func parsed(t testing.TB, json string) *syntax.Node {
	t.Helper()
	n, rep := syntax.JSON([]byte(json), syntax.DefaultLimits)
	if err := rep.Err(); err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	return n
}

func TestForms(t *testing.T) {
	tests := []struct {
		name, in         string
		json, toml, yaml string
	}{
		{
			name: "empty", in: `{}`,
			json: "{}\n", toml: "", yaml: "{}\n",
		},
		{
			name: "values", in: `{"a":"<x>","b":1,"c":-1.5,"d":true,"e":[],"f":["x","y z"],"g":null,"h":{}}`,
			json: "{\n  \"a\": \"<x>\",\n  \"b\": 1,\n  \"c\": -1.5,\n  \"d\": true,\n  \"e\": [],\n  \"f\": [\n    \"x\",\n    \"y z\"\n  ],\n  \"g\": null,\n  \"h\": {}\n}\n",
			toml: "a = \"<x>\"\nb = 1\nc = -1.5\nd = true\ne = []\nf = [\"x\", \"y z\"]\n# g is unset\n\n[h]\n",
			yaml: "a: \"<x>\"\nb: 1\nc: -1.5\nd: true\ne: []\nf:\n  - x\n  - \"y z\"\ng: null\nh: {}\n",
		},
		{
			name: "nested", in: `{"a":{"b.c":{"d":"e"}},"l":[{"x":1,"y":{"z":[{"q":null}]}},{"x":2}],"m":[[1,2],[3]]}`,
			json: "{\n  \"a\": {\n    \"b.c\": {\n      \"d\": \"e\"\n    }\n  },\n  \"l\": [\n    {\n      \"x\": 1,\n      \"y\": {\n        \"z\": [\n          {\n            \"q\": null\n          }\n        ]\n      }\n    },\n    {\n      \"x\": 2\n    }\n  ],\n  \"m\": [\n    [\n      1,\n      2\n    ],\n    [\n      3\n    ]\n  ]\n}\n",
			toml: "m = [[1, 2], [3]]\n\n[a.\"b.c\"]\nd = \"e\"\n\n[[l]]\nx = 1\n\n[[l.y.z]]\n# q is unset\n\n[[l]]\nx = 2\n",
			yaml: "a:\n  b.c:\n    d: e\nl:\n  - x: 1\n    \"y\":\n      z:\n        - q: null\n  - x: 2\nm:\n  - - 1\n    - 2\n  - - 3\n",
		},
		{
			name: "strings that look like something else", in: `{"a":"true","b":"1","c":"","d":"no","e":"- x","f":"a: b","g":"line\nline","h":"~","i":"\u007f\u0085"}`,
			json: "{\n  \"a\": \"true\",\n  \"b\": \"1\",\n  \"c\": \"\",\n  \"d\": \"no\",\n  \"e\": \"- x\",\n  \"f\": \"a: b\",\n  \"g\": \"line\\nline\",\n  \"h\": \"~\",\n  \"i\": \"\u007f\u0085\"\n}\n",
			toml: "a = \"true\"\nb = \"1\"\nc = \"\"\nd = \"no\"\ne = \"- x\"\nf = \"a: b\"\ng = \"line\\nline\"\nh = \"~\"\ni = \"\\u007F\u0085\"\n",
			yaml: "a: \"true\"\nb: \"1\"\nc: \"\"\nd: \"no\"\ne: \"- x\"\nf: \"a: b\"\ng: \"line\\nline\"\nh: \"~\"\ni: \"\\u007f\\u0085\"\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := parsed(t, tt.in)
			for _, form := range []struct {
				name, want string
				write      func(*bytes.Buffer, *syntax.Node)
			}{{"JSON", tt.json, writeJSON}, {"TOML", tt.toml, writeTOML}, {"YAML", tt.yaml, writeYAML}} {
				var b bytes.Buffer
				form.write(&b, n)
				if diff := cmp.Diff(form.want, b.String()); diff != "" {
					t.Errorf("%s of %s (-want +got):\n%s", form.name, tt.in, diff)
				}
			}
		})
	}
}

// What is printed as JSON or TOML reads back as it was; YAML has as many lines
// as it must, so that no string can add one.
func FuzzForms(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,{"c":"x\ny"}]}}`, `{"a":[[],{}],"b":"\u2028"}`, `{"":{"":""}}`, `{"l":[{"a":{}},{"a":[{}]}]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		n, rep := syntax.JSON([]byte(in), syntax.DefaultLimits)
		if rep.HasErrors() || n.Kind != syntax.Table {
			return
		}
		want := string(document.NodeJSON(nil, n))
		var b bytes.Buffer
		writeJSON(&b, n)
		if got := string(document.NodeJSON(nil, parsed(t, b.String()))); got != want {
			t.Errorf("JSON of %s reads back as %s", want, got)
		}
		b.Reset()
		writeTOML(&b, n)
		if back, rep := syntax.TOML(b.Bytes(), limits); rep.HasErrors() {
			t.Errorf("TOML of %s does not read back: %v\n%s", want, rep.Err(), b.Bytes())
		} else if got, want := leaves(back), leaves(n); got != want {
			t.Errorf("TOML of %s has %d leaves, want %d:\n%s", in, got, want, b.Bytes())
		}
		b.Reset()
		writeYAML(&b, n)
		if got, most := strings.Count(b.String(), "\n"), len(flatten(n).cells)+values(n); got > most {
			t.Errorf("YAML of %s has %d lines, want at most %d:\n%s", want, got, most, b.Bytes())
		}
	})
}

// values counts the nodes of a tree.
func values(n *syntax.Node) int {
	all := 1
	for _, i := range n.Items {
		all += values(i)
	}
	for _, f := range n.Fields {
		all += values(f.Value)
	}
	return all
}

// leaves counts the values that are neither tables, lists nor null.
func leaves(n *syntax.Node) int {
	all := 0
	if n.Kind != syntax.Table && n.Kind != syntax.Array && n.Kind != syntax.Null {
		all = 1
	}
	for _, i := range n.Items {
		all += leaves(i)
	}
	for _, f := range n.Fields {
		all += leaves(f.Value)
	}
	return all
}

func TestFlatten(t *testing.T) {
	got := flatten(parsed(t, `{"settings":{"a":{"b.c":[1,{"d":2}]},"e":null,"f":{}},"os":{"bad name":1}}`)).cells
	want := [][]string{{`settings.a."b.c"`, `[1,{"d":2}]`}, {"settings.e", "null"}, {`os."bad name"`, "1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flatten (-want +got):\n%s", diff)
	}
}
