package syntax

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// TOML reads a TOML 1.0 document. The node is nil when the text is malformed
// or above the limits; keys given twice are reported and read on.
//
// Tables are built here and not by the decoder of the library, because that
// stops at the first fault and knows no positions.
func TOML(data []byte, limits Limits) (*Node, report.Report) {
	data = slices.Clip(data) // the parser finds offsets by capacity
	t := newText(data, limits)
	if !t.acceptable() {
		return nil, t.rep
	}
	r := &tomlReader{text: t, tables: map[*Node]*tomlTable{}}
	root := &Node{Kind: Table, Pos: Pos{1, 1}}
	r.root = r.track(root, byHeader)
	r.current, r.depth = r.root, 1
	r.parser.Reset(data)
	for r.parser.NextExpression() {
		r.expression(r.parser.Expression())
	}
	if err := r.parser.Error(); err != nil {
		r.failed(err)
		return nil, t.rep
	}
	if r.tooDeep {
		return nil, t.rep
	}
	return root, t.rep
}

// How a table came to be decides who may add to it.
type origin uint8

const (
	byHeader  origin = iota // [a]: once; further headers below it
	byPath                  // the a of [a.b]: may still get its own header
	byDotted                // the a of a.b = 1: further dotted keys of the same table
	byInline                // {…}: closed
	byElement               // an element of [[a]]
)

type tomlTable struct {
	builder
	origin origin
	parent *tomlTable // the table whose section made a dotted table
}

type tomlReader struct {
	*text
	parser  unstable.Parser
	root    *tomlTable
	current *tomlTable // where key = value lines go; nil after a refused header
	path    string     // of current
	depth   int        // of current
	tables  map[*Node]*tomlTable
	tooDeep bool
}

func (r *tomlReader) track(n *Node, o origin) *tomlTable {
	t := &tomlTable{builder: builder{node: n}, origin: o}
	r.tables[n] = t
	return t
}

func (r *tomlReader) expression(e *unstable.Node) {
	switch e.Kind {
	case unstable.KeyValue:
		if r.current != nil {
			r.keyValue(r.current, r.path, r.depth, e)
		}
	case unstable.Table, unstable.ArrayTable:
		r.header(e)
	}
}

// name is one part of a dotted key.
type name struct {
	text string
	pos  Pos
}

func (r *tomlReader) names(it unstable.Iterator) []name {
	var out []name
	for it.Next() {
		n := it.Node()
		p := r.pos(int(n.Raw.Offset))
		r.checkString(string(n.Data), p, "")
		out = append(out, name{string(n.Data), p})
	}
	return out
}

func (r *tomlReader) deep(depth int, p Pos, path string) bool {
	if depth <= r.limits.Depth {
		return false
	}
	if !r.tooDeep {
		r.fault(report.TooLarge, p, path, fmt.Sprintf("nesting is deeper than %d levels", r.limits.Depth), "")
	}
	r.tooDeep = true
	return true
}

// header handles [a.b] and [[a.b]].
func (r *tomlReader) header(e *unstable.Node) {
	parts := r.names(e.Key())
	t, path, depth := r.root, "", 1
	r.current = nil
	for _, p := range parts[:len(parts)-1] {
		path, depth = memberPath(path, p.text), depth+1
		if r.deep(depth, p.pos, path) {
			return
		}
		if t = r.step(t, p, path); t == nil {
			return
		}
	}
	last := parts[len(parts)-1]
	path, depth = memberPath(path, last.text), depth+1
	if r.deep(depth, last.pos, path) {
		return
	}
	if e.Kind == unstable.ArrayTable {
		t = r.element(t, last, path)
	} else {
		t = r.section(t, last, path)
	}
	r.current, r.path, r.depth = t, path, depth
}

// step goes from t to the table called p on the way of a header.
func (r *tomlReader) step(t *tomlTable, p name, path string) *tomlTable {
	i := t.find(p.text)
	if i < 0 {
		n := &Node{Kind: Table, Pos: p.pos}
		t.add(Field{p.text, p.pos, n})
		return r.track(n, byPath)
	}
	f := t.node.Fields[i]
	v := f.Value
	if v.Kind == Array && len(v.Items) > 0 {
		v = v.Items[len(v.Items)-1] // the newest element of an array of tables
		if sub := r.tables[v]; sub != nil && sub.origin == byElement {
			return sub
		}
		r.twice(p, path, f)
		return nil
	}
	sub := r.tables[v]
	if sub == nil || sub.origin == byInline {
		r.twice(p, path, f)
		return nil
	}
	return sub
}

// section opens the table of a [header].
func (r *tomlReader) section(t *tomlTable, p name, path string) *tomlTable {
	i := t.find(p.text)
	if i < 0 {
		n := &Node{Kind: Table, Pos: p.pos}
		t.add(Field{p.text, p.pos, n})
		return r.track(n, byHeader)
	}
	sub := r.tables[t.node.Fields[i].Value]
	if sub == nil || sub.origin != byPath {
		r.twice(p, path, t.node.Fields[i])
		return nil
	}
	sub.origin = byHeader
	return sub
}

