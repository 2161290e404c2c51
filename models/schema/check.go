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
// out. Lists in out may be shared with other results: they are for reading.
func (s *Schema) Bind(doc document.Document, out any) report.Report {
	v := reflect.ValueOf(out)
	if v.Type() != reflect.PointerTo(s.typ) {
		panic(fmt.Sprintf("schema: bind to %s, want *%s", v.Type(), s.typ))
	}
	var rep report.Report
	for k, val := range doc.All() {
		if leaf, ok := s.leaf(k, val, &rep); ok {
			put(s.root, v.Elem(), k, leaf)
		}
	}
	return rep
}

// leaf decodes the stored value val of k.
func (s *Schema) leaf(k key.Key, val document.Value, rep *report.Report) (reflect.Value, bool) {
	if leaf, ok := s.memo.get(k, val); ok {
		return leaf, true
	}
	node, ok := s.known(k, rep)
	if !ok {
		return reflect.Value{}, false
	}
	n, faults := nodeOf(val)
	if n == nil {
		faults.Faults[0].Path = k.String()
		rep.Merge(faults)
		return reflect.Value{}, false
	}
	leaf := reflect.New(node.typ).Elem()
	if !node.codec.decode(n, leaf, place{rep: rep, key: k, secret: node.codec.secret}) {
		return reflect.Value{}, false
	}
	s.memo.put(k, val, leaf)
	return leaf, true
}

// known finds the leaf node of k and checks the names on the way that users
// choose.
func (s *Schema) known(k key.Key, rep *report.Report) (*Node, bool) {
	node, ok := s.root, true
	for seg := range k.Segments() {
		names := node
		if node.Kind == Table && node.byName[seg] == nil {
			names = node.Rest
		}
		if names != nil && names.Kind == Map {
			_, valid := names.mapKey(seg, place{rep: rep, key: k})
			ok = ok && valid
		}
		if node = node.child(seg); node == nil {
			break
		}
	}
	if node == nil || node.Kind != Leaf {
		rep.Add(report.Fault{Code: report.UnknownSetting, Path: k.String(), Detail: "there is no such setting", Hint: s.Nearest(k)})
		return nil, false
	}
	return node, ok
}

// mapKey decodes name as a key of the map n.
func (n *Node) mapKey(name string, p place) (reflect.Value, bool) {
	v := reflect.New(n.keyCodec.typ).Elem()
	return v, n.keyCodec.decode(syntax.NewString(name), v, p)
}

// put stores leaf at the setting k below v, which node describes.
func put(node *Node, v reflect.Value, k key.Key, leaf reflect.Value) {
	switch node.Kind {
	case Leaf:
		v.Set(leaf)
	case Map:
		putEntry(node, v, k, leaf)
	default:
		name, rest := k.Cut()
		c := node.byName[name]
		if c == nil {
			put(node.Rest, v.Field(node.Rest.index), k, leaf)
			return
		}
		fv := v.Field(c.index)
		if c.pointer {
			if fv.IsNil() {
				fv.Set(reflect.New(c.typ))
			}
			fv = fv.Elem()
		}
		put(c, fv, rest, leaf)
	}
}

// putEntry stores leaf in an entry of the map v.
func putEntry(node *Node, v reflect.Value, k key.Key, leaf reflect.Value) {
	name, rest := k.Cut()
	mk, _ := node.mapKey(name, place{rep: &report.Report{}}) // known has checked it
	if v.IsNil() {
		v.Set(reflect.MakeMap(node.typ))
	}
	elem := reflect.New(node.typ.Elem()).Elem()
	if old := v.MapIndex(mk); old.IsValid() {
		elem.Set(old)
	}
	put(node.Elem, elem, rest, leaf)
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
	var rep report.Report
	bad := map[key.Key]bool{}
	for k, val := range doc.All() {
		if _, ok := s.leaf(k, val, &rep); !ok {
			bad[k] = true
		}
	}
	if len(bad) == 0 {
		return doc, rep
	}
	return doc.Filter(func(k key.Key, _ document.Value) bool { return !bad[k] }), rep
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
