package schema

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A NullRule says what a JSON null stands for.
type NullRule uint8

// The meanings of null: a member that is not mentioned (application/json), or
// one that is unset (application/merge-patch+json).
const (
	NullIsAbsent NullRule = iota
	NullUnsets
)

// Options tell how to read.
type Options struct {
	Null NullRule
	// Beside is how grave it is that something stands beside an outer table
	// "settings"; Error when empty. Warning is for whole documents, in which
	// other programs may keep tables of theirs; what stands there is ignored.
	Beside report.Severity
	Limits syntax.Limits // zero means syntax.DefaultLimits
}

// An Input is what was read from one text.
type Input struct {
	Patch     document.Patch
	Positions map[key.Key]syntax.Pos // where each leaf stands; nil when not from a text
	Report    report.Report          // all faults, warnings included
}

// ReadJSON reads settings from JSON. An outer table "settings" is unwrapped.
// When the report has errors, the patch holds what is valid.
func (s *Schema) ReadJSON(data []byte, opt Options) Input {
	n, rep := syntax.JSON(data, opt.limits())
	return s.read(n, rep, opt)
}

// ReadTOML is ReadJSON for TOML, which has no null.
func (s *Schema) ReadTOML(data []byte, opt Options) Input {
	n, rep := syntax.TOML(data, opt.limits())
	return s.read(n, rep, opt)
}

func (o Options) limits() syntax.Limits {
	if o.Limits == (syntax.Limits{}) {
		return syntax.DefaultLimits
	}
	return o.Limits
}

func (s *Schema) read(n *syntax.Node, rep report.Report, opt Options) Input {
	if n == nil {
		return Input{Report: rooted(rep)}
	}
	rep = rooted(rep)
	if n.Kind == syntax.Table {
		if inner := n.Field(key.Root); inner != nil {
			for _, f := range n.Fields {
				if f.Name != key.Root {
					rep.Add(beside(f, opt.Beside))
				}
			}
			n = inner
		}
	}
	in := s.Decode(n, opt)
	rep.Merge(in.Report)
	rep.Sort()
	in.Report = rep
	return in
}

func beside(f syntax.Field, s report.Severity) report.Fault {
	detail := fmt.Sprintf("%q stands beside %q", f.Name, key.Root)
	if s == report.Warning {
		detail += " and is ignored"
	}
	return report.Fault{
		Severity: s, Code: report.UnknownSetting, Path: f.Name, Line: f.Pos.Line, Column: f.Pos.Column,
		Detail: detail, Hint: "settings belong below [settings]",
	}
}

// rooted gives the paths of faults of the text the form of setting keys.
func rooted(rep report.Report) report.Report {
	for i, f := range rep.Faults {
		if f.Path != "" && f.Path != key.Root && !hasRoot(f.Path) {
			rep.Faults[i].Path = key.Root + "." + f.Path
		}
	}
	return rep
}

func hasRoot(path string) bool {
	return len(path) > len(key.Root) && path[:len(key.Root)] == key.Root && path[len(key.Root)] == '.'
}

// Decode reads the content of "settings" from n.
func (s *Schema) Decode(n *syntax.Node, opt Options) Input {
	d := decoder{opt: opt, schema: s, pos: map[key.Key]syntax.Pos{}}
	if n.Kind != syntax.Table {
		place{rep: &d.rep}.wrongType(n, "a table")
		return Input{Report: d.rep}
	}
	d.table(s.root, n, key.Key{})
	slices.SortFunc(d.unset, key.Key.Compare)
	return Input{
		Patch:     document.Patch{Set: document.Of(d.leaves...), Unset: slices.Compact(d.unset)},
		Positions: d.pos, Report: d.rep,
	}
}

type decoder struct {
	opt    Options
	schema *Schema
	rep    report.Report
	leaves []document.Leaf
	unset  []key.Key
	pos    map[key.Key]syntax.Pos
}

func (d *decoder) fault(code report.Code, k string, p syntax.Pos, detail, hint string) {
	d.rep.Add(report.Fault{Code: code, Path: k, Detail: detail, Hint: hint, Line: p.Line, Column: p.Column})
}

