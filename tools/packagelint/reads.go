package packagelint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// A read is a setting, or a table of them, that a package reads.
type read struct {
	render.Read
	by string // for people
	// entry is the text of the template of each entry, where the key is that of
	// for-each: of the members, the template reads those that it names.
	entry  string
	secret bool // the content of the file is not shown
	file   bool // it goes into a file
}

// reads returns what p reads, by its templates and otherwise.
func reads(p *recipe.Package) []read {
	var out []read
	for i := range p.Configs {
		out = append(out, configReads(p, &p.Configs[i])...)
	}
	for _, r := range p.Reads {
		for _, k := range r.Settings {
			out = append(out, read{Read: render.Read{Key: k}, by: r.By})
		}
	}
	return out
}

func configReads(p *recipe.Package, c *recipe.Config) []read {
	text := p.Templates[c.Template]
	base := read{by: c.Template, secret: c.Secret, file: true}
	with := func(k key.Key) read { r := base; r.Key = k; return r }
	var out []read
	if t, err := render.Parse(c.Template, text); err == nil { // Compile has reported the error
		for _, r := range t.Reads() {
			r := read{Read: r, by: base.by, secret: base.secret, file: true}
			out = append(out, r)
		}
	}
	for _, k := range c.Reads {
		out = append(out, with(k))
	}
	for _, w := range slices.Concat(c.When, c.WhenNot) {
		if !w.Member {
			condition := with(w.Key)
			condition.file = false // whether it is set does not show it
			out = append(out, condition)
		}
	}
	if c.IsForEach() {
		entry := with(c.ForEach)
		entry.entry = strings.Join([]string{text, c.Path, conditions(c)}, "\n")
		out = append(out, entry)
	}
	return out
}

// conditions names the members in conditions as templates name them.
func conditions(c *recipe.Config) string {
	var b strings.Builder
	for _, w := range slices.Concat(c.When, c.WhenNot) {
		if w.Member {
			b.WriteString(strconv.Quote(w.Key.Last()))
		}
	}
	return b.String()
}

// names reports whether the template of an entry names its member called name.
func (r read) names(name string) bool { return strings.Contains(r.entry, strconv.Quote(name)) }

// covers reports whether r reads the setting at path, as schema.Node.Walk gives
// it.
func (r read) covers(path []string) bool {
	n := 0
	for seg := range r.Key.Segments() {
		if n == len(path) || path[n] != seg && !strings.HasPrefix(path[n], "<") {
			return false
		}
		n++
	}
	if r.entry == "" || len(path) < n+2 {
		return true
	}
	return r.names(path[n+1])
}

// unknown finds settings that no variant of u has, and settings that a template
// cannot do without and a variant of u lacks.
func (u use) unknown() []Problem {
	var out []Problem
	for _, r := range reads(u.Package) {
		lacking := ""
		found := 0
		for _, c := range u.in {
			if _, ok := c.Schema.Lookup(r.Key); ok {
				found++
			} else {
				lacking = c.Name
			}
		}
		switch {
		case found == 0:
			out = append(out, Problem{u.Name, fmt.Sprintf("%s reads %s, which no variant with this package has", r.by, r.Key)})
		case r.Required && lacking != "" && !u.guarded(r):
			out = append(out, Problem{u.Name, fmt.Sprintf("%s needs %s, which variant %s does not have", r.by, r.Key, lacking)})
		}
	}
	return out
}

// guarded reports whether the same template asks first whether r is set.
func (u use) guarded(r read) bool {
	for _, other := range reads(u.Package) {
		if other.by == r.by && other.Key == r.Key && !other.Required {
			return true
		}
	}
	return false
}

// shown finds files that show secrets.
func (u use) shown() []Problem {
	var out []Problem
	for _, r := range reads(u.Package) {
		if r.secret || !r.file {
			continue
		}
		for _, c := range u.in {
			if name := secretIn(c.Schema, r); name != "" {
				out = append(out, Problem{u.Name, fmt.Sprintf("%s shows the secret %s: its file wants secret = true", r.by, name)})
				break
			}
		}
	}
	return out
}

// secretIn returns a secret setting that r reads, or "".
func secretIn(s *schema.Schema, r read) string {
	node, ok := s.Lookup(r.Key)
	if !ok {
		return ""
	}
	found := ""
	node.Walk(func(path []string, n *schema.Node) {
		if found != "" || n.Kind != schema.Leaf || !n.HoldsSecrets() {
			return
		}
		if r.entry != "" && len(path) > 1 && !r.names(path[1]) {
			return
		}
		found = strings.Join(append([]string{r.Key.String()}, path...), ".")
	})
	return found
}

// unread finds settings of the variant that nothing reads.
func (c Composition) unread() []Problem {
	var all []read
	for _, p := range c.Packages {
		all = append(all, reads(p)...)
	}
	var out []Problem
	c.Schema.Root().Walk(func(path []string, n *schema.Node) {
		if n.Kind != schema.Leaf {
			return
		}
		covers := func(r read) bool { return r.covers(path) }
		if !slices.ContainsFunc(all, covers) {
			out = append(out, Problem{c.Name, "nothing reads " + key.Root + "." + strings.Join(path, ".")})
		}
	})
	return out
}
