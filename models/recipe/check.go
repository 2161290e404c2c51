package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
)

func isTemplateUnit(name string) bool { return strings.Contains(name, "@.") }

// checkUnits and its neighbours look at what one table says about another. The
// tables stand beside what was read from them, element by element.
func checkUnits(p *Package, tables []*table) {
	seen := map[string]bool{}
	for i, u := range p.Units {
		t := tables[i]
		if u.Name != "" && seen[u.Name] {
			t.fault(report.DuplicateKey, t.pos("name"), "name", fmt.Sprintf("the unit %s is declared twice", u.Name), "")
		}
		seen[u.Name] = true
		if slices.Contains(u.After, u.Name) {
			t.fault(report.Conflict, t.pos("after"), "after", fmt.Sprintf("%s waits for itself", u.Name), "")
		}
		if isTemplateUnit(u.Name) && u.Enable {
			t.fault(report.Conflict, t.pos("enable"), "enable", fmt.Sprintf("%s is a template unit and cannot start by itself", u.Name), "its instances start with their files")
		}
	}
}

func checkActions(p *Package, tables []*table) {
	seen := map[string]bool{string(Restart): true, string(Reload): true, string(Nothing): true}
	for i, a := range p.Actions {
		if a.Name != "" && seen[a.Name] {
			t := tables[i]
			t.fault(report.DuplicateKey, t.pos("name"), "name", fmt.Sprintf("the name %q is taken", a.Name), "")
		}
		seen[a.Name] = true
	}
}

func checkConfigs(p *Package, tables []*table) {
	seen := map[string]bool{}
	for i := range p.Configs {
		c, t := &p.Configs[i], tables[i]
		if c.Path != "" && seen[c.Path] {
			t.fault(report.DuplicateKey, t.pos("path"), "path", fmt.Sprintf("the file %s is defined twice", c.Path), "")
		}
		seen[c.Path] = true
		checkPath(c, t)
		checkReaction(p, c, t)
		checkConditions(c, t)
		if c.Secret && c.Mode&0o077 != 0 {
			t.fault(report.Conflict, t.pos("mode"), "mode", fmt.Sprintf("mode %04o lets others read a secret file", c.Mode), "want 0600")
		}
	}
}

func checkPath(c *Config, t *table) {
	path := c.Path
	switch {
	case path == "":
		return
	case IsTemplate(path) && !c.IsForEach():
		t.fault(report.Conflict, t.pos("path"), "path", "has something to fill in without for-each", "")
		return
	case IsTemplate(path):
		if !strings.HasPrefix(path, "/") {
			t.fault(report.InvalidValue, t.pos("path"), "path", fmt.Sprintf("%q is not an absolute path", path), "")
		}
		return
	case c.IsForEach():
		t.fault(report.Conflict, t.pos("path"), "path", "is the same for all entries of for-each", "put {{ .key }} into it")
	}
	if fault := absoluteRule(path); fault != "" {
		t.fault(report.InvalidValue, t.pos("path"), "path", fmt.Sprintf("%q %s", path, fault), "")
	}
}

func checkReaction(p *Package, c *Config, t *table) {
	for _, u := range c.Units {
		member := "unit"
		if t.has("units") {
			member = "units"
		}
		if IsTemplate(u) && !c.IsForEach() {
			t.fault(report.Conflict, t.pos(member), member, fmt.Sprintf("%q has something to fill in without for-each", u), "")
		} else if fault := unitUseRule(u); !IsTemplate(u) && fault != "" {
			t.fault(report.InvalidValue, t.pos(member), member, fmt.Sprintf("%q %s", u, fault), "")
		}
	}
	declared := func(a Action) bool { return a.Name == c.OnChange.Action() }
	if c.OnChange.Action() != "" && !slices.ContainsFunc(p.Actions, declared) {
		t.fault(report.InvalidValue, t.pos("on-change"), "on-change", fmt.Sprintf("there is no action %q", c.OnChange), "want restart, reload, reload-or-start, none, or the name of an action of this package")
	}
	if (c.OnChange == Restart || c.OnChange == Reload || c.OnChange == ReloadOrStart) && len(c.Units) == 0 && !t.has("unit") && !t.has("units") {
		t.fault(report.MissingMember, t.node.Pos, "unit", fmt.Sprintf("is missing: there is nothing to %s", c.OnChange), "")
	}
}

