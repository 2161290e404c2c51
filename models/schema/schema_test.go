package schema_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// The types of a small made-up model, one of each form.
type (
	mode string
	name struct{ s string }
	tags []string

	either struct{ raw string } // a string or an integer

	entry struct {
		Source *string `setting:"source" required:"true"`
		On     *bool   `setting:"on"`
	}
	login struct {
		Host     *string                `setting:"host" required:"true"`
		Password *scalar.Secret[string] `setting:"password"`
	}
	pages struct {
		Essential *bool          `setting:"essential"`
		Sizes     map[name]entry `setting:"*"`
	}
	group struct {
		Count  *uint8               `setting:"count"`
		Share  *float64             `setting:"share"`
		Mode   *mode                `setting:"mode"`
		Either *either              `setting:"either"`
		Tags   map[name]tags        `setting:"tags"`
		Logins []login              `setting:"logins" alias:"creds"`
		Token  *scalar.Secret[name] `setting:"token"`
		Pages  *pages               `setting:"pages"`
		Old    *bool                `setting:"old" deprecated:"use mode"`
	}
	entries map[name]entry
	model   struct {
		Text    *string `setting:"text"`
		Group   *group  `setting:"group"`
		Entries entries `setting:"entries"`
		Other   *group  `setting:"other"`
	}
)

func (mode) Rule() scalar.Rule {
	r := scalar.Enum("mode", "Fast", "Slow")
	r.Aliases = map[string]string{"fast": "Fast"}
	return r
}

func (n *name) UnmarshalText(b []byte) error {
	if len(b) == 0 || strings.ToLower(string(b)) != string(b) {
		return fmt.Errorf("name %q has capitals", b)
	}
	n.s = string(b)
	return nil
}
func (n name) MarshalText() ([]byte, error) { return []byte(n.s), nil }
func (name) Rule() scalar.Rule              { return scalar.Rule{Name: "name", Want: "lower-case letters"} }

func (tags) Reshape(n *syntax.Node) *syntax.Node {
	if n.Kind == syntax.String {
		return &syntax.Node{Kind: syntax.Array, Items: []*syntax.Node{n}, Pos: n.Pos}
	}
	return n
}

func (t tags) CheckList() error {
	if len(t) == 0 {
		return fmt.Errorf("the list is empty")
	}
	return nil
}

func (e *either) UnmarshalSetting(n *syntax.Node) error {
	if n.Kind == syntax.String && n.Text == "bad" {
		return fmt.Errorf(`either "bad" is bad`)
	}
	e.raw = string(document.NodeJSON(nil, n))
	return nil
}
func (e either) MarshalJSON() ([]byte, error) { return []byte(e.raw), nil }
func (either) Rule() scalar.Rule {
	return scalar.Rule{Name: "either", Want: "anything but bad", Types: []string{"integer", "string"}}
}

func (g *group) Check(p report.Place) {
	if g.Count != nil && *g.Count > 5 && g.Mode == nil {
		p.Conflict("count", *g.Count, "a count above 5 needs a mode", "set mode as well")
	}
}

var testSchema = schema.For(reflect.TypeFor[model](), "test", []string{"text", "group", "entries"})

