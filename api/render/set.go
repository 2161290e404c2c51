package render

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// A Set is the parsed templates of packages. It may be shared between
// goroutines.
type Set struct{ configs []config }

// A config is one [[config]] with what it needs parsed. Path and units are
// templates, too.
type config struct {
	*recipe.Config
	pkg   string
	body  *Template
	path  *Template
	units []*Template
}

// Compile parses the templates of packages. Those with faults are left out.
func Compile(packages []*recipe.Package) (*Set, []plan.Fault) {
	set := &Set{}
	var faults []plan.Fault
	for _, p := range packages {
		for i := range p.Configs {
			c, err := compile(p, &p.Configs[i])
			if err != nil {
				faults = append(faults, withFile(err, p.Name, &p.Configs[i], p.Configs[i].Path))
				continue
			}
			set.configs = append(set.configs, c)
		}
	}
	return set, faults
}

func compile(p *recipe.Package, rc *recipe.Config) (c config, err error) {
	c = config{Config: rc, pkg: p.Name}
	text, ok := p.Templates[rc.Template]
	if !ok {
		return c, &plan.Fault{Template: rc.Template, Detail: "the package has no such file"}
	}
	if c.body, err = Parse(rc.Template, text); err != nil {
		return c, err
	}
	if c.path, err = parseName("path", rc.Path); err != nil {
		return c, err
	}
	for _, u := range rc.Units {
		t, err := parseName("unit", u)
		if err != nil {
			return c, err
		}
		c.units = append(c.units, t)
	}
	return c, nil
}

// parseName parses the template of a path or of the name of a unit, where a
// value needs no encoder: it has to fit as it is. Most have nothing to fill in,
// and are not looked at again.
func parseName(what, text string) (*Template, error) {
	if !recipe.IsTemplate(text) {
		return &Template{name: what}, nil
	}
	return parseText(what+" of package.toml", text, false)
}

// withFile makes a Fault of err that names the package and the file. A path
// that is still a template names no file.
func withFile(err error, pkg string, c *recipe.Config, file string) plan.Fault {
	f := plan.Fault{Template: c.Template, Detail: err.Error()}
	if e, ok := errors.AsType[*plan.Fault](err); ok {
		f = *e
	}
	f.Package = pkg
	if !recipe.IsTemplate(file) {
		f.Path = file
	}
	return f
}

// Render renders all files. What fails does not hide the others.
func (s *Set) Render(ctx context.Context, in Input) Result {
	var r Result
	for i := range s.configs {
		c := &s.configs[i]
		entries, err := c.entries(in.Settings)
		if err != nil {
			r.Faults = append(r.Faults, withFile(err, c.pkg, c.Config, c.Path))
			continue
		}
		for _, d := range entries {
			d.Input = in
			c.render(ctx, d, &r)
		}
	}
	slices.SortStableFunc(r.Files, func(a, b plan.File) int { return cmp.Compare(a.Path, b.Path) })
	r.refuseTwins()
	return r
}

// refuseTwins takes out files that several configurations want at one path:
// which of them was meant is not known.
func (r *Result) refuseTwins() {
	var out []plan.File
	for i := 0; i < len(r.Files); {
		j := i + 1
		for j < len(r.Files) && r.Files[j].Path == r.Files[i].Path {
			j++
		}
		if j == i+1 {
			out = append(out, r.Files[i])
		} else {
			f := r.Files[i+1]
			r.Faults = append(r.Faults, plan.Fault{
				Package: f.Package, Template: f.Template, Path: f.Path,
				Detail: fmt.Sprintf("%s is rendered %d times, first by %s/%s", f.Path, j-i, r.Files[i].Package, r.Files[i].Template),
			})
		}
		i = j
	}
	r.Files = out
}

// entries returns what c is rendered for: one Data, or one per entry.
func (c *config) entries(s *Settings) ([]Data, error) {
	if !c.IsForEach() {
		return []Data{{}}, nil
	}
	each := s.schema.Canonical(c.ForEach)
	v, _ := s.get(each)
	n, _ := s.schema.Lookup(each)
	var out []Data
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for _, name := range names(v) {
			if !isFixed(n, name) {
				out = append(out, Data{ForEach: true, Key: name, Value: v[name]})
			}
		}
	case []any:
		for i, item := range v {
			out = append(out, Data{ForEach: true, Key: strconv.Itoa(i), Value: item, inList: true})
		}
	default:
		return nil, fmt.Errorf("for-each: %s is %s, not a table or a list", c.ForEach, describe(v))
	}
	return out, nil
}

// isFixed reports whether name is a setting of the table n rather than an entry
// that a user named.
func isFixed(n *schema.Node, name string) bool {
	return n != nil && slices.ContainsFunc(n.Fields, func(f *schema.Node) bool { return f.Name == name })
}

