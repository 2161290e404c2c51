package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// writeYAML prints n as YAML 1.2. Strings are quoted unless every version of
// YAML reads them as strings without quotes.
func writeYAML(b *bytes.Buffer, n *syntax.Node) { yamlBlock(b, n, "") }

// yamlBlock prints n on lines of its own.
func yamlBlock(b *bytes.Buffer, n *syntax.Node, indent string) {
	switch {
	case n.Kind == syntax.Table && len(n.Fields) > 0:
		for _, f := range n.Fields {
			b.WriteString(indent + yamlString(f.Name) + ":")
			yamlMember(b, f.Value, indent)
		}
	case n.Kind == syntax.Array && len(n.Items) > 0:
		for _, item := range n.Items {
			var inner bytes.Buffer
			yamlBlock(&inner, item, indent+"  ")
			// The dash takes the place of the first line's indentation.
			fmt.Fprintf(b, "%s- %s", indent, inner.Bytes()[len(indent)+2:])
		}
	default:
		b.WriteString(indent + yamlScalar(n) + "\n")
	}
}

// yamlMember prints the value of a member after its name.
func yamlMember(b *bytes.Buffer, n *syntax.Node, indent string) {
	if n.Kind == syntax.Table && len(n.Fields) > 0 || n.Kind == syntax.Array && len(n.Items) > 0 {
		b.WriteByte('\n')
		yamlBlock(b, n, indent+"  ")
		return
	}
	b.WriteString(" " + yamlScalar(n) + "\n")
}

func yamlScalar(n *syntax.Node) string {
	if n.Kind == syntax.String {
		return yamlString(n.Text)
	}
	return string(document.NodeJSON(nil, n)) // null, true, 1, 1.5, [] and {} are the same in YAML
}

// yamlWords are read as something else than strings by one version or another.
var yamlWords = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

func yamlString(s string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	plain := s != "" && strings.IndexByte(letters, s[0]) >= 0 &&
		strings.Trim(s, letters+"0123456789_./-") == "" && !slices.Contains(yamlWords, strings.ToLower(s))
	if plain {
		return s
	}
	// JSON strings are YAML's, but YAML does not let DEL and the C1 controls
	// stand for themselves.
	var b strings.Builder
	for _, r := range quote(s) {
		if r >= 0x7F && r <= 0x9F || r == 0x2028 || r == 0x2029 || r == 0xFEFF {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