func faults(r report.Report) string {
	var lines []string
	for _, f := range r.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func TestReadTOML(t *testing.T) {
	tests := []struct{ name, in, want, faults string }{
		{
			name: "every form", in: `
[settings]
text = ""
[settings.group]
count = 3
share = 1
mode = "fast"
either = 7
old = true
creds = [{host="h", password="p"}]
token = "t"
tags = {a = "x", b = ["y", "z"]}
[settings.group.pages]
essential = true
2m = {source = "s"}
[settings.entries.e]
source = "s"
on = false`,
			want:   `{"entries":{"e":{"on":false,"source":"s"}},"group":{"count":3,"either":7,"logins":[{"host":"h","password":"p"}],"mode":"Fast","old":true,"pages":{"2m":{"source":"s"},"essential":true},"share":1,"tags":{"a":["x"],"b":["y","z"]},"token":"t"},"text":""}`,
			faults: "9:1: warning: settings.group.old: the setting is deprecated (use mode)",
		},
		{name: "without the outer table", in: `text = "x"`, want: `{"text":"x"}`},
		{name: "beside the outer table", in: "[settings]\ntext='x'\n[extra]\na=1", want: `{"text":"x"}`, faults: `3:2: extra: "extra" stands beside "settings" (settings belong below [settings])`},
		{
			name: "wrong shape of what holds secrets", in: "[group]\nlogins = ['user:pw', ['pw']]\ntoken = ['pw']", want: "{}",
			faults: "2:1: settings.group.logins[1]: want a table, got a list\n2:11: settings.group.logins[0]: want a table, got a string\n3:1: settings.group.token: want a string, got a list",
		},
		{name: "value for a table that holds secrets", in: "group = 'pw'", want: "{}", faults: "1:9: settings.group: want a table, got a string"},
		{
			name: "all faults at once", in: "[settings]\ntxt = 'a'\n[settings.group]\ncount = 256\nshare = 'x'\nmode = 'slow'\neither = 'bad'\ntags = {A = 'x', b = []}\nlogins = [{hots='h'}, {password='p'}]\ntoken = 'ABC'\n[settings.entries]\n'a b' = {}", want: `{}`,
			faults: strings.Join([]string{
				`2:1: settings.txt: there is no setting "txt" here (did you mean "text"?)`,
				`4:9: settings.group.count: 256 is out of range (want 0 to 255)`,
				`5:9: settings.group.share: want a number, got "x"`,
				`6:8: settings.group.mode: mode "slow" is not known (want one of Fast or Slow)`,
				`7:10: settings.group.either: either "bad" is bad (want anything but bad)`,
				`8:9: settings.group.tags.A: name "A" has capitals (want lower-case letters)`,
				`8:18: settings.group.tags.b: the list is empty`,
				`9:11: settings.group.logins[0]: member "host" is missing`,
				`9:12: settings.group.logins[0].hots: there is no member "hots" here (did you mean "host"?)`,
				`9:23: settings.group.logins[1]: member "host" is missing`,
				`10:9: settings.group.token: name "ABC" has capitals (want lower-case letters)`,
				`12:1: settings.entries."a b": name "a b" holds ' ', want letters, digits and . _ - /`,
			}, "\n"),
		},
		{name: "a group of another variant", in: "[other]\ncount=1", want: "{}", faults: `1:2: settings.other: there is no setting "other" here (variant test does not have these settings)`},
		{name: "name and alias", in: "[group]\nlogins=[]\ncreds=[]", want: `{"group":{"logins":[]}}`, faults: `3:1: settings.group.logins: given twice, as "logins" and as "creds"`},
		{name: "letter case counts", in: "Text='x'", want: "{}", faults: `1:1: settings.Text: there is no setting "Text" here (did you mean "text"?)`},
		{name: "placeholder of a secret", in: "[group]\ntoken='<redacted>'", want: "{}", faults: "2:7: settings.group.token: the value is the placeholder that stands for a hidden secret (want the secret itself, or leave the setting out to keep it as it is)"},
		{name: "value for a table", in: "group=1", want: "{}", faults: "1:7: settings.group: want a table, got an integer"},
		{name: "boolean as string", in: "[group]\nold='true'", want: "{}", faults: "2:1: warning: settings.group.old: the setting is deprecated (use mode)\n2:5: settings.group.old: want true or false without quotes, got \"true\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := testSchema.ReadTOML([]byte(tt.in), schema.Options{})
			if diff := cmp.Diff(tt.want, string(in.Patch.JSON())); diff != "" {
				t.Errorf("ReadTOML(%q) (-want +got):\n%s", tt.in, diff)
			}
			if diff := cmp.Diff(tt.faults, faults(in.Report)); diff != "" {
				t.Errorf("ReadTOML(%q): faults (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestReadJSONNull(t *testing.T) {
	text := []byte(`{"text":null,"group":{"count":null,"tags":{"a":null}},"entries":null}`)
	if in := testSchema.ReadJSON(text, schema.Options{}); !in.Patch.IsEmpty() || in.Report.HasErrors() {
		t.Errorf("null is not \"absent\": %s, %s", in.Patch.JSON(), faults(in.Report))
	}
	in := testSchema.ReadJSON(text, schema.Options{Null: schema.NullUnsets})
	if want := `{"entries":null,"group":{"count":null,"tags":{"a":null}},"text":null}`; string(in.Patch.JSON()) != want {
		t.Errorf("null unsets %s, want %s", in.Patch.JSON(), want)
	}
}

func TestReadPairs(t *testing.T) {
	tests := []struct {
		name   string
		pairs  []string
		want   string
		faults string
	}{
		{"by type", []string{"text=42", "group.count=42", "group.share=0.5", "settings.group.old=true", "group.mode=Slow"}, `{"group":{"count":42,"mode":"Slow","old":true,"share":0.5},"text":"42"}`, "warning: settings.group.old: the setting is deprecated (use mode)"},
		{"number before string", []string{"group.either=42"}, `{"group":{"either":42}}`, ""},
		{"string where it is no number", []string{"group.either=042"}, `{"group":{"either":"042"}}`, ""},
		{"value with =", []string{"text=a=b"}, `{"text":"a=b"}`, ""},
		{"empty value", []string{"text="}, `{"text":""}`, ""},
		{"one for a list", []string{"group.tags.a=x"}, `{"group":{"tags":{"a":["x"]}}}`, ""},
		{"list", []string{`group.tags.a=["x","y"]`}, `{"group":{"tags":{"a":["x","y"]}}}`, ""},
		{"alias", []string{`group.creds=[{"host":"h"}]`}, `{"group":{"logins":[{"host":"h"}]}}`, ""},
		{"last counts", []string{"text=a", "text=b"}, `{"text":"b"}`, ""},
		{"quoted segment", []string{`entries."a.b".source=x`}, `{"entries":{"a.b":{"source":"x"}}}`, ""},
		{"no =", []string{"text"}, `{}`, `"text" has no = (want KEY=VALUE)`},
		{"unknown", []string{"group.cuont=1"}, `{}`, `settings.group.cuont: there is no such setting (did you mean "count"?)`},
		{"table", []string{"group=1"}, `{}`, "settings.group: is a table and has no value of its own (set one of its members, or give the table as JSON)"},
		{"not a number", []string{"group.count=x"}, `{}`, `settings.group.count: want an integer, got "x"`},
		{"list wanted", []string{"group.logins=x"}, `{}`, `settings.group.logins: want a list, got something else (write it as JSON: ["a", "b"])`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := testSchema.ReadPairs(tt.pairs)
			if diff := cmp.Diff(tt.want, string(in.Patch.JSON())); diff != "" {
				t.Errorf("ReadPairs(%q) (-want +got):\n%s", tt.pairs, diff)
			}
			if diff := cmp.Diff(tt.faults, faults(in.Report)); diff != "" {
				t.Errorf("ReadPairs(%q): faults (-want +got):\n%s", tt.pairs, diff)
			}
		})
	}
}

func read(t *testing.T, text string) document.Document {
	t.Helper()
	in := testSchema.ReadTOML([]byte(text), schema.Options{})
	if in.Report.HasErrors() {
		t.Fatalf("ReadTOML(%q): %s", text, faults(in.Report))
	}
	return in.Patch.Set
}

func TestCheck(t *testing.T) {
	d := read(t, "[group]\ncount=9\n[group.pages.2m]\non=true\n[entries.e]\non=true")
	want := strings.Join([]string{
		"settings.entries.e.source: is missing: it is mandatory once any other member of settings.entries.e is set",
		"settings.group.pages.2m.source: is missing: it is mandatory once any other member of settings.group.pages.2m is set",
		"settings.group.count: a count above 5 needs a mode (set mode as well)",
	}, "\n")
	if diff := cmp.Diff(want, faults(testSchema.Check(d))); diff != "" {
		t.Errorf("Check (-want +got):\n%s", diff)
	}
}

func TestBind(t *testing.T) {
	d := read(t, "text='x'\n[group]\ncount=3\ntoken='t'\ntags={a='x',b='y'}\n[entries.e]\nsource='s'\non=true")
	var m model
	if rep := testSchema.Bind(d, &m); len(rep.Faults) > 0 {
		t.Fatalf("Bind: %s", faults(rep))
	}
	e := m.Entries[name{"e"}]
	if *m.Text != "x" || *m.Group.Count != 3 || m.Group.Token.Reveal() != (name{"t"}) || len(m.Group.Tags) != 2 || *e.Source != "s" || !*e.On || m.Group.Share != nil {
		t.Errorf("Bind gives %+v, %+v", m, m.Group)
	}
	if s := fmt.Sprintf("%v %+v %#v", m.Group.Token, *m.Group.Token, m.Group.Token); strings.Contains(s, "{t}") {
		t.Errorf("a secret prints: %s", s)
	}
}

func TestValid(t *testing.T) {
	d := read(t, "text='x'\n[group]\ncount=3\n[entries.e]\nsource='s'")
	set := func(k, v string) {
		kk, _ := key.Parse(k)
		d = d.Apply(document.Patch{Set: document.Of(document.Leaf{Key: kk, Value: document.NewValue(v)})})
	}
	set("group.count", "300")
	set("gone", "1")
	set("entries.E.source", `"x"`)
	set("group.logins", `[{"host":1}]`)
	kept, rep := testSchema.Valid(d)
	if want := `{"entries":{"e":{"source":"s"}},"text":"x"}`; string(kept.JSON()) != want {
		t.Errorf("Valid keeps %s, want %s", kept.JSON(), want)
	}
	want := strings.Join([]string{
		`settings.entries.E.source: name "E" has capitals (want lower-case letters)`,
		"settings.gone: there is no such setting (known here: text, group, entries, settings)",
		"settings.group.count: 300 is out of range (want 0 to 255)",
		"settings.group.logins[0].host: want a string, got 1",
	}, "\n")
	if diff := cmp.Diff(want, faults(rep)); diff != "" {
		t.Errorf("Valid: faults (-want +got):\n%s", diff)
	}
}

func TestRedact(t *testing.T) {
	d := read(t, "text='x'\n[group]\ntoken='t'\nlogins=[{host='h',password='p'},{host='i'}]")
	want := `{"group":{"logins":[{"host":"h","password":"<redacted>"},{"host":"i"}],"token":"<redacted>"},"text":"x"}`
	if got := string(testSchema.Redact(d).JSON()); got != want {
		t.Errorf("Redact = %s, want %s", got, want)
	}
	unknown := document.Of(document.Leaf{Key: key.Of("gone"), Value: document.NewValue(`"p"`)})
	if got := string(testSchema.Redact(unknown).JSON()); strings.Contains(got, `"p"`) {
		t.Errorf("Redact shows a setting nobody knows: %s", got)
	}
}

func TestLocate(t *testing.T) {
	in := testSchema.ReadTOML([]byte("[group]\ncount=9\n\n[entries.e]\non=true"), schema.Options{})
	rep := testSchema.Check(in.Patch.Set)
	schema.Locate(&rep, in.Positions)
	var got []string
	for _, f := range rep.Faults {
		got = append(got, fmt.Sprintf("%s %d:%d", f.Path, f.Line, f.Column))
	}
	if diff := cmp.Diff([]string{"settings.entries.e.source 5:4", "settings.group.count 2:7"}, got); diff != "" {
		t.Errorf("Locate (-want +got):\n%s", diff)
	}
}

func TestJSONSchema(t *testing.T) {
	var s map[string]any
	if err := json.Unmarshal(testSchema.JSONSchema(read(t, "text='x'")), &s); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) any {
		var v any = s
		for _, p := range path {
			v = v.(map[string]any)[p]
		}
		return v
	}
	tests := []struct {
		name string
		got  any
		want any
	}{
		{"default", at("properties", "text", "default"), "x"},
		{"range", at("properties", "group", "properties", "count", "maximum"), 255.0},
		{"enumeration with aliases", at("properties", "group", "properties", "mode", "enum"), []any{"Fast", "Slow", "fast"}},
		{"several types", at("properties", "group", "properties", "either", "type"), []any{"integer", "string"}},
		{"alias", at("properties", "group", "properties", "creds", "deprecated"), true},
		{"secret", at("properties", "group", "properties", "token", "writeOnly"), true},
		{"no other names", at("properties", "group", "additionalProperties"), false},
		{"mandatory", at("properties", "entries", "additionalProperties", "required"), []any{"source"}},
		{"alternative shape", at("properties", "group", "properties", "tags", "additionalProperties", "anyOf"), []any{
			map[string]any{"type": "array", "items": map[string]any{"type": "string"}}, map[string]any{"type": "string"},
		}},
		{"names", at("properties", "entries", "propertyNames", "description"), "Accepts lower-case letters."},
		{"other names", at("properties", "group", "properties", "pages", "additionalProperties", "type"), "object"},
		{"absent group", at("properties", "other"), nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("JSONSchema, %s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Whatever is read without error is whole when it is written and read again,
// and its values are canonical.
func FuzzReadJSON(f *testing.F) {
	f.Add(`{"text":"x","group":{"count":1,"tags":{"a":"b"},"logins":[{"host":"h"}]},"entries":{"e":{"source":"s"}}}`)
	f.Add(`{"settings":{"group":{"either":"x","share":1e-3,"pages":{"2m":{"source":""}}}}}`)
	f.Fuzz(func(t *testing.T, s string) {
		in := testSchema.ReadJSON([]byte(s), schema.Options{})
		if in.Report.HasErrors() {
			return
		}
		again := testSchema.ReadTOML(in.Patch.Set.TOML(), schema.Options{})
		if again.Report.HasErrors() || !again.Patch.Set.Equal(in.Patch.Set) {
			t.Errorf("ReadJSON(%q) = %s, which as TOML reads as %s: %s", s, in.Patch.Set.JSON(), again.Patch.Set.JSON(), faults(again.Report))
		}
	})
}
