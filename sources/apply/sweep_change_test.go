package apply

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// Texts that stand for a value that is taken away. A setting with a default has
// that again; without is one that would have no default.
const (
	unset   = "(unset)"
	without = "(without a default)"
)

// A changed is the document with another value for one setting.
type changed struct {
	key  key.Key
	text string
	doc  document.Document
}

// A leaf is the path of a setting, with names in angle brackets for any.
type leaf []string

func (l leaf) String() string { return strings.Join(l, ".") }

func declaresContainers(s *schema.Schema) bool {
	_, ok := s.Lookup(key.Key{}.Child("containers"))
	return ok
}

// inContainers are settings that have no value where no containers can be declared.
var inContainers = []string{"updates.health-checks.<name>.container", "updates.health-checks.<name>.command"}

func (s *sweep) leaves() []leaf {
	var out []leaf
	s.v.Schema.Root().Walk(func(path []string, n *schema.Node) {
		if n.Kind == schema.Leaf && (declaresContainers(s.v.Schema) || !slices.Contains(inContainers, leaf(path).String())) {
			out = append(out, path)
		}
	})
	return out
}

// change finds another value for a setting, of an entry that the document has
// where names are free. One that changes a file goes before others.
func (s *sweep) change(l leaf) (changed, bool) {
	const enough = 12
	var accepted []changed
	for _, k := range s.keys(l) {
		n, ok := s.v.Schema.Lookup(k)
		if !ok {
			continue
		}
		var patches []document.Patch
		texts := append(candidates(s.base, k, n), s.others...)
		for _, text := range texts {
			in := s.v.Schema.ReadPairs([]string{k.String() + "=" + text})
			if in.Report.HasErrors() {
				in.Patch = document.Patch{}
			}
			patches = append(patches, in.Patch)
		}
		none := document.Patch{Unset: []key.Key{k}}
		patches, texts = append(patches, none, none), append(texts, unset, without)
		for i, p := range patches {
			doc, ok := s.effective(p)
			if texts[i] == without {
				doc = s.base.Apply(p)
				ok = !s.v.Schema.Check(doc).HasErrors()
			}
			if !ok || p.IsEmpty() || doc.Equal(s.base) {
				continue
			}
			ch := changed{k, texts[i], doc}
			if accepted = append(accepted, ch); len(s.expected(ch).files) > 0 {
				return ch, true
			} else if len(accepted) == enough {
				return accepted[0], true
			}
		}
	}
	if accepted == nil {
		return changed{}, false
	}
	return accepted[0], true
}

// candidates are texts that may be other values for k.
func candidates(doc document.Document, k key.Key, n *schema.Node) []string {
	d := n.Describe()
	out := slices.Concat(d.Enum, d.Examples)
	if v, ok := doc.Get(k); ok {
		text := strings.Trim(v.JSON(), `"`)
		if i, err := strconv.Atoi(text); err == nil {
			out = append([]string{strconv.Itoa(i + 1), strconv.Itoa(i - 1)}, out...)
		}
	}
	var lists []string
	for _, text := range append(out, "swept", "https://swept.example.org/", "192.0.2.99", "swept:NoSchedule") {
		lists = append(lists, "["+strconv.Quote(text)+"]", "[["+strconv.Quote(text)+"]]")
	}
	return slices.Concat(out, []string{
		"true", "false", "1", "2", "swept", "swept.example.org", "https://swept.example.org/", "1h", "1Gi", "c3dlcHQ=",
		`[["apiclient", "get"]]`, `[["192.0.2.99", ["swept"]]]`, `[{"registry": "swept.example.org", "endpoint": ["https://swept.example.org/"]}]`,
		`[{"registry": "swept.example.org", "username": "swept", "password": "swept-word"}]`,
	}, lists)
}

// keys returns the keys that path may stand for, those in the document first.
func (s *sweep) keys(path []string) []key.Key {
	out := []key.Key{{}}
	for _, seg := range path {
		var next []key.Key
		for _, k := range out {
			if !strings.HasPrefix(seg, "<") {
				next = append(next, k.Child(seg))
				continue
			}
			for _, name := range s.names(k) {
				next = append(next, k.Child(name))
			}
		}
		out = next
	}
	return out
}

func (s *sweep) names(k key.Key) []string {
	n, ok := s.v.Schema.Lookup(k)
	if !ok {
		return nil
	}
	var out []string
	for entry := range s.base.Under(k).All() {
		if name := slices.Collect(entry.Segments())[k.Len()]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	free := n
	if n.Rest != nil {
		free = n.Rest
	}
	if free.Kind == schema.Map {
		d := free.DescribeKey()
		out = append(append(out, d.Enum...), d.Examples...)
	}
	isField := func(name string) bool {
		return slices.ContainsFunc(n.Fields, func(f *schema.Node) bool { return f.Name == name || slices.Contains(f.Aliases, name) })
	}
	return slices.DeleteFunc(append(out, "swept"), isField)
}
