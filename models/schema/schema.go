// Package schema gives settings documents their meaning.
//
// A schema is derived by reflection from the structs of package settings and
// from nothing else. It decodes text into documents, checks documents, turns
// them into typed settings, hides secrets, and describes every setting for
// JSON Schema, reference pages and completion.
package schema

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// A Kind says what stands at a node.
type Kind uint8

// The kinds of nodes.
const (
	Table Kind = iota // fixed members, perhaps with a Rest for all other names
	Map               // members named by the user
	Leaf              // a value
)

// A Node describes one setting or one table of settings.
type Node struct {
	Name       string // last segment, or "<name>" for the members of a map
	Kind       Kind
	Doc        string // what the setting does, from its doc comment
	Deprecated string // what to do instead; empty when not deprecated
	Aliases    []string
	Required   bool    // a mandatory member of its table
	Fields     []*Node // Table: the members, in the order of the struct
	Rest       *Node   // Table: the Map of all other names, or nil
	Elem       *Node   // Map: a member

	typ      reflect.Type
	index    int // of the struct field in the parent's struct
	pointer  bool
	byName   map[string]*Node
	keyCodec *codec // Map
	codec    *codec // Leaf
	demands  bool   // it or a node below has required members
	secrets  bool   // it or a node below holds secrets
}

// A Schema describes the settings of one variant. It may be used by several
// goroutines at once.
type Schema struct {
	root   *Node
	all    []string // names of all groups there are, also those the variant lacks
	owner  string   // the variant's name, for errors
	typ    reflect.Type
	codecs map[reflect.Type]*codec
	memo   memo
}

// For returns the schema of the groups of typ, a struct with one field per
// group of settings. Groups names those that the variant called owner has; nil
// means all. For panics when a type does not follow the rules for settings
// types, which a test of package settings would have found.
func For(typ reflect.Type, owner string, groups []string) *Schema {
	s := &Schema{owner: owner, typ: typ, codecs: map[reflect.Type]*codec{}}
	s.root = s.node("", typ)
	for _, f := range s.root.Fields {
		s.all = append(s.all, f.Name)
	}
	if groups != nil {
		s.root.Fields = slices.DeleteFunc(s.root.Fields, func(n *Node) bool { return !slices.Contains(groups, n.Name) })
		s.root.reindex()
	}
	return s
}

// Groups returns the names of the groups in the schema.
func (s *Schema) Groups() []string {
	var names []string
	for _, f := range s.root.Fields {
		names = append(names, f.Name)
	}
	return names
}

// AllGroups returns the names of all groups, also of those that this variant lacks.
func (s *Schema) AllGroups() []string { return s.all }

// Root returns the node of all settings.
func (s *Schema) Root() *Node { return s.root }

// Lookup returns the node that describes k.
func (s *Schema) Lookup(k key.Key) (*Node, bool) {
	n := s.root
	for seg := range k.Segments() {
		if n = n.child(seg); n == nil {
			return nil, false
		}
	}
	return n, true
}

// Canonical returns k with aliases replaced by the names they stand for.
func (s *Schema) Canonical(k key.Key) key.Key {
	n, out := s.root, key.Key{}
	for seg := range k.Segments() {
		if n != nil {
			n = n.child(seg)
		}
		if n != nil && slices.Contains(n.Aliases, seg) {
			seg = n.Name
		}
		out = out.Child(seg)
	}
	return out
}

// child returns the node of the member called name, or nil.
func (n *Node) child(name string) *Node {
	switch n.Kind {
	case Table:
		if c := n.byName[name]; c != nil {
			return c
		}
		if n.Rest != nil {
			return n.Rest.Elem
		}
	case Map:
		return n.Elem
	}
	return nil
}

// Secret reports whether the value of a Leaf is hidden from those who may not
// see secrets; Members of lists may be secret on their own, see Redact.
func (n *Node) Secret() bool { return n.Kind == Leaf && n.codec.secret }

// HoldsSecrets reports whether the value, or a part of it, is secret.
func (n *Node) HoldsSecrets() bool {
	return n.Kind == Leaf && (n.codec.secret || n.codec.partSecret)
}

// Walk calls f for n and every node below it with the path from n on; maps
// add "<name>". It is in the order of the structs.
func (n *Node) Walk(f func(path []string, n *Node)) { n.walk(nil, f) }

func (n *Node) walk(path []string, f func([]string, *Node)) {
	f(path, n)
	for _, c := range n.Fields {
		c.walk(append(slices.Clone(path), c.Name), f)
	}
	if n.Rest != nil {
		n.Rest.Elem.walk(append(slices.Clone(path), n.Rest.Elem.Name), f)
	}
	if n.Elem != nil {
		n.Elem.walk(append(slices.Clone(path), n.Elem.Name), f)
	}
}