// element opens a new element for a [[header]].
func (r *tomlReader) element(t *tomlTable, p name, path string) *tomlTable {
	n := &Node{Kind: Table, Pos: p.pos}
	i := t.find(p.text)
	if i < 0 {
		t.add(Field{p.text, p.pos, &Node{Kind: Array, Pos: p.pos, Items: []*Node{n}}})
		return r.track(n, byElement)
	}
	list := t.node.Fields[i].Value
	if list.Kind != Array || len(list.Items) == 0 || r.tables[list.Items[0]] == nil || r.tables[list.Items[0]].origin != byElement {
		r.twice(p, path, t.node.Fields[i])
		return nil
	}
	list.Items = append(list.Items, n)
	return r.track(n, byElement)
}

// keyValue adds a (possibly dotted) key = value to t.
func (r *tomlReader) keyValue(t *tomlTable, path string, depth int, e *unstable.Node) {
	parts := r.names(e.Key())
	section := t
	for _, p := range parts[:len(parts)-1] {
		path, depth = memberPath(path, p.text), depth+1
		if r.deep(depth, p.pos, path) {
			return
		}
		i := t.find(p.text)
		if i < 0 {
			n := &Node{Kind: Table, Pos: p.pos}
			t.add(Field{p.text, p.pos, n})
			t = r.track(n, byDotted)
			t.parent = section
			continue
		}
		sub := r.tables[t.node.Fields[i].Value]
		// A dotted key may not reach into a table that another section made.
		if sub == nil || sub.origin != byDotted || sub.parent != section {
			r.twice(p, path, t.node.Fields[i])
			return
		}
		t = sub
	}
	last := parts[len(parts)-1]
	path = memberPath(path, last.text)
	v := r.value(e.Value(), path, depth+1, last.pos)
	if v == nil {
		return
	}
	if i := t.find(last.text); i >= 0 {
		r.twice(last, path, t.node.Fields[i])
		return
	}
	t.add(Field{last.text, last.pos, v})
}

func (r *tomlReader) twice(p name, path string, first Field) {
	r.fault(report.DuplicateKey, p.pos, path, fmt.Sprintf("key %q is given twice", p.text),
		fmt.Sprintf("it stands first in line %d, column %d", first.Pos.Line, first.Pos.Column))
}

// value converts e; nil means that a fault was reported. The parser gives no
// place for arrays: they get that of their key.
func (r *tomlReader) value(e *unstable.Node, path string, depth int, key Pos) *Node {
	n := &Node{Pos: key}
	if e.Raw.Length > 0 {
		n.Pos = r.pos(int(e.Raw.Offset))
	}
	switch e.Kind {
	case unstable.String:
		n.Kind, n.Text = String, string(e.Data)
		r.checkString(n.Text, n.Pos, path)
	case unstable.Bool:
		n.Kind, n.Text = Bool, string(e.Data)
	case unstable.Integer:
		n.Kind = Integer
		n.Text = r.integer(string(e.Data), n.Pos, path)
	case unstable.Float:
		n.Kind = Float
		n.Text = strings.TrimPrefix(strings.ReplaceAll(string(e.Data), "_", ""), "+")
	case unstable.Array:
		return r.array(e, n, path, depth)
	case unstable.InlineTable:
		if r.deep(depth, n.Pos, path) {
			return nil
		}
		n.Kind = Table
		t := r.track(n, byInline)
		for it := e.Children(); it.Next(); {
			r.keyValue(t, path, depth, it.Node())
		}
	default:
		n.Kind, n.Text = Datetime, string(e.Data)
	}
	return n
}

func (r *tomlReader) array(e *unstable.Node, n *Node, path string, depth int) *Node {
	if r.deep(depth, n.Pos, path) {
		return nil
	}
	n.Kind, n.Items = Array, []*Node{}
	for it := e.Children(); it.Next(); {
		if it.Node().Kind == unstable.Comment {
			continue
		}
		item := r.value(it.Node(), fmt.Sprintf("%s[%d]", path, len(n.Items)), depth+1, n.Pos)
		if item == nil {
			return nil
		}
		n.Items = append(n.Items, item)
	}
	return n
}

// integer gives the decimal text of a TOML integer, which may be written in
// other bases and with underscores.
func (r *tomlReader) integer(s string, p Pos, path string) string {
	v, err := strconv.ParseInt(s, 0, 64)
	if err != nil && !strings.HasPrefix(s, "0") { // base 0 takes a leading 0 for octal, which TOML refuses earlier
		v, err = strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	}
	if err != nil {
		r.fault(report.InvalidValue, p, path, fmt.Sprintf("integer %s does not fit 64 bits", s), "")
		return "0"
	}
	return strconv.FormatInt(v, 10)
}

func (r *tomlReader) failed(err error) {
	offset := len(r.data)
	detail := err.Error()
	if pe, ok := errors.AsType[*unstable.ParserError](err); ok {
		detail = pe.Message
		offset = int(r.parser.Range(pe.Highlight).Offset)
	}
	r.fault(report.Syntax, r.pos(offset), "", "TOML: "+detail, "want TOML 1.0")
}
