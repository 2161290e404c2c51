package document

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// TOML returns d as a TOML document with the outer table "settings": tables
// sorted, the settings of a table before its sub-tables, lists of tables as
// inline tables, one a line.
func (d Document) TOML() []byte {
	root := &table{}
	for _, l := range d.leaves {
		t := root
		path := slices.Collect(l.Key.Segments())
		for _, seg := range path[:len(path)-1] {
			t = t.child(seg)
		}
		t.leaves = append(t.leaves, member{path[len(path)-1], l.Value})
	}
	var b bytes.Buffer
	root.write(&b, "settings")
	return bytes.TrimPrefix(b.Bytes(), []byte("\n"))
}

type member struct {
	name  string
	value Value
}

type table struct {
	leaves   []member
	names    []string
	children []*table
}

// child returns the sub-table called name; leaves come sorted, so that it can
// only be the last one.
func (t *table) child(name string) *table {
	if n := len(t.names); n > 0 && t.names[n-1] == name {
		return t.children[n-1]
	}
	t.names = append(t.names, name)
	t.children = append(t.children, &table{})
	return t.children[len(t.children)-1]
}

func (t *table) write(b *bytes.Buffer, path string) {
	if len(t.leaves) > 0 {
		fmt.Fprintf(b, "\n[%s]\n", path)
	}
	for _, m := range t.leaves {
		fmt.Fprintf(b, "%s = ", tomlKey(m.name))
		writeValue(b, m.value)
		b.WriteByte('\n')
	}
	for i, c := range t.children {
		c.write(b, path+"."+tomlKey(t.names[i]))
	}
}

func tomlKey(s string) string {
	bare := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	})
	if bare {
		return s
	}
	return tomlString(s)
}

// tomlString quotes s as a TOML basic string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// TOML returns v as TOML text on one line, lists of tables excepted.
func (v Value) TOML() string {
	var b bytes.Buffer
	writeValue(&b, v)
	return b.String()
}

func writeValue(b *bytes.Buffer, v Value) {
	if plain(v.json) {
		b.WriteString(v.json)
		return
	}
	if list, ok := plainList(v.json); ok {
		b.WriteString(list)
		return
	}
	// Values are canonical JSON that schema made, so decoding cannot fail.
	dec := jsontext.NewDecoder(strings.NewReader(v.json))
	writeToken(b, dec, strings.Contains(v.json, "[{"))
}

// plain reports whether a JSON text is TOML as it stands: words, integers, and
// strings that need no escapes in either language.
func plain(json string) bool {
	if json == "" || json[0] == '[' || json[0] == '{' {
		return false
	}
	if json[0] == '"' {
		return strings.IndexByte(json, '\\') < 0 && strings.IndexByte(json, 0x7F) < 0
	}
	return !strings.ContainsAny(json, ".eE") || json == "true" || json == "false"
}

// plainList returns a JSON list as TOML where no element needs another form
// than it has: a blank after each comma is all the difference.
func plainList(json string) (string, bool) {
	if json[0] != '[' || strings.ContainsAny(json, "\\{\x7F") {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(json) + len(json)/8)
	text := false
	for i := range len(json) {
		c := json[i]
		switch {
		case c == '"':
			text = !text
		case text:
		case c == '.' || c == 'e' || c == 'E' || c == 'n': // numbers with a fraction, words, null
			return "", false
		}
		b.WriteByte(c)
		if c == ',' && !text {
			b.WriteByte(' ')
		}
	}
	return b.String(), true
}

func writeToken(b *bytes.Buffer, dec *jsontext.Decoder, broken bool) {
	tok, err := dec.ReadToken()
	if err != nil {
		panic("document: value is not JSON: " + err.Error())
	}
	switch tok.Kind() {
	case '"':
		b.WriteString(tomlString(strings.ToValidUTF8(tok.String(), string(utf8.RuneError))))
	case '[':
		writeArray(b, dec, broken)
	case '{':
		writeInline(b, dec)
	case '0':
		b.WriteString(tomlNumber(tok.String()))
	default:
		b.WriteString(tok.String())
	}
}

// tomlNumber writes a JSON number as TOML, which wants digits on both sides
// of an exponent's fraction and knows no bare exponent difference.
func tomlNumber(s string) string {
	if !strings.ContainsAny(s, "eE") {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func writeArray(b *bytes.Buffer, dec *jsontext.Decoder, broken bool) {
	b.WriteByte('[')
	for first := true; dec.PeekKind() != ']'; first = false {
		switch {
		case broken && first:
			b.WriteString("\n  ")
		case broken:
			b.WriteString(",\n  ")
		case !first:
			b.WriteString(", ")
		}
		writeToken(b, dec, false)
	}
	if _, err := dec.ReadToken(); err != nil {
		panic("document: value is not JSON: " + err.Error())
	}
	if broken {
		b.WriteString(",\n")
	}
	b.WriteByte(']')
}

func writeInline(b *bytes.Buffer, dec *jsontext.Decoder) {
	b.WriteString("{ ")
	for first := true; dec.PeekKind() != '}'; first = false {
		if !first {
			b.WriteString(", ")
		}
		name, err := dec.ReadToken()
		if err != nil {
			panic("document: value is not JSON: " + err.Error())
		}
		b.WriteString(tomlKey(name.String()) + " = ")
		writeToken(b, dec, false)
	}
	if _, err := dec.ReadToken(); err != nil {
		panic("document: value is not JSON: " + err.Error())
	}
	b.WriteString(" }")
}