// node describes typ.
func (s *Schema) node(name string, typ reflect.Type) *Node {
	n := &Node{Name: name}
	if typ.Kind() == reflect.Pointer {
		n.pointer = true
		typ = typ.Elem()
	}
	n.typ = typ
	switch {
	case isValueType(typ):
		n.Kind, n.codec = Leaf, s.codec(typ)
	case typ.Kind() == reflect.Map:
		n.Kind = Map
		n.keyCodec = s.codec(typ.Key())
		n.Elem = s.node("<"+elemName(n.keyCodec)+">", typ.Elem())
		if n.Elem.Kind != Leaf {
			n.Elem.Doc = typeDoc(docs[docKey(n.Elem.typ)])
		}
	default:
		n.Kind = Table
		s.members(n)
	}
	n.demands = n.hasDemands()
	n.secrets = n.HoldsSecrets() || n.any(func(c *Node) bool { return c.secrets })
	return n
}

// any reports whether f holds for a node right below n.
func (n *Node) any(f func(*Node) bool) bool {
	return slices.ContainsFunc(n.Fields, f) || n.Rest != nil && f(n.Rest) || n.Elem != nil && f(n.Elem)
}

func (n *Node) hasDemands() bool {
	return n.any(func(c *Node) bool { return c.Required || c.demands })
}

func (s *Schema) members(n *Node) {
	for i := range n.typ.NumField() {
		f := n.typ.Field(i)
		name, ok := f.Tag.Lookup("setting")
		if !ok || !f.IsExported() {
			panic(fmt.Sprintf("schema: field %s.%s has no setting tag or is not exported", n.typ, f.Name))
		}
		c := s.node(name, f.Type)
		c.index = i
		c.Doc = docs[docKey(n.typ)+"."+f.Name]
		if c.Doc == "" && c.Kind != Leaf {
			c.Doc = packageDoc(c.typ)
		}
		c.Deprecated = f.Tag.Get("deprecated")
		c.Required = f.Tag.Get("required") == "true"
		if a := f.Tag.Get("alias"); a != "" {
			c.Aliases = strings.Split(a, ",")
		}
		if name == "*" {
			c.Elem.Doc = c.Doc
			n.Rest = c
			continue
		}
		n.Fields = append(n.Fields, c)
	}
	n.reindex()
}

// reindex makes the look-up by name and alias.
func (n *Node) reindex() {
	n.byName = map[string]*Node{}
	for _, f := range n.Fields {
		n.byName[f.Name] = f
		for _, a := range f.Aliases {
			n.byName[a] = f
		}
	}
}

// isValueType reports whether typ is one value and not a table.
func isValueType(typ reflect.Type) bool {
	p := reflect.PointerTo(typ)
	if p.Implements(textUnmarshaler) || p.Implements(settingUnmarshaler) || p.Implements(secretType) {
		return true
	}
	return typ.Kind() != reflect.Struct && typ.Kind() != reflect.Map
}

const settingsPath = "/models/settings"

// docKey names typ as the generated docs do: "kubernetes.Settings".
func docKey(typ reflect.Type) string {
	_, pkg, ok := strings.Cut(typ.PkgPath(), settingsPath)
	if !ok {
		return ""
	}
	if pkg = strings.TrimPrefix(pkg, "/"); pkg == "" {
		pkg = "."
	}
	return pkg + "." + typ.Name()
}

// packageDoc gives the doc of the package of typ, which describes a group, in
// the form for users: "Package dns holds the …" becomes "The …".
func packageDoc(typ reflect.Type) string {
	pkg, _, _ := strings.Cut(docKey(typ), ".")
	doc := strings.TrimPrefix(docs[pkg], "Package "+pkg+" ")
	if _, rest, ok := strings.Cut(doc, " "); ok && doc != docs[pkg] {
		return strings.ToUpper(rest[:1]) + rest[1:]
	}
	return doc
}

// typeDoc gives the doc of the type of an entry in the form for users: "A
// Container is one host container." becomes "One host container."
func typeDoc(doc string) string {
	words := strings.SplitN(doc, " ", 4)
	if len(words) < 4 || words[2] != "is" || words[3] == "" {
		return doc
	}
	return strings.ToUpper(words[3][:1]) + words[3][1:]
}

// elemName gives the placeholder for the members of a map whose keys c reads.
func elemName(c *codec) string {
	switch c.rule.Name {
	case "", "identifier", "single line of text":
		return "name"
	}
	return strings.ReplaceAll(c.rule.Name, " ", "-")
}

// zero returns the zero value of the type of n, for the interfaces it has.
func zero(n *Node) any { return reflect.Zero(n.typ).Interface() }
