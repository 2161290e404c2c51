package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	tomllib "github.com/pelletier/go-toml/v2"
	yamllib "go.yaml.in/yaml/v3"
)

// awkward are texts that have broken configuration files before.
var awkward = []string{
	"", " ", "a", "true", "no", "null", "~", "1", "1e3", "0x10", "-", "- a", "a: b", "a #b", "#a", "{{ .os }}", "[a", "{a", "&a", "*a", "!a", "|", ">", "%d", "@a",
	"`id`", "$(id)", "${HOME}", "$$", "a\nb", "a\r\nb", "\t", "a\\", `\n`, `"`, `'`, `'''`, `"""`, `a"b'c`, "\x01", "\x7f", "\x1b[31m", "\u0085", "\u00a0", "\u2028", "\u202e", "\ufeff", "\ufffe", "\U0001f4a9", "пример", "a\x00b", "\xff", strings.Repeat("x", 2000),
}

// valuesOf returns values of every shape that hold s.
func valuesOf(s string, n int64, f float64, b bool) []any {
	return []any{
		s, n, b, f,
		[]any{},
		map[string]any{},
		[]any{s, n, b},
		[]any{[]any{s}, []any{}, map[string]any{s: s}},
		map[string]any{s: s, "n": n, "b": b, "f": f, "list": []any{s, map[string]any{"a": s, "b": []any{s}}}, "table": map[string]any{s: map[string]any{"x": s}}, "empty": map[string]any{}},
	}
}

// A dataFormat is an encoder with the reader that must give back the value.
type dataFormat struct {
	name   string
	encode func(v any) (encoded, error)
	read   func(text string) (any, error)
}

var dataFormats = []dataFormat{
	{"toml", toml, func(text string) (any, error) {
		var out struct{ V any }
		err := tomllib.Unmarshal([]byte("V = "+text+"\n"), &out)
		return out.V, err
	}},
	{"json", func(v any) (encoded, error) { return jsonText(v) }, readJSON},
	{"json 2", func(v any) (encoded, error) { return jsonText(2, v) }, readJSON},
	{"yaml", func(v any) (encoded, error) { return yaml(v) }, func(text string) (any, error) { return readYAML("v: " + text + "\n") }},
	{"yaml 2", func(v any) (encoded, error) { return yaml(2, v) }, func(text string) (any, error) { return readYAML("v:\n  " + text + "\n") }},
}

func readJSON(text string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var out any
	err := d.Decode(&out)
	return out, err
}

func readYAML(text string) (any, error) {
	var out struct{ V any }
	err := yamllib.Unmarshal([]byte(text), &out)
	return out.V, err
}

// same compares what was meant with what was read, with numbers as text: the
// readers have types of their own for them.
func same(want, got any) string {
	return cmp.Diff(numbersAsText(want), numbersAsText(got))
}

func numbersAsText(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, numbersAsText(item))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			out[name] = numbersAsText(member)
		}
		return out
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return fmt.Sprintf("number %d", n)
		}
		f, _ := v.Float64()
		return fmt.Sprintf("number %v", f)
	case int, int64, uint64, float64:
		return fmt.Sprintf("number %v", v)
	}
	return v
}

// What is accepted is read back as the same value by the real reader, and stays
// on one line unless it is in block form.
func checkData(t *testing.T, v any) {
	t.Helper()
	for _, f := range dataFormats {
		text, err := f.encode(v)
		if err != nil {
			if plainText := fmt.Sprint(v); utf8.ValidString(plainText) && !strings.Contains(plainText, "\x00") && len(plainText) < 900 {
				t.Errorf("%s of %#v: %v", f.name, v, err)
			}
			continue
		}
		if strings.Contains(string(text), "\n") && !strings.Contains(f.name, " ") {
			t.Errorf("%s of %#v has several lines: %s", f.name, v, text)
		}
		got, err := f.read(string(text))
		if diff := same(v, got); err != nil || diff != "" {
			t.Errorf("%s of %#v gives\n%s\nwhich is read with error %v as (-want +got):\n%s", f.name, v, text, err, diff)
		}
	}
	keyed, err := tomlKey("k")
	if err != nil || keyed != "k" {
		t.Errorf("tomlkey of k = %s, %v", keyed, err)
	}
}

func TestDataEncoders(t *testing.T) {
	for _, s := range awkward {
		for _, v := range valuesOf(s, -5, 0.25, true) {
			checkData(t, v)
		}
	}
}

func FuzzDataEncoders(f *testing.F) {
	for _, s := range awkward {
		f.Add(s, int64(1), 1e300, false)
	}
	f.Fuzz(func(t *testing.T, s string, n int64, x float64, b bool) {
		if x != x || x > 1e308 || x < -1e308 { // no number
			x = 1
		}
		for _, v := range valuesOf(s, n, x, b) {
			checkData(t, v)
		}
	})
}

func TestTOMLKey(t *testing.T) {
	for _, s := range awkward {
		name, err := tomlKey(s)
		if err != nil {
			continue
		}
		var got map[string]map[string]any
		if err := tomllib.Unmarshal([]byte("["+string(name)+"]\nx = 1\n"), &got); err != nil || got[s] == nil || len(got) != 1 {
			t.Errorf("tomlkey of %q gives %s, which is read as %v, error %v", s, name, got, err)
		}
	}
}

func TestDataEncodersRefuse(t *testing.T) {
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"nothing", nil, "there is no value: use with, have or default"},
		{"nothing in a list", []any{nil}, "there is no value: use with, have or default"},
		{"NUL", "a\x00", `text "a\x00" has a NUL`},
		{"not UTF-8", "\xff", `text "\xff" is not UTF-8`},
		{"encoded already", encoded("x"), "the text is encoded already"},
		{"a function", func() {}, "cannot encode a func()"},
		{"numbers as names", map[int]string{1: "a"}, "cannot encode a table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, f := range dataFormats {
				if got, err := f.encode(tt.v); err == nil || err.Error() != tt.want {
					t.Errorf("%s of %v = %q, error %v, want %s", f.name, tt.v, got, err, tt.want)
				}
			}
		})
	}
	if got, err := toml(uint64(1 << 63)); err == nil {
		t.Errorf("toml of 1<<63 = %s, want an error", got)
	}
	if got, err := yaml("x", "y"); err == nil {
		t.Errorf(`yaml "x" "y" = %s, want an error`, got)
	}
}
