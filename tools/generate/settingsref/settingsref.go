// Package settingsref writes the reference pages of all settings, one page a
// group, from the schema and the variants.
package settingsref

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

// Pages returns the pages by file name: README.md, which lists all settings,
// and GROUP.md for each group.
func Pages(variants fs.FS) (map[string][]byte, error) {
	names, err := variant.Names(variants)
	if err != nil {
		return nil, err
	}
	var all []*variant.Variant
	for _, n := range names {
		v, err := variant.Load(variants, n)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	w := writer{schema: schema.For(settings.Type, "", nil), variants: all}
	pages := map[string][]byte{"README.md": w.index()}
	for _, g := range w.schema.Root().Fields {
		pages[g.Name+".md"] = w.group(g)
	}
	return pages, nil
}

const notice = "<!-- Made by \"shipyard generate\" from the settings types. Do not edit. -->\n\n"

type writer struct {
	schema   *schema.Schema
	variants []*variant.Variant
}

func (w writer) index() []byte {
	var b bytes.Buffer
	b.WriteString(notice + "# Settings\n\nEvery setting there is, by group. `apiclient schema KEY` says the same on a node.\n")
	for _, g := range w.schema.Root().Fields {
		fmt.Fprintf(&b, "\n## [%s](%s.md)\n\n%s\n\n", g.Name, g.Name, firstSentence(g.Doc))
		if g.Kind == schema.Leaf {
			continue
		}
		b.WriteString("| setting | type | |\n|---|---|---|\n")
		g.Walk(func(path []string, n *schema.Node) {
			if n.Kind != schema.Leaf {
				return
			}
			fmt.Fprintf(&b, "| [`%s`](%s.md#%s) | %s | %s |\n", display(path), g.Name, anchor(display(path)), n.Describe().Type, cell(firstSentence(n.Doc)))
		})
	}
	return b.Bytes()
}

func (w writer) group(g *schema.Node) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# settings.%s\n\n", notice, g.Name)
	if g.Kind != schema.Leaf {
		fmt.Fprintf(&b, "%s\n\n", g.Doc)
	}
	fmt.Fprintf(&b, "Variants: %s.\n", w.having(g.Name))
	g.Walk(func(path []string, n *schema.Node) {
		w.setting(&b, g, path, n)
	})
	return b.Bytes()
}

func (w writer) having(group string) string {
	var names []string
	for _, v := range w.variants {
		if slices.Contains(v.Schema.Groups(), group) {
			names = append(names, v.Name)
		}
	}
	if len(names) == len(w.variants) {
		return "all"
	}
	if len(names) == 0 {
		return "none yet"
	}
	return strings.Join(names, ", ")
}

// setting writes the section of n, which stands at path below its group g.
func (w writer) setting(b *bytes.Buffer, g *schema.Node, path []string, n *schema.Node) {
	if n.Kind != schema.Leaf {
		if len(path) > 0 && n.Doc != "" {
			fmt.Fprintf(b, "\n## `%s`\n\n%s\n", display(path), n.Doc)
		}
		return
	}
	if len(path) > 0 {
		fmt.Fprintf(b, "\n## `%s`\n", display(path))
	}
	fmt.Fprintf(b, "\n%s\n\n", n.Doc)
	d := n.Describe()
	fmt.Fprintf(b, "* Type: %s", d.Type)
	if d.Accepts != "" {
		fmt.Fprintf(b, "; accepts %s", d.Accepts)
	}
	b.WriteString("\n")
	w.notes(b, n, d)
	w.defaults(b, append([]string{g.Name}, path...))
	members(b, n)
}

func (w writer) notes(b *bytes.Buffer, n *schema.Node, d schema.Description) {
	if n.Required {
		b.WriteString("* Mandatory in its table\n")
	}
	if n.Secret() {
		b.WriteString("* Secret: shown as `<redacted>`\n")
	}
	if n.Deprecated != "" {
		fmt.Fprintf(b, "* Deprecated: %s\n", n.Deprecated)
	}
	for _, a := range n.Aliases {
		fmt.Fprintf(b, "* Also accepted as `%s`\n", a)
	}
	if len(d.Examples) > 0 && len(d.Enum) == 0 && !n.Secret() {
		fmt.Fprintf(b, "* Examples: `%s`\n", strings.Join(d.Examples, "`, `"))
	}
}

// defaults lists the values that variants set, the most common first.
func (w writer) defaults(b *bytes.Buffer, path []string) {
	type value struct {
		text  string
		names []string
	}
	var values []*value
	add := func(text, name string) {
		i := slices.IndexFunc(values, func(v *value) bool { return v.text == text })
		if i < 0 {
			values = append(values, &value{text: text})
			i = len(values) - 1
		}
		values[i].names = append(values[i].names, name)
	}
	having := 0
	for _, v := range w.variants {
		if !slices.Contains(v.Schema.Groups(), path[0]) {
			continue
		}
		having++
		for _, l := range matching(v.Defaults, path) {
			add(l, v.Name)
		}
	}
	slices.SortStableFunc(values, func(a, b *value) int { return cmp.Compare(len(b.names), len(a.names)) })
	for _, v := range values {
		where := ""
		if len(v.names) < having {
			where = " (" + strings.Join(v.names, ", ") + ")"
		}
		fmt.Fprintf(b, "* Default: `%s`%s\n", v.text, where)
	}
}

// matching returns the defaults at path, whose "<name>" segments stand for any
// name; values of named entries say which.
func matching(d document.Document, path []string) []string {
	var out []string
	for k, v := range d.All() {
		named, ok := match(k, path)
		switch {
		case !ok:
		case named:
			out = append(out, fmt.Sprintf("%s = %s", k, v.JSON()))
		default:
			out = append(out, v.JSON())
		}
	}
	return out
}

func match(k key.Key, path []string) (named, ok bool) {
	if k.Len() != len(path) {
		return false, false
	}
	i := 0
	for seg := range k.Segments() {
		if strings.HasPrefix(path[i], "<") {
			named = true
		} else if path[i] != seg {
			return false, false
		}
		i++
	}
	return named, true
}

func members(b *bytes.Buffer, n *schema.Node) {
	ms := n.Members()
	if len(ms) == 0 {
		return
	}
	b.WriteString("\n| member | type | |\n|---|---|---|\n")
	for _, m := range ms {
		note := m.Doc
		if m.Secret {
			note += " Secret."
		}
		if m.Required {
			note += " Mandatory."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", m.Name, m.Type, cell(note))
	}
}

func display(path []string) string { return strings.Join(path, ".") }

// anchor makes the link target that Markdown renderers give a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ':
			return '-'
		}
		return -1
	}, heading)
}

func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, "\n\n")
	if i := strings.Index(s, ". "); i >= 0 {
		s = s[:i+1]
	}
	return strings.Join(strings.Fields(s), " ")
}