// table reads n, a table, into the settings described by node.
func (d *decoder) table(node *Node, n *syntax.Node, at key.Key) {
	seen := map[*Node]string{} // a name and its alias are the same setting
	for _, f := range n.Fields {
		c, k, ok := d.member(node, f, at)
		if !ok {
			continue
		}
		if c.Name == f.Name || len(c.Aliases) > 0 {
			if first, twice := seen[c]; twice && node.Kind == Table {
				d.fault(report.DuplicateKey, k.String(), f.Pos, fmt.Sprintf("given twice, as %q and as %q", first, f.Name), "")
				continue
			}
			seen[c] = f.Name
		}
		d.value(c, f, k)
	}
}

// member finds the node and the key for f, a member of the table at at.
func (d *decoder) member(node *Node, f syntax.Field, at key.Key) (*Node, key.Key, bool) {
	if node.Kind == Table {
		if c := node.byName[f.Name]; c != nil {
			return c, at.Child(c.Name), true
		}
		if node.Rest == nil {
			d.fault(report.UnknownSetting, unknownPath(at, f.Name), f.Pos, fmt.Sprintf("there is no setting %q here", f.Name), d.schema.unknownHint(node, f.Name))
			return nil, key.Key{}, false
		}
		node = node.Rest
	}
	name, ok := d.mapKey(node, f, at)
	if !ok {
		return nil, key.Key{}, false
	}
	k := at.Child(name)
	if n := k.TextLen(); n > key.MaxLength {
		d.fault(report.InvalidKey, k.String(), f.Pos, fmt.Sprintf("the key has %d bytes", n), fmt.Sprintf("want at most %d", key.MaxLength))
		return nil, key.Key{}, false
	}
	return node.Elem, k, true
}

// mapKey checks a name chosen by the user and gives its canonical form.
func (d *decoder) mapKey(node *Node, f syntax.Field, at key.Key) (string, bool) {
	if err := key.ValidSegment(f.Name); err != nil {
		d.fault(report.InvalidKey, unknownPath(at, f.Name), f.Pos, fmt.Sprintf("name %q %v", f.Name, err), "")
		return "", false
	}
	var rep report.Report
	v := reflect.New(node.keyCodec.typ).Elem()
	name := syntax.Node{Kind: syntax.String, Text: f.Name, Pos: f.Pos}
	if node.keyCodec.decode(&name, v, place{rep: &rep, key: at, suffix: "." + f.Name}) {
		return keyText(v), true
	}
	for _, fault := range rep.Faults {
		fault.Code, fault.Value, fault.Path = report.InvalidKey, "", unknownPath(at, f.Name)
		if e := node.keyCodec.rule.Enum; len(e) > 0 {
			if h := nearestHint(f.Name, e); h != "" {
				fault.Hint = h
			}
		}
		d.rep.Add(fault)
	}
	return "", false
}

// keyText gives the text of a map key, a type of text or an enumeration.
func keyText(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic(fmt.Sprintf("schema: encode %s: %v", v.Type(), err))
		}
		return string(text)
	}
	return v.String()
}

// unknownPath prints the path of a name that may not be a valid segment.
func unknownPath(at key.Key, name string) string {
	if key.ValidSegment(name) == nil {
		return at.Child(name).String()
	}
	return fmt.Sprintf("%s.%q", at, name)
}

func (d *decoder) value(c *Node, f syntax.Field, k key.Key) {
	if f.Value.Kind == syntax.Null {
		if d.opt.Null == NullUnsets {
			d.unset = append(d.unset, k)
		}
		return
	}
	if c.Deprecated != "" {
		d.rep.Add(report.Fault{
			Severity: report.Warning, Code: report.Deprecated, Path: k.String(), Line: f.Pos.Line, Column: f.Pos.Column,
			Detail: "the setting is deprecated", Hint: c.Deprecated,
		})
	}
	if c.Kind == Leaf {
		d.leaf(c, f.Value, k)
		return
	}
	if f.Value.Kind != syntax.Table {
		place{rep: &d.rep, key: k, secret: c.secrets}.wrongType(f.Value, "a table")
		return
	}
	d.table(c, f.Value, k)
}

func (d *decoder) leaf(c *Node, n *syntax.Node, k key.Key) {
	v := reflect.New(c.typ).Elem()
	if !c.codec.decode(n, v, place{rep: &d.rep, key: k, secret: c.codec.secret}) {
		return
	}
	d.leaves = append(d.leaves, document.Leaf{Key: k, Value: document.NewValue(string(c.codec.encode(nil, v)))})
	d.pos[k] = n.Pos
}