func checkConditions(c *Config, t *table) {
	if c.IsForEach() {
		return
	}
	for name, conditions := range map[string][]Condition{"when": c.When, "when-not": c.WhenNot} {
		for _, w := range conditions {
			if w.Member {
				t.fault(report.Conflict, t.pos(name), name, fmt.Sprintf("%s is a member of an entry, and there is no for-each", w), "")
			}
		}
	}
}

// Check finds what is wrong between the packages of one image: two that declare
// a unit, two that have a file, units that wait for one another.
func Check(packages []*Package) report.Report {
	var rep report.Report
	units, files := map[string]string{}, map[string]string{}
	taken := func(p *Package, kind, name string, by map[string]string) {
		if first, ok := by[name]; ok && !IsTemplate(name) {
			rep.Add(fault(p, report.DuplicateKey, fmt.Sprintf("the %s %s is also in package %s", kind, name, first), ""))
			return
		}
		by[name] = p.Name
	}
	for _, p := range packages {
		for _, u := range p.Units {
			taken(p, "unit", u.Name, units)
		}
		for _, c := range p.Configs {
			taken(p, "file", c.Path, files)
		}
		for _, f := range p.Files {
			taken(p, "file", f.Path, files)
		}
	}
	rep.Add(circles(packages)...)
	return rep
}

// CheckNames finds units that a package names and no package declares. It is
// for all packages there are: a package may own a file together with units of
// packages that some images do not have.
func CheckNames(all []*Package) report.Report {
	var rep report.Report
	declared := map[string]bool{}
	for _, p := range all {
		for _, u := range p.Units {
			declared[u.Name] = true
		}
	}
	for _, p := range all {
		for _, name := range p.unitsNamed() {
			if !declared[Declaration(name)] {
				rep.Add(fault(p, report.InvalidValue, fmt.Sprintf("no package declares the unit %s", name), "declare it in a [[unit]]"))
			}
		}
	}
	return rep
}

func fault(p *Package, code report.Code, detail, hint string) report.Fault {
	return report.Fault{Source: p.Name + "/package.toml", Code: code, Detail: detail, Hint: hint}
}

// unitsNamed returns the units that p names without declaring them.
func (p *Package) unitsNamed() []string {
	var out []string
	for _, u := range p.Units {
		out = append(out, u.After...)
	}
	for _, c := range p.Configs {
		out = append(out, c.Units...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Declaration returns the name that the unit called name is declared under:
// x@.service for x@1.service, else the name itself.
func Declaration(name string) string {
	at, dot := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.')
	if at < 0 || dot < at {
		return name
	}
	return name[:at+1] + name[dot:]
}

// circles reports units that wait for themselves by way of others.
func circles(packages []*Package) []report.Fault {
	after, owner := map[string][]string{}, map[string]*Package{}
	var names []string
	for _, p := range packages {
		for _, u := range p.Units {
			names = append(names, u.Name)
			owner[u.Name] = p
			for _, a := range u.After {
				after[u.Name] = append(after[u.Name], Declaration(a))
			}
		}
	}
	slices.Sort(names)
	var out []report.Fault
	const visiting, left = 1, 2
	state := map[string]int{}
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		way = append(way, name)
		switch state[name] {
		case left:
			return
		case visiting:
			circle := way[slices.Index(way, name):]
			out = append(out, fault(owner[name], report.Conflict, "units wait for one another: "+strings.Join(circle, " after "), ""))
			return
		}
		state[name] = visiting
		for _, a := range after[name] {
			visit(a, way)
		}
		state[name] = left
	}
	for _, name := range names {
		visit(name, nil)
	}
	return out
}
