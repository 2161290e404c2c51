package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// Check finds what can be seen to be wrong before anything is rendered:
// settings that do not exist, and secrets in files that are not declared
// secret. Variant is the schema of an image that has the packages of s, all is
// the schema of all settings there are; a template may ask with optional for
// what its variant does not have.
func (s *Set) Check(variant, all *schema.Schema) []plan.Fault {
	var out []plan.Fault
	for i := range s.configs {
		c := &s.configs[i]
		fail := func(k, format string, args ...any) {
			out = append(out, plan.Fault{Package: c.pkg, Template: c.Template, Path: c.Path, Setting: k, Detail: fmt.Sprintf(format, args...)})
		}
		for _, t := range c.templates() {
			for _, r := range t.shape.reads {
				if _, ok := variant.Lookup(r.Key); r.Required && !ok {
					fail(r.Key.String(), "needs %s, which variant settings do not have", r.Key)
				}
			}
		}
		for _, p := range c.patterns() {
			n := lookup(all, p)
			switch {
			case n == nil:
				fail(text(p), "names %s, which does not exist", text(p))
			case secretWithin(n) && !c.Secret:
				fail(text(p), "reads the secret %s and is not declared secret", text(p))
			}
		}
		if n, ok := all.Lookup(c.ForEach); c.IsForEach() && ok && !hasEntries(n) {
			fail(c.ForEach.String(), "for-each: %s has no entries", c.ForEach)
		}
	}
	return out
}

func (c *config) templates() []*Template {
	return append([]*Template{c.body, c.path}, c.units...)
}

// anyEntry stands for the name of any entry of a map in a pattern.
const anyEntry = "<name>"

// patterns returns what c depends on, as the segments of keys.
func (c *config) patterns() [][]string {
	var out [][]string
	add := func(k key.Key, more ...string) { out = append(out, append(slices.Collect(k.Segments()), more...)) }
	for _, k := range c.Reads {
		add(k)
	}
	for _, w := range slices.Concat(c.When, c.WhenNot) {
		if w.Member {
			add(c.ForEach, append([]string{anyEntry}, slices.Collect(w.Key.Segments())...)...)
		} else {
			add(w.Key)
		}
	}
	for _, t := range c.templates() {
		for _, r := range t.shape.reads {
			add(r.Key)
		}
		for _, m := range t.shape.members {
			add(c.ForEach, anyEntry, m)
		}
		if t.shape.whole && c.IsForEach() {
			add(c.ForEach, anyEntry)
		}
	}
	return out
}

func text(pattern []string) string { return key.Root + "." + strings.Join(pattern, ".") }

// lookup returns the node of a pattern, or nil. The entries of a list of tables
// have no nodes: the list stands for them when it has such a member.
func lookup(s *schema.Schema, pattern []string) *schema.Node {
	at := slices.Index(pattern, anyEntry)
	if at < 0 {
		n, _ := s.Lookup(key.Of(pattern...))
		return n
	}
	n, ok := s.Lookup(key.Of(pattern[:at]...))
	if !ok {
		return nil
	}
	if n.Kind == schema.Leaf {
		isMember := func(m schema.Member) bool { return m.Name == pattern[at+1] }
		if len(pattern) > at+1 && !slices.ContainsFunc(n.Members(), isMember) {
			return nil
		}
		return n
	}
	entry := slices.Clone(pattern)
	entry[at] = "a" // any name that is not a fixed member's
	n, _ = s.Lookup(key.Of(entry...))
	return n
}

// secretWithin reports whether n or something below it is secret.
func secretWithin(n *schema.Node) bool {
	found := false
	n.Walk(func(_ []string, n *schema.Node) { found = found || n.HoldsSecrets() })
	return found
}

func hasEntries(n *schema.Node) bool {
	return n.Kind == schema.Map || n.Rest != nil || n.Kind == schema.Leaf && len(n.Members()) > 0
}

// Unread returns the settings of variant that no template of s reads and no
// program of packages is declared to read, as they stand in the reference. Such
// a setting does nothing.
func (s *Set) Unread(variant *schema.Schema, packages []*recipe.Package) []string {
	var read [][]string
	for i := range s.configs {
		read = append(read, s.configs[i].patterns()...)
	}
	for _, p := range packages {
		for _, r := range p.Reads {
			for _, k := range r.Settings {
				read = append(read, slices.Collect(k.Segments()))
			}
		}
	}
	var out []string
	variant.Root().Walk(func(path []string, n *schema.Node) {
		covers := func(pattern []string) bool { return covers(pattern, path) }
		if n.Kind == schema.Leaf && !slices.ContainsFunc(read, covers) {
			out = append(out, text(path))
		}
	})
	return out
}

// covers reports whether reading pattern reads the setting at path, whose
// entries of maps are written in angle brackets. Naming one entry counts for
// all.
func covers(pattern, path []string) bool {
	if len(pattern) > len(path) {
		return false
	}
	for i, seg := range pattern {
		if seg != path[i] && !strings.HasPrefix(path[i], "<") {
			return false
		}
	}
	return true
}
