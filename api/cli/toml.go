package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// writeTOML prints n, a table. TOML has no null: what is unset becomes a
// comment.
func writeTOML(b *bytes.Buffer, n *syntax.Node) {
	var text bytes.Buffer
	tomlTable(&text, n, "", true)
	b.Write(bytes.TrimPrefix(text.Bytes(), []byte("\n")))
}

// tomlTable prints the values of n below its heading, then the tables in it.
func tomlTable(b *bytes.Buffer, n *syntax.Node, path string, outer bool) {
	headed := outer
	heading := func() {
		if !headed {
			fmt.Fprintf(b, "\n[%s]\n", path)
			headed = true
		}
	}
	for _, f := range n.Fields {
		switch {
		case f.Value.Kind == syntax.Table || isTables(f.Value):
			continue
		case f.Value.Kind == syntax.Null:
			heading()
			fmt.Fprintf(b, "# %s is unset\n", tomlName(f.Name))
		default:
			heading()
			fmt.Fprintf(b, "%s = %s\n", tomlName(f.Name), tomlValue(f.Value))
		}
	}
	if len(n.Fields) == 0 {
		heading()
	}
	for _, f := range n.Fields {
		at := tomlName(f.Name)
		if path != "" {
			at = path + "." + at
		}
		if f.Value.Kind == syntax.Table {
			tomlTable(b, f.Value, at, false)
		}
		if isTables(f.Value) {
			for _, item := range f.Value.Items {
				fmt.Fprintf(b, "\n[[%s]]\n", at)
				tomlTable(b, item, at, true)
			}
		}
	}
}

// isTables reports whether n is a list of tables.
func isTables(n *syntax.Node) bool {
	if n.Kind != syntax.Array || len(n.Items) == 0 {
		return false
	}
	for _, item := range n.Items {
		if item.Kind != syntax.Table {
			return false
		}
	}
	return true
}

// tomlValue prints n on one line.
func tomlValue(n *syntax.Node) string {
	return document.NewValue(string(document.NodeJSON(nil, withoutNull(n)))).TOML()
}

// withoutNull leaves null out of lists and tables, which cannot hold it.
func withoutNull(n *syntax.Node) *syntax.Node {
	out := *n
	out.Items, out.Fields = nil, nil
	for _, item := range n.Items {
		if item.Kind != syntax.Null {
			out.Items = append(out.Items, withoutNull(item))
		}
	}
	for _, f := range n.Fields {
		if f.Value.Kind != syntax.Null {
			out.Fields = append(out.Fields, syntax.Field{Name: f.Name, Value: withoutNull(f.Value)})
		}
	}
	return &out
}

func tomlName(s string) string {
	const bare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	if s != "" && strings.Trim(s, bare) == "" {
		return s
	}
	return document.StringValue(s).TOML()
}
