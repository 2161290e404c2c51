package schema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// What a type of a value may do beyond being of a plain kind.
type (
	// A settingDecoder reads shapes that are not a plain string.
	settingDecoder interface {
		UnmarshalSetting(n *syntax.Node) error
	}
	// A reshaper turns an alternative input shape into the canonical one.
	reshaper interface {
		Reshape(n *syntax.Node) *syntax.Node
	}
	// A listChecker has a rule on the list as a whole.
	listChecker interface{ CheckList() error }
	// A secret hides its value.
	secret interface {
		Inner() any
		IsSecret()
	}
)

var (
	textUnmarshaler    = reflect.TypeFor[encoding.TextUnmarshaler]()
	settingUnmarshaler = reflect.TypeFor[settingDecoder]()
	secretType         = reflect.TypeFor[secret]()
	ruled              = reflect.TypeFor[scalar.Ruled]()
)

// A codec reads and writes the values of one type.
type codec struct {
	typ        reflect.Type
	rule       scalar.Rule
	types      []string // JSON types accepted
	secret     bool     // the whole value
	partSecret bool     // a part of it
	elem       *codec   // of a list, of a secret
	members    []member // of a table inside a list

	decode func(n *syntax.Node, v reflect.Value, p place) bool
	encode func(dst []byte, v reflect.Value) []byte
}

// A member is a field of a table inside a list.
type member struct {
	name     string
	doc      string
	index    int
	pointer  bool
	required bool
	codec    *codec
}

// codec returns the codec of typ.
func (s *Schema) codec(typ reflect.Type) *codec {
	if c := s.codecs[typ]; c != nil {
		return c
	}
	c := &codec{typ: typ}
	s.codecs[typ] = c
	if typ.Implements(ruled) {
		c.rule = reflect.Zero(typ).Interface().(scalar.Ruled).Rule()
	}
	p := reflect.PointerTo(typ)
	switch {
	case p.Implements(secretType):
		s.secretCodec(c)
	case p.Implements(settingUnmarshaler):
		customCodec(c)
	case p.Implements(textUnmarshaler):
		textCodec(c)
	default:
		s.plainCodec(c)
	}
	if len(c.rule.Types) > 0 {
		c.types = c.rule.Types
	}
	return c
}

func (s *Schema) plainCodec(c *codec) {
	switch k := c.typ.Kind(); k {
	case reflect.Bool:
		boolCodec(c)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		intCodec(c)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		uintCodec(c)
	case reflect.Float64:
		floatCodec(c)
	case reflect.String:
		stringCodec(c)
	case reflect.Slice:
		s.listCodec(c)
	case reflect.Struct:
		s.tableCodec(c)
	default:
		panic(fmt.Sprintf("schema: type %s of kind %s cannot be a setting", c.typ, k))
	}
}

func (s *Schema) secretCodec(c *codec) {
	inner := func(v reflect.Value) reflect.Value {
		return reflect.ValueOf(v.Addr().Interface().(secret).Inner()).Elem()
	}
	c.secret = true
	c.elem = s.codec(inner(reflect.New(c.typ).Elem()).Type())
	c.rule, c.types = c.elem.rule, c.elem.types
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		p.secret = true
		if n.Kind == syntax.String && n.Text == scalar.Redacted {
			return p.fault(report.Redacted, n, "the value is the placeholder that stands for a hidden secret",
				"want the secret itself, or leave the setting out to keep it as it is")
		}
		return c.elem.decode(n, inner(v), p)
	}
	c.encode = func(dst []byte, v reflect.Value) []byte {
		a := reflect.New(c.typ).Elem() // v may not be addressable
		a.Set(v)
		return c.elem.encode(dst, inner(a))
	}
}

func customCodec(c *codec) {
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if t := jsonType(n); !slices.Contains(c.types, t) && (t != "integer" || !slices.Contains(c.types, "number")) {
			return p.wrongType(n, wantTypes(c.types))
		}
		if err := v.Addr().Interface().(settingDecoder).UnmarshalSetting(n); err != nil {
			return p.invalid(n, err, c.rule)
		}
		return true
	}
	c.encode = func(dst []byte, v reflect.Value) []byte {
		b, err := v.Interface().(json.Marshaler).MarshalJSON()
		if err != nil {
			panic(fmt.Sprintf("schema: encode %s: %v", c.typ, err))
		}
		return append(dst, b...)
	}
}

func textCodec(c *codec) {
	c.types = []string{"string"}
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if n.Kind != syntax.String {
			return p.wrongType(n, "a string")
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Text)); err != nil {
			return p.invalid(n, err, c.rule)
		}
		return true
	}
	c.encode = func(dst []byte, v reflect.Value) []byte {
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			panic(fmt.Sprintf("schema: encode %s: %v", c.typ, err))
		}
		return appendString(dst, string(b))
	}
}

