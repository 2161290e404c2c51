package schema

import (
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// nodeOf reads a stored value. Most are plain strings and words, for which a
// reader of JSON is not needed.
func nodeOf(v document.Value) (*syntax.Node, report.Report) {
	text := v.JSON()
	switch {
	case text == "true" || text == "false":
		return &syntax.Node{Kind: syntax.Bool, Text: text}, report.Report{}
	case isInteger(text):
		return &syntax.Node{Kind: syntax.Integer, Text: text}, report.Report{}
	case len(text) >= 2 && text[0] == '"' && strings.IndexByte(text, '\\') < 0:
		return syntax.NewString(text[1 : len(text)-1]), report.Report{}
	}
	n, rep := syntax.JSON([]byte(text), syntax.Limits{Bytes: 16 << 20, Depth: 64, String: 16 << 20})
	if n != nil {
		clearPositions(n) // a place in one value would mislead beside a document
	}
	return n, rep
}

func clearPositions(n *syntax.Node) {
	n.Pos = syntax.Pos{}
	for _, it := range n.Items {
		clearPositions(it)
	}
	for i := range n.Fields {
		n.Fields[i].Pos = syntax.Pos{}
		clearPositions(n.Fields[i].Value)
	}
}