// render adds the file for d to r, or the fault.
func (c *config) render(ctx context.Context, d Data, r *Result) {
	if !c.wanted(d) {
		return
	}
	file, err := c.file(ctx, d)
	switch {
	case err != nil:
		f := withFile(err, c.pkg, c.Config, file.Path)
		d.Settings.blame(&f, err, file.Reads)
		r.Faults = append(r.Faults, f)
	case c.OmitEmpty && len(bytes.TrimSpace(file.Content)) == 0:
	default:
		r.Files = append(r.Files, file)
	}
}

// wanted decides about when and when-not.
func (c *config) wanted(d Data) bool {
	set := func(w recipe.Condition) bool {
		if !w.Member {
			v, _ := d.Settings.get(d.Settings.schema.Canonical(w.Key))
			return isSomething(v)
		}
		v := d.Value
		for seg := range w.Key.Segments() {
			m, _ := v.(map[string]any)
			v = m[seg]
		}
		return isSomething(v)
	}
	unset := func(w recipe.Condition) bool { return !set(w) }
	return !slices.ContainsFunc(c.When, unset) && !slices.ContainsFunc(c.WhenNot, set)
}

// file renders the file for d. With an error its path is that of the file where
// it is known, else that of the configuration.
func (c *config) file(ctx context.Context, d Data) (plan.File, error) {
	f := plan.File{
		Path: c.Path, Package: c.pkg, Template: c.Template, Mode: c.Mode, Owner: c.Owner, Group: c.Group,
		OnChange: c.OnChange, Secret: c.Secret, Reads: c.reads(d),
	}
	name, err := fill(ctx, c.path, c.Path, d, pathSegment)
	if err != nil {
		return f, err
	}
	if !path.IsAbs(name) || path.Clean(name) != name {
		return f, unfit(name, "path %s is not a clean absolute path")
	}
	f.Path = name
	for i, u := range c.units {
		unit, err := fill(ctx, u, c.Units[i], d, unitPart)
		if err != nil {
			return f, err
		}
		f.Units = append(f.Units, unit)
	}
	f.Content, err = c.body.render(ctx, d, passEncoded)
	return f, err
}

// fill renders the template t of a name, whose text is given.
func fill(ctx context.Context, t *Template, text string, d Data, part func(any) (encoded, error)) (string, error) {
	if !recipe.IsTemplate(text) {
		return text, nil
	}
	b, err := t.render(ctx, d, part)
	return string(b), err
}

// pathSegment accepts what may be put into a path.
func pathSegment(v any) (encoded, error) {
	s, err := single(v)
	if err != nil {
		return "", err
	}
	if s == "" || s == "." || s == ".." || len(s) > 200 || strings.Contains(s, "/") || strings.ContainsFunc(s, breaking) {
		return "", unfit(s, "%s cannot be a part of a path")
	}
	return encoded(s), nil
}

var unitPartForm = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+$`)

// unitPart accepts what may be put into the name of a unit.
func unitPart(v any) (encoded, error) {
	s, err := single(v)
	if err != nil {
		return "", err
	}
	if !unitPartForm.MatchString(s) || len(s) > 200 {
		return "", unfit(s, "%s cannot be a part of the name of a unit")
	}
	return encoded(s), nil
}

// reads returns the settings that the file for d depends on.
func (c *config) reads(d Data) []key.Key {
	out := slices.Clone(c.Reads)
	templates := append([]*Template{c.body, c.path}, c.units...)
	whole, members := false, []string(nil)
	for _, t := range templates {
		out = append(out, t.Keys()...)
		whole = whole || t.shape.whole
		members = append(members, t.shape.members...)
	}
	for _, w := range slices.Concat(c.When, c.WhenNot) {
		if !w.Member {
			out = append(out, w.Key)
		}
	}
	if c.IsForEach() {
		out = append(out, c.entryReads(d, whole, members)...)
	}
	slices.SortFunc(out, key.Key.Compare)
	return slices.Compact(out)
}

func (c *config) entryReads(d Data, whole bool, members []string) []key.Key {
	if d.inList {
		return []key.Key{c.ForEach} // a list is one setting
	}
	entry := c.ForEach.Child(d.Key)
	if whole {
		return []key.Key{entry}
	}
	var out []key.Key
	for _, m := range members {
		if key.ValidSegment(m) == nil {
			out = append(out, entry.Child(m))
		}
	}
	for _, w := range slices.Concat(c.When, c.WhenNot) {
		if w.Member {
			k := entry
			for seg := range w.Key.Segments() {
				k = k.Child(seg)
			}
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		out = append(out, entry) // whether it exists
	}
	return out
}
