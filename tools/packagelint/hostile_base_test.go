package packagelint_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

// crowded are the documents that together set nearly everything; of settings
// in several the last counts.
var crowded = []string{"rest", "nvidia", "ecs", "kubernetes-aws", "full"}

// modes change the crowd so that files are rendered which it leaves out.
var modes = map[string][]string{
	"tls": {"kubernetes.static-pods-enabled=true"},
	"aws": {"kubernetes.authentication-mode=aws", "image-verifier-plugins.enabled=false", "container-runtime.snapshotter=soci"},
}

// crowd returns a document for c with as many settings as possible: what the
// variant has of crowded, and an example for each setting that is not in it.
func crowd(t *testing.T, c packagelint.Composition, mode string) document.Document {
	t.Helper()
	user := document.Document{}
	for _, name := range crowded {
		data, err := os.ReadFile(filepath.Join(documents, name+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		user = user.Apply(c.Schema.ReadTOML(data, schema.Options{}).Patch) // without what the variant does not have
	}
	user = user.Apply(c.Schema.ReadPairs(modes[mode]).Patch)
	out, rep := c.Validate(user, document.Document{})
	if err := rep.Err(); err != nil {
		t.Fatalf("variant %s, mode %s: %v", c.Name, mode, err)
	}
	c.Schema.Root().Walk(func(path []string, n *schema.Node) {
		if n.Kind == schema.Leaf && !slices.ContainsFunc(out.Keys(), func(k key.Key) bool { return matches(path, k) }) {
			out = withExample(c, out, path, n)
		}
	})
	return out
}

// matches reports whether path, in which names in angle brackets stand for any,
// leads to k.
func matches(path []string, k key.Key) bool {
	i := 0
	for seg := range k.Segments() {
		if i >= len(path) || path[i] != seg && !strings.HasPrefix(path[i], "<") {
			return false
		}
		i++
	}
	return i == len(path)
}

// withExample returns doc with an example for the setting at path, if it has
// one that fits to doc.
func withExample(c packagelint.Composition, doc document.Document, path []string, n *schema.Node) document.Document {
	for _, k := range keysFor(c.Schema, doc, path) {
		d := n.Describe()
		for _, text := range slices.Concat(d.Enum, d.Examples, []string{"true", "1", `["harmless"]`}) {
			in := c.Schema.ReadPairs([]string{k.String() + "=" + text})
			if in.Report.HasErrors() {
				continue
			}
			next := doc.Apply(in.Patch)
			if rep := c.Schema.Check(next); !rep.HasErrors() {
				return next
			}
		}
	}
	return doc
}

// keysFor returns keys that path may stand for: names of entries that doc has,
// and examples of names.
func keysFor(s *schema.Schema, doc document.Document, path []string) []key.Key {
	out := []key.Key{{}}
	for _, seg := range path {
		var next []key.Key
		for _, k := range out {
			if !strings.HasPrefix(seg, "<") {
				next = append(next, k.Child(seg))
				continue
			}
			for _, name := range namesAt(s, doc, k) {
				next = append(next, k.Child(name))
			}
		}
		out = next
	}
	return out
}

func namesAt(s *schema.Schema, doc document.Document, k key.Key) []string {
	var out []string
	for entry := range doc.Under(k).All() {
		name := slices.Collect(entry.Segments())[k.Len()]
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	n, ok := s.Lookup(k)
	switch {
	case !ok:
	case n.Kind == schema.Map:
		d := n.DescribeKey()
		out = append(append(out, d.Enum...), d.Examples...)
	case n.Rest != nil:
		d := n.Rest.DescribeKey()
		out = slices.DeleteFunc(append(append(out, d.Enum...), d.Examples...), func(name string) bool { return isField(n, name) })
	}
	return append(out, "harmless")
}

func isField(n *schema.Node, name string) bool {
	return slices.ContainsFunc(n.Fields, func(f *schema.Node) bool { return f.Name == name || slices.Contains(f.Aliases, name) })
}

// A slot is a place for text in a document: a setting, an item of a list, a
// member of a table in one, or the name of an entry.
type slot struct {
	setting key.Key // the leaf, or the table with the entry
	name    string  // of the slot, for people
	now     string  // what is there
	root    *syntax.Node
	path    []int // to the value, or to the entry that has the name
	isName  bool
}

// slots returns the places for text in doc.
func slots(t *testing.T, s *schema.Schema, doc document.Document) []slot {
	t.Helper()
	w := slotWalk{schema: s, root: treeOf(t, doc)}
	w.table(s.Root(), w.root, key.Key{}, nil)
	return w.out
}

func treeOf(t *testing.T, doc document.Document) *syntax.Node {
	t.Helper()
	root, rep := syntax.JSON(doc.JSON(), syntax.DefaultLimits)
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	return root
}

type slotWalk struct {
	schema *schema.Schema
	root   *syntax.Node
	out    []slot
}

func (w *slotWalk) table(n *schema.Node, at *syntax.Node, k key.Key, path []int) {
	for i, f := range at.Fields {
		child, ok := w.schema.Lookup(k.Child(f.Name))
		if !ok {
			continue
		}
		path := append(slices.Clone(path), i)
		if n.Kind == schema.Map || n.Rest != nil && !isField(n, f.Name) {
			w.out = append(w.out, slot{k, k.String() + ".<name>", f.Name, w.root, path, true})
		}
		if child.Kind == schema.Leaf {
			w.value(f.Value, k.Child(f.Name), k.Child(f.Name).String(), path)
			continue
		}
		w.table(child, f.Value, k.Child(f.Name), path)
	}
}

func (w *slotWalk) value(n *syntax.Node, k key.Key, name string, path []int) {
	if n.Kind == syntax.String {
		w.out = append(w.out, slot{k, name, n.Text, w.root, path, false})
	}
	for i, item := range n.Items {
		w.value(item, k, name+"[]", append(slices.Clone(path), i))
	}
	for i, f := range n.Fields {
		w.value(f.Value, k, name+"."+f.Name, append(slices.Clone(path), i))
	}
}

// put returns the document with text in the slot.
func (s slot) put(text string) *syntax.Node { return s.putIn(s.root, s.path, text) }

func (s slot) putIn(n *syntax.Node, path []int, text string) *syntax.Node {
	out := *n
	if len(path) == 0 {
		out.Text = text
		return &out
	}
	i := path[0]
	if n.Kind == syntax.Array {
		out.Items = slices.Clone(n.Items)
		out.Items[i] = s.putIn(n.Items[i], path[1:], text)
		return &out
	}
	out.Fields = slices.Clone(n.Fields)
	if s.isName && len(path) == 1 {
		out.Fields[i].Name = text
		return &out
	}
	out.Fields[i].Value = s.putIn(n.Fields[i].Value, path[1:], text)
	return &out
}

// stored returns what a document that came of put holds instead of text: types
// may have one spelling for several.
func (s slot) stored(t *testing.T, doc document.Document, text string) string {
	t.Helper()
	if s.isName {
		return text
	}
	n, from := treeOf(t, doc), s.root
	for _, i := range s.path {
		if from.Kind == syntax.Array {
			if n.Kind != syntax.Array || i >= len(n.Items) {
				return text
			}
			n, from = n.Items[i], from.Items[i]
			continue
		}
		if n, from = n.Field(from.Fields[i].Name), from.Fields[i].Value; n == nil {
			return text
		}
	}
	return n.Text
}
