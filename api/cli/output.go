package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// limits guard the decoder of answers, whose size the client bounds.
var limits = syntax.Limits{Bytes: 64 << 20, Depth: 64, String: 64 << 20}

// parseJSON reads an answer.
func parseJSON(data []byte) (*syntax.Node, error) {
	n, rep := syntax.JSON(data, limits)
	if err := rep.Err(); err != nil {
		return nil, fmt.Errorf("read the answer: %v", err)
	}
	return n, nil
}

// nodeOf returns v as it encodes to JSON.
func nodeOf(v any) *syntax.Node {
	data, err := json.Marshal(v)
	if err != nil { // our own structs
		panic("cli: " + err.Error())
	}
	n, rep := syntax.JSON(data, limits)
	if err := rep.Err(); err != nil {
		panic("cli: " + err.Error())
	}
	return n
}

// documentNode returns doc without the outer "settings".
func documentNode(doc document.Document) *syntax.Node {
	n, rep := syntax.JSON(doc.JSON(), limits)
	if err := rep.Err(); err != nil { // it was read from such text
		panic("cli: " + err.Error())
	}
	return n
}

// write prints n in the form that -o asks for, else in form. name stands for
// data that is a list where the form wants a table.
func (p *program) write(cmd *cobra.Command, n *syntax.Node, form, name string) error {
	if p.output != "" {
		form = p.output
	}
	if form == "table" {
		return p.writeRows(cmd, flatten(n))
	}
	var b bytes.Buffer
	switch form {
	case "toml":
		if n.Kind != syntax.Table {
			n = syntax.NewTable(syntax.Field{Name: name, Value: n})
		}
		writeTOML(&b, n)
	case "yaml":
		writeYAML(&b, n)
	default:
		writeJSON(&b, n)
	}
	_, err := cmd.OutOrStdout().Write(b.Bytes())
	return err
}

// list prints what has a form for people: r, unless -o asks for data.
func (p *program) list(cmd *cobra.Command, data any, name string, r rows) error {
	if p.output == "" || p.output == "table" {
		return p.writeRows(cmd, r)
	}
	return p.write(cmd, nodeOf(data), "json", name)
}

// flatten returns a row for every value in n that is not a table.
func flatten(n *syntax.Node) rows {
	r := rows{head: []string{"KEY", "VALUE"}}
	var walk func(path string, n *syntax.Node)
	walk = func(path string, n *syntax.Node) {
		if n.Kind != syntax.Table {
			r.cells = append(r.cells, []string{path, string(document.NodeJSON(nil, n))})
			return
		}
		for _, f := range n.Fields {
			walk(join(path, f.Name), f.Value)
		}
	}
	walk("", n)
	return r
}

// join appends a segment to the text of a key.
func join(path, name string) string {
	if path == "" {
		return name
	}
	if key.ValidSegment(name) != nil {
		return fmt.Sprintf("%s.%q", path, name)
	}
	return path + key.Of(name).String()[len(key.Root):]
}
