package schema

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A Description says what a setting accepts, for people.
type Description struct {
	Type     string   // "host name", "list of URL", "integer"
	Accepts  string   // one phrase
	Enum     []string // the only values
	Examples []string
	Secret   bool
}

// Describe describes the value of a Leaf.
func (n *Node) Describe() Description {
	d := n.codec.describe()
	d.Secret = n.HoldsSecrets()
	return d
}

// DescribeKey describes the names that a Map accepts.
func (n *Node) DescribeKey() Description { return n.keyCodec.describe() }

func (c *codec) describe() Description {
	d := Description{Type: c.rule.Name, Accepts: c.rule.Want, Enum: c.rule.Enum, Examples: c.rule.Examples}
	if d.Type == "" {
		d.Type = wordFor(c)
	}
	return d
}

func wordFor(c *codec) string {
	switch {
	case c.elem != nil && c.secret:
		return c.elem.describe().Type
	case c.elem != nil:
		return "list of " + c.elem.describe().Type
	case len(c.members) > 0:
		return "table"
	case len(c.types) == 1:
		return c.types[0]
	}
	return wantTypes(c.types)
}

// Members describes the members of the tables that a list of tables holds, by
// name; it is empty for other settings.
func (n *Node) Members() []Member {
	if n.Kind != Leaf || n.codec.elem == nil {
		return nil
	}
	var out []Member
	for _, m := range n.codec.elem.members {
		d := m.codec.describe()
		d.Secret = m.codec.secret
		out = append(out, Member{m.name, m.doc, m.required, d})
	}
	return out
}

// A Member is a member of the tables in a list.
type Member struct {
	Name     string
	Doc      string
	Required bool
	Description
}

// JSONSchema returns the schema of the content of "settings" as JSON Schema,
// draft 2020-12. Defaults are noted where the document defaults has them.
func (s *Schema) JSONSchema(defaults document.Document) []byte {
	root := s.root.jsonSchema(key.Key{}, defaults)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Settings of Bulkhead"
	if s.owner != "" {
		root["title"] = "Settings of Bulkhead, variant " + s.owner
	}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil { // strings, numbers, lists and maps of them
		panic("schema: " + err.Error())
	}
	return append(b, '\n')
}

type object = map[string]any

func (n *Node) jsonSchema(at key.Key, defaults document.Document) object {
	out := object{}
	switch n.Kind {
	case Leaf:
		out = n.codec.jsonSchema()
		if v, ok := defaults.Get(at); ok && !n.HoldsSecrets() {
			out["default"] = json.RawMessage(v.JSON())
		}
	case Map:
		out["type"] = "object"
		out["additionalProperties"] = n.Elem.jsonSchema(at.Child(n.Elem.Name), defaults)
		if names := n.keyCodec.jsonSchema(); len(names) > 1 {
			delete(names, "type")
			out["propertyNames"] = names
		}
	default:
		out["type"] = "object"
		n.tableSchema(out, at, defaults)
	}
	if n.Doc != "" {
		out["description"] = n.Doc
	}
	if n.Deprecated != "" {
		out["deprecated"] = true
	}
	return out
}

func (n *Node) tableSchema(out object, at key.Key, defaults document.Document) {
	props := object{}
	var required []string
	for _, f := range n.Fields {
		p := f.jsonSchema(at.Child(f.Name), defaults)
		props[f.Name] = p
		for _, a := range f.Aliases {
			alias := maps.Clone(p)
			alias["deprecated"] = true
			alias["description"] = "Another name for " + f.Name + ", accepted on input."
			props[a] = alias
		}
		if f.Required {
			required = append(required, f.Name)
		}
	}
	out["properties"] = props
	out["additionalProperties"] = false
	if n.Rest != nil {
		out["additionalProperties"] = n.Rest.Elem.jsonSchema(at.Child(n.Rest.Elem.Name), defaults)
	}
	if len(required) > 0 {
		slices.Sort(required)
		out["required"] = required
	}
}

// jsonSchema describes the values that c reads, the alternative shapes of a
// list included.
func (c *codec) jsonSchema() object {
	out := c.plainSchema()
	r, ok := reflect.Zero(c.typ).Interface().(reshaper)
	if !ok || c.elem == nil {
		return out
	}
	shapes := []any{out}
	if r.Reshape(syntax.NewString("")).Kind == syntax.Array {
		shapes = append(shapes, c.elem.jsonSchema())
	}
	if r.Reshape(syntax.NewTable()).Kind == syntax.Array {
		shapes = append(shapes, object{"type": "object"})
	}
	return object{"anyOf": shapes}
}

func (c *codec) plainSchema() object {
	out := object{}
	r := c.rule
	switch {
	case len(c.types) == 1:
		out["type"] = c.types[0]
	case len(c.types) > 1:
		out["type"] = c.types
	}
	if r.Want != "" {
		out["description"] = "Accepts " + r.Want + "."
	}
	c.constraints(out, r)
	if c.secret {
		out["writeOnly"] = true
	}
	switch {
	case c.elem != nil && !c.secret:
		out["items"] = c.elem.jsonSchema()
	case len(c.members) > 0:
		props := object{}
		var required []string
		for _, m := range c.members {
			p := m.codec.jsonSchema()
			if m.doc != "" {
				p["description"] = m.doc
			}
			props[m.name] = p
			if m.required {
				required = append(required, m.name)
			}
		}
		out["properties"], out["additionalProperties"] = props, false
		if required != nil {
			out["required"] = required
		}
	}
	return out
}

func (c *codec) constraints(out object, r scalar.Rule) {
	if len(r.Enum) > 0 {
		words := slices.Clone(r.Enum)
		words = append(words, slices.Sorted(maps.Keys(r.Aliases))...)
		out["enum"] = words
	}
	if r.Pattern != "" && slices.Contains(c.types, "string") {
		out["pattern"] = r.Pattern
	}
	if r.Min != nil {
		out["minimum"] = *r.Min
	}
	if r.Max != nil {
		out["maximum"] = *r.Max
	}
	if r.MaxBytes > 0 {
		out["maxLength"] = r.MaxBytes
	}
	if len(r.Examples) > 0 && !c.secret {
		out["examples"] = r.Examples
	}
}

// Accepts says why the type of n, a Leaf, refuses text read as Coerce reads
// it; it is empty when the text is accepted.
func (s *Schema) Accepts(n *Node, text string) string {
	var rep report.Report
	v, fault := coerce(n, key.Of(n.Name), text)
	if fault != nil {
		return fault.String()
	}
	if !n.codec.decode(v, reflect.New(n.typ).Elem(), place{rep: &rep, key: key.Of(n.Name)}) {
		return rep.Faults[0].String()
	}
	return ""
}