func (s *Schema) listCodec(c *codec) {
	c.types = []string{"array"}
	c.elem = s.codec(c.typ.Elem())
	c.partSecret = c.elem.secret || c.elem.partSecret
	reshape, _ := reflect.Zero(c.typ).Interface().(reshaper)
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if reshape != nil {
			n = reshape.Reshape(n)
		}
		if n.Kind != syntax.Array {
			return p.hiding(c).wrongType(n, "a list")
		}
		out := reflect.MakeSlice(c.typ, len(n.Items), len(n.Items))
		ok := true
		for i, item := range n.Items {
			at := p.in("[" + strconv.Itoa(i) + "]")
			ok = c.elem.decode(item, out.Index(i), at) && ok
		}
		if ok {
			if l, is := out.Interface().(listChecker); is {
				if err := l.CheckList(); err != nil {
					return p.invalid(n, err, c.rule)
				}
			}
			v.Set(out)
		}
		return ok
	}
	c.encode = func(dst []byte, v reflect.Value) []byte {
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = c.elem.encode(dst, v.Index(i))
		}
		return append(dst, ']')
	}
}

// tableCodec is for the tables that are elements of lists.
func (s *Schema) tableCodec(c *codec) {
	c.types = []string{"object"}
	for i := range c.typ.NumField() {
		f := c.typ.Field(i)
		m := member{name: f.Tag.Get("setting"), doc: docs[docKey(c.typ)+"."+f.Name], index: i, required: f.Tag.Get("required") == "true"}
		t := f.Type
		if m.pointer = t.Kind() == reflect.Pointer; m.pointer {
			t = t.Elem()
		}
		m.codec = s.codec(t)
		c.partSecret = c.partSecret || m.codec.secret || m.codec.partSecret
		c.members = append(c.members, m)
	}
	c.decode = c.decodeTable
	c.encode = c.encodeTable
}

func (c *codec) decodeTable(n *syntax.Node, v reflect.Value, p place) bool {
	if n.Kind != syntax.Table {
		return p.hiding(c).wrongType(n, "a table")
	}
	ok := true
	for _, f := range n.Fields {
		at := p.in("." + f.Name)
		i := slices.IndexFunc(c.members, func(m member) bool { return m.name == f.Name })
		if i < 0 {
			ok = at.fault(report.UnknownSetting, &syntax.Node{Kind: syntax.Table, Pos: f.Pos}, fmt.Sprintf("there is no member %q here", f.Name), c.nearest(f.Name))
			continue
		}
		if f.Value.Kind == syntax.Null {
			continue // as for settings: not mentioned
		}
		m := c.members[i]
		fv := reflect.New(m.codec.typ).Elem()
		if !m.codec.decode(f.Value, fv, at) {
			ok = false
			continue
		}
		c.set(v, m, fv)
	}
	for _, m := range c.members {
		if m.required && n.Field(m.name) == nil {
			ok = p.fault(report.MissingMember, n, fmt.Sprintf("member %q is missing", m.name), "")
		}
	}
	return ok
}

func (c *codec) set(v reflect.Value, m member, fv reflect.Value) {
	if m.pointer {
		fv = fv.Addr()
	}
	v.Field(m.index).Set(fv)
}

func (c *codec) nearest(name string) string {
	var names []string
	for _, m := range c.members {
		names = append(names, m.name)
	}
	return nearestHint(name, names)
}

func (c *codec) encodeTable(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '{')
	first := true
	for _, m := range c.members {
		fv := v.Field(m.index)
		if fv.Kind() == reflect.Pointer || fv.Kind() == reflect.Slice || fv.Kind() == reflect.Map {
			if fv.IsNil() {
				continue
			}
		}
		if m.pointer {
			fv = fv.Elem()
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendString(dst, m.name), ':')
		dst = m.codec.encode(dst, fv)
	}
	return append(dst, '}')
}

func appendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil { // not UTF-8, which the readers refuse
		panic("schema: " + err.Error())
	}
	return out
}

// jsonType names the JSON type of n as rules do.
func jsonType(n *syntax.Node) string {
	switch n.Kind {
	case syntax.Bool:
		return "boolean"
	case syntax.Integer:
		return "integer"
	case syntax.Float:
		return "number"
	case syntax.String:
		return "string"
	case syntax.Array:
		return "array"
	case syntax.Table:
		return "object"
	}
	return n.Kind.String()
}

// wantTypes says "an integer or a string".
func wantTypes(types []string) string {
	names := map[string]string{"boolean": "true or false", "integer": "an integer", "number": "a number", "string": "a string", "array": "a list", "object": "a table"}
	var out []string
	for _, t := range types {
		out = append(out, names[t])
	}
	return strings.Join(out, " or ")
}
