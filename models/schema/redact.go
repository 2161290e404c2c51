package schema

import (
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

var hidden = document.StringValue(scalar.Redacted)

// Redact returns doc with every secret replaced by scalar.Redacted. Values of
// settings that the schema does not know are hidden too: nobody can say that
// they are not secret.
func (s *Schema) Redact(doc document.Document) document.Document {
	return doc.Map(s.RedactValue)
}

// RedactPatch is Redact for what p sets.
func (s *Schema) RedactPatch(p document.Patch) document.Patch {
	p.Set = s.Redact(p.Set)
	return p
}

// RedactChanges is Redact for both sides of differences.
func (s *Schema) RedactChanges(changes []document.Change) []document.Change {
	hide := func(k key.Key, v *document.Value) *document.Value {
		if v == nil {
			return nil
		}
		r := s.RedactValue(k, *v)
		return &r
	}
	out := make([]document.Change, len(changes))
	for i, c := range changes {
		out[i] = document.Change{Key: c.Key, Old: hide(c.Key, c.Old), New: hide(c.Key, c.New)}
	}
	return out
}

// RedactValue returns v, the value of k, with what is secret in it replaced.
func (s *Schema) RedactValue(k key.Key, v document.Value) document.Value {
	n, ok := s.Lookup(k)
	switch {
	case !ok || n.Kind != Leaf || n.codec.secret:
		return hidden
	case !n.codec.partSecret:
		return v
	}
	tree, _ := nodeOf(v)
	if tree == nil {
		return hidden
	}
	n.codec.redact(tree)
	return document.NewValue(string(document.NodeJSON(nil, tree)))
}

func (c *codec) redact(n *syntax.Node) {
	switch {
	case c.secret:
		*n = syntax.Node{Kind: syntax.String, Text: scalar.Redacted}
	case n.Kind == syntax.Array && c.elem != nil:
		for _, it := range n.Items {
			c.elem.redact(it)
		}
	case n.Kind == syntax.Table:
		for _, m := range c.members {
			if v := n.Field(m.name); v != nil {
				m.codec.redact(v)
			}
		}
	}
}
