package cli

import (
	"bytes"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// writeJSON prints n as JSON, two spaces a level, with a newline at the end.
func writeJSON(b *bytes.Buffer, n *syntax.Node) {
	indentJSON(b, n, "\n")
	b.WriteByte('\n')
}

// indentJSON prints n; newline starts a line at the level of n.
func indentJSON(b *bytes.Buffer, n *syntax.Node, newline string) {
	switch {
	case n.Kind == syntax.Table && len(n.Fields) > 0:
		for i, f := range n.Fields {
			b.WriteByte("{,"[min(i, 1)])
			b.WriteString(newline + "  " + quote(f.Name) + ": ")
			indentJSON(b, f.Value, newline+"  ")
		}
		b.WriteString(newline + "}")
	case n.Kind == syntax.Array && len(n.Items) > 0:
		for i, item := range n.Items {
			b.WriteByte("[,"[min(i, 1)])
			b.WriteString(newline + "  ")
			indentJSON(b, item, newline+"  ")
		}
		b.WriteString(newline + "]")
	default:
		b.Write(document.NodeJSON(nil, n))
	}
}

// quote returns s as a JSON string.
func quote(s string) string { return document.StringValue(s).JSON() }
