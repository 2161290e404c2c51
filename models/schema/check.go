package schema

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A Checker has rules across its fields.
type Checker interface{ Check(p report.Place) }

// Bind sets the fields of out, a pointer to the struct the schema was made
// for, from doc. Leaves that the schema does not accept are reported and left
// out.
func (s *Schema) Bind(doc document.Document, out any) report.Report {
	v := reflect.ValueOf(out)
	if v.Type() != reflect.PointerTo(s.typ) {
		panic(fmt.Sprintf("schema: bind to %s, want *%s", v.Type(), s.typ))
	}
	var b binder
	for k, val := range doc.All() {
		b.leaf(s, v.Elem(), k, val)
	}
	return b.rep
}

type binder struct{ rep report.Report }

func (b *binder) leaf(s *Schema, v reflect.Value, k key.Key, val document.Value) {
	node, ok := s.Lookup(k)
	if !ok || node.Kind != Leaf {
		b.rep.Add(report.Fault{Code: report.UnknownSetting, Path: k.String(), Detail: "there is no such setting", Hint: s.Nearest(k)})
		return
	}
	n, rep := nodeOf(val)
	if n == nil {
		rep.Faults[0].Path = k.String()
		b.rep.Merge(rep)
		return
	}
	leaf := reflect.New(node.typ).Elem()
	if node.codec.decode(n, leaf, place{rep: &b.rep, key: k, secret: node.codec.secret}) {
		b.put(s.root, v, k, leaf, k)
	}
}

// put stores leaf at the setting k below v, which node describes; whole
// names the setting.
func (b *binder) put(node *Node, v reflect.Value, k key.Key, leaf reflect.Value, whole key.Key) {
	if node.Kind == Leaf {
		v.Set(leaf)
		return
	}
	name, rest := k.Cut()
	if node.Kind == Table {
		c := node.byName[name]
		if c == nil {
			b.put(node.Rest, v.Field(node.Rest.index), k, leaf, whole)
			return
		}
		fv := v.Field(c.index)
		if c.pointer {
			if fv.IsNil() {
				fv.Set(reflect.New(c.typ))
			}
			fv = fv.Elem()
		}
		b.put(c, fv, rest, leaf, whole)
		return
	}
	mk := reflect.New(node.keyCodec.typ).Elem()
	if !node.keyCodec.decode(syntax.NewString(name), mk, place{rep: &b.rep, key: whole}) {
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(node.typ))
	}
	elem := reflect.New(node.typ.Elem()).Elem()
	if old := v.MapIndex(mk); old.IsValid() {
		elem.Set(old)
	}
	b.put(node.Elem, elem, rest, leaf, whole)
	v.SetMapIndex(mk, elem)
}

// Check finds everything that is wrong with doc as a whole: leaves that are
// unknown or not valid, members that are missing, and settings that contradict
// one another.
func (s *Schema) Check(doc document.Document) report.Report {
	v := reflect.New(s.typ)
	rep := s.Bind(doc, v.Interface())
	rep.Merge(s.CheckMembers(doc))
	s.checkFields(v, &rep)
	return rep
}

func (s *Schema) checkFields(v reflect.Value, rep *report.Report) {
	for _, g := range s.root.Fields {
		f := v.Elem().Field(g.index)
		if f.IsZero() {
			continue
		}
		if f.Kind() != reflect.Pointer {
			f = f.Addr()
		}
		if c, ok := f.Interface().(Checker); ok {
			c.Check(report.NewPlace(rep, key.Of(g.Name)))
		}
	}
	if c, ok := v.Interface().(Checker); ok {
		c.Check(report.NewPlace(rep, key.Key{}))
	}
}

// CheckMembers reports the mandatory members that are missing from tables of
// which doc has any leaf.
func (s *Schema) CheckMembers(doc document.Document) report.Report {
	var rep report.Report
	seen := map[key.Key]bool{}
	var last key.Key // leaves come sorted: neighbours have the same tables
	for k := range doc.All() {
		table := k.Parent()
		if table != last {
			s.demand(doc, table, seen, &rep)
		}
		last = table
	}
	return rep
}

// demand checks table and the tables on the way to it.
func (s *Schema) demand(doc document.Document, table key.Key, seen map[key.Key]bool, rep *report.Report) {
	node, at := s.root, key.Key{}
	for seg := range table.Segments() {
		if node == nil || !node.demands {
			return
		}
		node, at = node.child(seg), at.Child(seg)
		if node == nil || node.Kind != Table || seen[at] {
			continue
		}
		seen[at] = true
		for _, f := range node.Fields {
			if f.Required && doc.Under(at.Child(f.Name)).Len() == 0 {
				rep.Add(report.Fault{
					Code: report.MissingMember, Path: at.Child(f.Name).String(),
					Detail: fmt.Sprintf("is missing: it is mandatory once any other member of %s is set", at),
				})
			}
		}
	}
}

// Valid returns doc without the leaves that the schema does not accept, and
// says which these are. It is for stored settings: an image may know less
// than the one that stored them.
func (s *Schema) Valid(doc document.Document) (document.Document, report.Report) {
	rep := s.Bind(doc, reflect.New(s.typ).Interface())
	if !rep.HasErrors() {
		return doc, rep
	}
	bad := map[string]bool{}
	for _, f := range rep.Faults {
		path, _, _ := strings.Cut(f.Path, "[")
		bad[path] = true
	}
	return doc.Filter(func(k key.Key, _ document.Value) bool { return !bad[k.String()] }), rep
}

// Locate gives the faults of rep that have no place the place of their setting
// in the text, where positions has it.
func Locate(rep *report.Report, positions map[key.Key]syntax.Pos) {
	for i, f := range rep.Faults {
		if f.Line != 0 {
			continue
		}
		path, _, _ := strings.Cut(f.Path, "[")
		k, err := key.Parse(path)
		if err != nil {
			continue
		}
		p, ok := positions[k]
		if !ok { // a missing member: its table's first leaf is near enough
			p = firstBelow(positions, k.Parent())
		}
		rep.Faults[i].Line, rep.Faults[i].Column = p.Line, p.Column
	}
}

func firstBelow(positions map[key.Key]syntax.Pos, table key.Key) syntax.Pos {
	var first syntax.Pos
	if table.IsRoot() {
		return first
	}
	for k, p := range positions {
		if k.Under(table) && (first.Line == 0 || p.Line < first.Line || p.Line == first.Line && p.Column < first.Column) {
			first = p
		}
	}
	return first
}
