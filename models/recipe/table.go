package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A table hands out the members of one TOML table. What is wrong is reported
// with its position, and what was not asked for is an error in the end.
type table struct {
	rep   *report.Report
	node  *syntax.Node
	path  string // "config[2]"
	known []string
}

func (t *table) fault(code report.Code, p syntax.Pos, member, detail, hint string) {
	t.rep.Add(report.Fault{Code: code, Path: join(t.path, member), Detail: detail, Hint: hint, Line: p.Line, Column: p.Column})
}

func join(path, member string) string {
	if path == "" || member == "" {
		return path + member
	}
	return path + "." + member
}

// field returns the member called name when it has the given kind.
func (t *table) field(name string, want syntax.Kind) *syntax.Node {
	t.known = append(t.known, name)
	n := t.node.Field(name)
	if n == nil {
		return nil
	}
	if n.Kind != want {
		t.fault(report.WrongType, n.Pos, name, fmt.Sprintf("want %s, got %s", want, n.Describe()), "")
		return nil
	}
	return n
}

// pos returns where the member called name stands, or the table where there is
// none.
func (t *table) pos(name string) syntax.Pos {
	if n := t.node.Field(name); n != nil {
		return n.Pos
	}
	return t.node.Pos
}

// A rule says what is wrong with a text; it is empty when nothing is.
type rule func(text string) string

func (t *table) check(n *syntax.Node, member string, r rule) bool {
	if r == nil {
		return true
	}
	fault := r(n.Text)
	if fault == "" {
		return true
	}
	t.fault(report.InvalidValue, n.Pos, member, fmt.Sprintf("%q %s", n.Text, fault), "")
	return false
}

// text returns an optional string.
func (t *table) text(name string, r rule) string {
	n := t.field(name, syntax.String)
	if n == nil || !t.check(n, name, r) {
		return ""
	}
	return n.Text
}

// needed returns a string that must be there.
func (t *table) needed(name string, r rule) string {
	if t.node.Field(name) == nil {
		t.missing(name)
	}
	return t.text(name, r)
}

func (t *table) missing(name string) {
	t.known = append(t.known, name)
	t.fault(report.MissingMember, t.node.Pos, name, "is missing", "")
}

func (t *table) has(name string) bool { return t.node.Field(name) != nil }

func (t *table) flag(name string) bool {
	n := t.field(name, syntax.Bool)
	return n != nil && n.Text == "true"
}

// list returns a list of strings.
func (t *table) list(name string, r rule) []string {
	n := t.field(name, syntax.Array)
	if n == nil {
		return nil
	}
	var out []string
	for i, item := range n.Items {
		member := fmt.Sprintf("%s[%d]", name, i)
		switch {
		case item.Kind != syntax.String:
			t.fault(report.WrongType, item.Pos, member, fmt.Sprintf("want %s, got %s", syntax.String, item.Describe()), "")
		case t.check(item, member, r):
			out = append(out, item.Text)
		}
	}
	return out
}

func (t *table) neededList(name string, r rule) []string {
	if t.node.Field(name) == nil {
		t.missing(name)
		return nil
	}
	l := t.list(name, r)
	if n := t.node.Field(name); n.Kind == syntax.Array && len(n.Items) == 0 {
		t.fault(report.InvalidValue, n.Pos, name, "is empty", "want at least one entry")
	}
	return l
}

// keys returns a list of settings.
func (t *table) keys(name string) []key.Key {
	var out []key.Key
	for _, s := range t.list(name, keyRule) {
		k, _ := key.Parse(s) // keyRule has accepted it
		out = append(out, k)
	}
	return out
}

// subtables returns the elements of [[name]].
func (t *table) subtables(name string) []*table {
	n := t.field(name, syntax.Array)
	if n == nil {
		return nil
	}
	var out []*table
	for i, item := range n.Items {
		path := fmt.Sprintf("%s[%d]", join(t.path, name), i)
		if item.Kind != syntax.Table {
			t.rep.Add(report.Fault{
				Code: report.WrongType, Path: path, Detail: fmt.Sprintf("want %s, got %s", syntax.Table, item.Describe()),
				Hint: "write [[" + name + "]]", Line: item.Pos.Line, Column: item.Pos.Column,
			})
			continue
		}
		out = append(out, &table{rep: t.rep, node: item, path: path})
	}
	return out
}

// done reports the members that nobody asked for.
func (t *table) done() {
	for _, f := range t.node.Fields {
		if !slices.Contains(t.known, f.Name) {
			t.fault(report.UnknownSetting, f.Pos, f.Name, "there is no such key", "want one of "+strings.Join(slices.Compact(slices.Sorted(slices.Values(t.known))), ", "))
		}
	}
}
