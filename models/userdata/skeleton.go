package userdata

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

// Skeleton returns user data for variant v that sets nothing and shows all that
// could be set. A line that begins with # and no blank is a setting; without
// the # it is set, whatever the other lines are.
func Skeleton(v *variant.Variant) []byte {
	s := skeleton{v: v}
	fmt.Fprintf(&s.out, `# User data for nodes of variant %s.
#
# Nothing here is set. To set something, take the # in front of its line away and
# change its value, which is the default or else an example. Each line stands for
# itself. Check the result: apiclient user-data validate --variant %s FILE
[settings]
`, v.Name, v.Name)
	for _, f := range v.Schema.Root().Fields {
		s.out.WriteByte('\n')
		s.node(f, key.Of(f.Name))
	}
	return s.out.Bytes()
}

type skeleton struct {
	v   *variant.Variant
	out bytes.Buffer
}

func (s *skeleton) node(n *schema.Node, at key.Key) {
	if n.Deprecated != "" {
		return
	}
	s.comment(sentence(n.Doc))
	switch n.Kind {
	case schema.Leaf:
		s.setting(n, at)
	case schema.Map:
		s.entry(n, at)
	default:
		for _, f := range n.Fields {
			s.node(f, at.Child(f.Name))
		}
		if n.Rest != nil {
			s.entry(n.Rest, at)
		}
	}
}

// entry shows one entry of a map: one that has a default, or else an example.
func (s *skeleton) entry(n *schema.Node, at key.Key) {
	name := "example"
	if d := n.DescribeKey(); len(d.Examples) > 0 {
		name = d.Examples[0]
	} else if len(d.Enum) > 0 {
		name = d.Enum[0]
	}
	for k := range s.v.Defaults.Under(at).All() {
		segments := slices.Collect(k.Segments())
		name = segments[at.Len()]
		break
	}
	if key.ValidSegment(name) != nil {
		return
	}
	elem := *n.Elem
	if elem.Doc == n.Doc {
		elem.Doc = ""
	}
	s.node(&elem, at.Child(name))
}

// setting shows a setting with a value.
func (s *skeleton) setting(n *schema.Node, at key.Key) {
	value, ok := s.v.Defaults.Get(at)
	if !ok {
		value = s.example(n, at)
	}
	if n.HoldsSecrets() {
		s.comment("It is secret: reads hide it.")
	}
	// As TOML has it, below [settings].
	name := strings.TrimPrefix(at.String(), key.Root+".")
	text := fmt.Sprintf("%s = %s", tomlPath(name), value.TOML())
	for line := range strings.SplitSeq(text, "\n") {
		s.out.WriteString("#" + line + "\n")
	}
}

// tomlPath quotes the segments of a key that TOML does not take as they are.
func tomlPath(text string) string {
	var out []string
	for _, step := range steps(text) {
		if strings.ContainsAny(step, "./") {
			step = `"` + step + `"`
		}
		out = append(out, step)
	}
	return strings.Join(out, ".")
}

// example returns a value that n accepts, or at worst an empty one.
func (s *skeleton) example(n *schema.Node, at key.Key) document.Value {
	d := n.Describe()
	guesses := []string{"true", "1", `["example.org"]`, `["10.0.0.1"]`, "[]", "a", "a=b", "value:NoSchedule", "10.0.0.1", "example.org", "https://example.org/", ""}
	for _, text := range slices.Concat(d.Examples, d.Enum, guesses) {
		if s.v.Schema.Accepts(n, text) != "" {
			continue
		}
		if node, fault := s.v.Schema.Coerce(at, text); fault == nil {
			return document.NewValue(string(document.NodeJSON(nil, node)))
		}
	}
	return document.StringValue("")
}

// comment writes text as comments of at most 80 columns.
func (s *skeleton) comment(text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			s.out.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	if line != "#" {
		s.out.WriteString(line + "\n")
	}
}

// sentence returns the first sentence of doc.
func sentence(doc string) string {
	first, _, cut := strings.Cut(strings.ReplaceAll(doc, "\n", " "), ". ")
	if cut {
		first += "."
	}
	return first
}
