package recipe

import (
	"cmp"
	"fmt"
	"io/fs"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Parse reads the text of a package.toml. Name is that of the directory it
// stands in. The package is nil exactly when the report has errors.
func Parse(name string, data []byte) (*Package, report.Report) {
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	if root != nil {
		p := read(&table{rep: &rep, node: root})
		checkName(p, name, root, &rep)
		if !rep.HasErrors() {
			return p, locate(rep, name)
		}
	}
	rep.Sort()
	return nil, locate(rep, name)
}

// locate names the file in all faults.
func locate(rep report.Report, name string) report.Report {
	for i := range rep.Faults {
		rep.Faults[i].Source = name + "/package.toml"
	}
	return rep
}

func checkName(p *Package, name string, root *syntax.Node, rep *report.Report) {
	head := root.Field("package")
	if p.Name == "" || p.Name == name {
		return
	}
	at := head.Field("name").Pos
	rep.Add(report.Fault{
		Code: report.InvalidValue, Path: "package.name", Detail: fmt.Sprintf("%q is not the name of the directory", p.Name),
		Hint: fmt.Sprintf("want %q", name), Line: at.Line, Column: at.Column,
	})
}

func read(t *table) *Package {
	p := &Package{}
	readHead(t, p)
	each(t, "debian", func(t *table) {
		p.Debian = append(p.Debian, Debian{Package: t.needed("package", packageNameRule), Keep: t.neededList("keep", globRule)})
	})
	each(t, "go", func(t *table) { p.Modules = append(p.Modules, readModule(t)) })
	each(t, "program", func(t *table) {
		p.Programs = append(p.Programs, Program{Name: t.needed("name", packageNameRule), Path: t.needed("path", absoluteRule)})
	})
	each(t, "image", func(t *table) {
		p.Images = append(p.Images, Image{Name: t.needed("name", packageNameRule), Path: t.needed("path", absoluteRule)})
	})
	each(t, "file", func(t *table) {
		p.Files = append(p.Files, File{Source: t.needed("source", localRule), Path: t.needed("path", absoluteRule), Mode: readMode(t)})
	})
	units := each(t, "unit", func(t *table) { p.Units = append(p.Units, readUnit(t)) })
	configs := each(t, "config", func(t *table) { p.Configs = append(p.Configs, readConfig(t)) })
	actions := each(t, "action", func(t *table) { p.Actions = append(p.Actions, readAction(t)) })
	each(t, "reads", func(t *table) {
		r := Reads{Settings: t.keys("settings"), By: t.needed("by", packageNameRule)}
		if !t.has("settings") {
			t.missing("settings")
		}
		p.Reads = append(p.Reads, r)
	})
	t.done()
	checkUnits(p, units)
	checkActions(p, actions)
	checkConfigs(p, configs)
	return p
}

// each reads the elements of [[name]] and returns them.
func each(t *table, name string, read func(*table)) []*table {
	subs := t.subtables(name)
	for _, sub := range subs {
		read(sub)
		sub.done()
	}
	return subs
}

func readHead(t *table, p *Package) {
	n := t.field("package", syntax.Table)
	if n == nil {
		if !t.has("package") {
			t.missing("package")
		}
		return
	}
	head := &table{rep: t.rep, node: n, path: "package"}
	p.Name = head.needed("name", packageNameRule)
	p.Summary = head.needed("summary", lineRule)
	p.License = head.needed("license", licenseRule)
	p.Tmpfiles = head.text("tmpfiles", localRule)
	p.Sysusers = head.text("sysusers", localRule)
	p.Sysctl = head.text("sysctl", localRule)
	head.done()
}

func readModule(t *table) Module {
	m := Module{Output: t.needed("output", absoluteRule), Tags: t.list("tags", lineRule), Ldflags: t.list("ldflags", lineRule)}
	if !t.has("packages") {
		m.Package = t.needed("package", importRule)
		return m
	}
	m.Packages, m.Links = t.list("packages", importRule), t.needed("links", absoluteRule)
	return m
}

func readUnit(t *table) Unit {
	u := Unit{
		Name: t.needed("name", unitNameRule), File: t.text("file", localRule),
		Enable: t.flag("enable"), After: t.list("after", unitUseRule),
	}
	u.WithFiles = isTemplateUnit(u.Name)
	if with := t.flag("with-files"); t.has("with-files") {
		u.WithFiles = with
	}
	return u
}

func readAction(t *table) Action {
	a := Action{Name: t.needed("name", actionNameRule), Exec: t.neededList("exec", nil)}
	if len(a.Exec) > 0 {
		if fault := absoluteRule(a.Exec[0]); fault != "" {
			t.fault(report.InvalidValue, t.pos("exec"), "exec[0]", fmt.Sprintf("%q %s", a.Exec[0], fault), "want the path of a program")
		}
	}
	return a
}

func readMode(t *table) fs.FileMode {
	if text := t.text("mode", modeRule); text != "" {
		return mode(text)
	}
	return 0o644
}

func readConfig(t *table) Config {
	c := Config{
		Path: t.needed("path", lineRule), Template: t.needed("template", templateRule), Mode: readMode(t),
		Owner: cmp.Or(t.text("owner", accountRule), "root"), Group: cmp.Or(t.text("group", accountRule), "root"),
		Units: t.list("units", lineRule), OnChange: OnChange(t.text("on-change", nil)),
		When: readConditions(t, "when"), WhenNot: readConditions(t, "when-not"),
		Reads: t.keys("reads"), OmitEmpty: t.flag("omit-empty"), Secret: t.flag("secret"),
	}
	if unit := t.text("unit", lineRule); unit != "" {
		if t.has("units") {
			t.fault(report.Conflict, t.pos("unit"), "unit", "is given beside units", "put all of them into units")
		}
		c.Units = append(c.Units, unit)
	}
	if each := t.text("for-each", keyRule); each != "" {
		c.ForEach, _ = key.Parse(each)
	}
	if !t.has("on-change") {
		c.OnChange = Nothing
		if len(c.Units) > 0 {
			c.OnChange = Restart
		}
	}
	return c
}

func readConditions(t *table, name string) []Condition {
	var out []Condition
	for _, text := range t.list(name, conditionRule) {
		out = append(out, condition(text))
	}
	return out
}
