package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// JSON reads one JSON value. The node is nil when the text is malformed or
// above the limits; duplicate names and unacceptable strings are reported and
// read on.
func JSON(data []byte, limits Limits) (*Node, report.Report) {
	t := newText(data, limits)
	if !t.acceptable() {
		return nil, t.rep
	}
	r := jsonReader{text: t, dec: jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))}
	n, err := r.value("", 1)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		r.failed(err)
		return nil, t.rep
	}
	return n, t.rep
}

type jsonReader struct {
	*text
	dec *jsontext.Decoder
}

// errTooDeep ends reading; its fault is reported where it is found.
var errTooDeep = errors.New("too deep")

func (r *jsonReader) value(path string, depth int) (*Node, error) {
	switch kind := r.dec.PeekKind(); kind {
	case '{', '[':
		if _, err := r.dec.ReadToken(); err != nil {
			return nil, err
		}
		p := r.pos(int(r.dec.InputOffset()) - 1)
		if depth > r.limits.Depth {
			r.fault(report.TooLarge, p, path, fmt.Sprintf("nesting is deeper than %d levels", r.limits.Depth), "")
			return nil, errTooDeep
		}
		if kind == '[' {
			return r.array(p, path, depth)
		}
		return r.table(p, path, depth)
	default:
		return r.scalar(kind, path)
	}
}

func (r *jsonReader) scalar(kind jsontext.Kind, path string) (*Node, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	n := &Node{Pos: r.pos(int(r.dec.InputOffset()) - len(raw))}
	switch kind {
	case 'n':
		n.Kind = Null
	case 't', 'f':
		n.Kind, n.Text = Bool, string(raw)
	case '"':
		n.Kind = String
		s, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return nil, err
		}
		n.Text = string(s)
		r.checkString(n.Text, n.Pos, path)
	default:
		n.Kind, n.Text = Integer, string(raw)
		if bytes.ContainsAny(raw, ".eE") {
			n.Kind = Float
		}
	}
	return n, nil
}

func (r *jsonReader) array(p Pos, path string, depth int) (*Node, error) {
	n := &Node{Kind: Array, Pos: p, Items: []*Node{}}
	for r.dec.PeekKind() != ']' {
		item, err := r.value(fmt.Sprintf("%s[%d]", path, len(n.Items)), depth+1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, item)
	}
	_, err := r.dec.ReadToken()
	return n, err
}

func (r *jsonReader) table(p Pos, path string, depth int) (*Node, error) {
	b := builder{node: &Node{Kind: Table, Pos: p}}
	for r.dec.PeekKind() != '}' {
		name, err := r.scalar('"', path)
		if err != nil {
			return nil, err
		}
		member := memberPath(path, name.Text)
		v, err := r.value(member, depth+1)
		if err != nil {
			return nil, err
		}
		if i := b.find(name.Text); i >= 0 {
			first := b.node.Fields[i].Pos
			r.fault(report.DuplicateKey, name.Pos, member, fmt.Sprintf("key %q is given twice", name.Text),
				fmt.Sprintf("it stands first in line %d, column %d", first.Line, first.Column))
			continue
		}
		b.add(Field{Name: name.Text, Pos: name.Pos, Value: v})
	}
	_, err := r.dec.ReadToken()
	return b.node, err
}

// end makes sure that nothing but white space follows the value.
func (r *jsonReader) end() error {
	switch _, err := r.dec.ReadToken(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return &jsontext.SyntacticError{ByteOffset: r.dec.InputOffset() - 1, Err: errors.New("more text after the end of the value")}
}

func (r *jsonReader) failed(err error) {
	if errors.Is(err, errTooDeep) {
		return // reported
	}
	offset, cause := len(r.data), err
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, cause = int(s.ByteOffset), s.Err
	}
	// The library quotes what it could not read, which may be part of a secret.
	detail, _, _ := strings.Cut("JSON: "+cause.Error(), " `")
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		offset, detail = len(r.data), "JSON ends too early"
	}
	r.fault(report.Syntax, r.pos(min(offset, len(r.data))), "", detail, "want one complete JSON value")
}
