package userdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// YAML reads the one document of text as syntax.TOML reads TOML: with positions,
// bounded, and without following aliases.
func YAML(text []byte) (*syntax.Node, report.Report) {
	var rep report.Report
	return readYAML(text, &rep), rep
}

// readYAML reads the one document of text as syntax.TOML reads TOML. Anchors are
// not followed: a few lines of them may stand for gigabytes.
func readYAML(text []byte, rep *report.Report) *syntax.Node {
	r := yamlReader{rep: rep, lines: bytes.SplitAfter(text, []byte("\n"))}
	if len(text) > maxYAML {
		r.fault(report.TooLarge, syntax.Pos{}, fmt.Sprintf("YAML has %d bytes", len(text)), fmt.Sprintf("want at most %d; TOML may be longer", maxYAML))
		return nil
	}
	if !utf8.Valid(text) {
		_, utf8Fault := syntax.TOML(text, syntax.DefaultLimits) // finds the place
		rep.Merge(utf8Fault)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return syntax.NewTable()
	case err != nil:
		r.failed(err)
		return nil
	}
	var next yaml.Node
	if err := dec.Decode(&next); err == nil {
		r.fault(report.Syntax, syntax.Pos{Line: next.Line, Column: 1}, "a second YAML document begins here", "want one document")
	} else if !errors.Is(err, io.EOF) {
		r.failed(err)
		return nil
	}
	if len(doc.Content) == 0 {
		return syntax.NewTable()
	}
	return r.node(doc.Content[0], 1)
}

type yamlReader struct {
	rep   *report.Report
	lines [][]byte
}

func (r *yamlReader) fault(code report.Code, p syntax.Pos, detail, hint string) {
	r.rep.Add(report.Fault{Code: code, Detail: detail, Hint: hint, Line: p.Line, Column: p.Column})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// failed reports that text is not YAML. The library knows the line alone.
func (r *yamlReader) failed(err error) {
	first, _, _ := strings.Cut(err.Error(), "\n")
	p, detail := syntax.Pos{}, strings.TrimPrefix(first, "yaml: ")
	if m := yamlLine.FindStringSubmatch(first); m != nil && m[1] != "" {
		line, _ := strconv.Atoi(m[1])
		p, detail = syntax.Pos{Line: min(max(line, 1), len(r.lines)), Column: 1}, m[2]
	}
	r.fault(report.Syntax, p, "YAML: "+detail, "want YAML 1.2")
}

// pos returns the place of n with its column in bytes; the library counts
// characters.
func (r *yamlReader) pos(n *yaml.Node) syntax.Pos {
	p := syntax.Pos{Line: n.Line, Column: n.Column}
	if n.Line < 1 || n.Line > len(r.lines) {
		return p
	}
	column, line := 1, r.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(line)
		column, line = column+size, line[size:]
	}
	p.Column = column
	return p
}

func (r *yamlReader) node(n *yaml.Node, depth int) *syntax.Node {
	out := &syntax.Node{Pos: r.pos(n)}
	if depth > syntax.DefaultLimits.Depth {
		r.fault(report.TooLarge, out.Pos, fmt.Sprintf("nesting is deeper than %d levels", syntax.DefaultLimits.Depth), "")
		return out
	}
	switch n.Kind {
	case yaml.AliasNode:
		r.fault(report.Unsupported, out.Pos, "an alias is not followed", "write its value here")
	case yaml.SequenceNode:
		out.Kind, out.Items = syntax.Array, []*syntax.Node{}
		for _, item := range n.Content {
			out.Items = append(out.Items, r.node(item, depth+1))
		}
	case yaml.MappingNode:
		r.mapping(n, out, depth)
	case yaml.ScalarNode:
		r.scalar(n, out)
	}
	return out
}

func (r *yamlReader) mapping(n *yaml.Node, out *syntax.Node, depth int) {
	out.Kind = syntax.Table
	at := map[string]int{}
	for pair := range slices.Chunk(n.Content, 2) {
		name, p := pair[0], r.pos(pair[0])
		if name.Kind != yaml.ScalarNode {
			r.fault(report.WrongType, p, "a key is not a plain word", "")
			continue
		}
		v := r.node(pair[1], depth+1)
		if i, twice := at[name.Value]; twice {
			first := out.Fields[i].Pos
			r.fault(report.DuplicateKey, p, fmt.Sprintf("key %q is given twice", shorten(name.Value)),
				fmt.Sprintf("it stands first in line %d, column %d", first.Line, first.Column))
			continue
		}
		at[name.Value] = len(out.Fields)
		out.Fields = append(out.Fields, syntax.Field{Name: name.Value, Pos: p, Value: v})
	}
}

func (r *yamlReader) scalar(n *yaml.Node, out *syntax.Node) {
	out.Kind, out.Text = syntax.String, n.Value
	switch n.ShortTag() {
	case "!!null":
		out.Kind, out.Text = syntax.Null, ""
	case "!!bool":
		out.Kind, out.Text = syntax.Bool, strings.ToLower(n.Value)
	case "!!int":
		out.Kind = syntax.Integer
	case "!!float":
		out.Kind = syntax.Float
	}
	if strings.IndexByte(out.Text, 0) >= 0 {
		r.fault(report.InvalidValue, out.Pos, "string holds a NUL character", "want text without it")
		out.Text = ""
	}
}

func shorten(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}
