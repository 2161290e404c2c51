package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An object is a YAML mapping whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// writer writes block style YAML of objects, maps (sorted), lists and plain
// values. Every string that could be read as something else is quoted the way
// JSON does, which YAML reads alike.
type writer struct{ bytes.Buffer }

func marshal(v object) []byte {
	var w writer
	w.object(v, 0)
	return w.Bytes()
}

func (w *writer) object(o object, depth int) {
	for _, m := range o {
		w.indent(depth)
		w.WriteString(text(m.name) + ":")
		w.value(m.value, depth+1)
	}
}

// value writes v behind a name and its colon.
func (w *writer) value(v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		w.value(sorted(v), depth)
	case object:
		if len(v) == 0 {
			w.WriteString(" {}\n")
			return
		}
		w.WriteByte('\n')
		w.object(v, depth)
	case []any:
		if len(v) == 0 {
			w.WriteString(" []\n")
			return
		}
		w.WriteByte('\n')
		w.list(v, depth)
	default:
		w.WriteString(" " + scalar(v) + "\n")
	}
}

func (w *writer) list(items []any, depth int) {
	for _, it := range items {
		if m, ok := it.(map[string]any); ok {
			it = sorted(m)
		}
		w.indent(depth)
		w.WriteString("-")
		o, ok := it.(object)
		if !ok || len(o) == 0 {
			w.value(it, depth+1)
			continue
		}
		// The first member stands on the line of the hyphen.
		w.WriteString(" " + text(o[0].name) + ":")
		w.value(o[0].value, depth+2)
		w.object(o[1:], depth+1)
	}
}

func (w *writer) indent(depth int) { w.WriteString(strings.Repeat("  ", depth)) }

func sorted(m map[string]any) object {
	var o object
	for _, name := range slices.Sorted(maps.Keys(m)) {
		o = append(o, member{name, m[name]})
	}
	return o
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return text(v)
	case nil, bool, int, json.Number:
		b, err := json.Marshal(v)
		if err != nil { // a number that came from JSON
			panic("openapi: " + err.Error())
		}
		return string(b)
	}
	panic(fmt.Sprintf("openapi: value of type %T", v))
}

// text writes a string, without quotes where it can only be a string.
func text(s string) string {
	if plain(s) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("openapi: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// words are read as something else than a string by some YAML parser.
var words = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

func plain(s string) bool {
	if s == "" || slices.Contains(words, strings.ToLower(s)) || !letter(s[0]) && s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !letter(c) && (c < '0' || c > '9') && strings.IndexByte("_-./{}", c) < 0 && (c != ' ' || i+1 == len(s)) {
			return false
		}
	}
	return true
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
