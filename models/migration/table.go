package migration

import (
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A table reads the members of one TOML table and remembers their names, so
// that those nobody asked for can be refused.
type table struct {
	r     *reader
	node  *syntax.Node
	path  string
	known []string
}

func (r *reader) table(n *syntax.Node, path string) *table {
	return &table{r: r, node: n, path: path}
}

func (t *table) member(name string) string { return strings.TrimPrefix(t.path+"."+name, ".") }

// field returns the member called name if it is there and of the given kind.
func (t *table) field(name string, kind syntax.Kind) *syntax.Node {
	t.known = append(t.known, name)
	n := t.node.Field(name)
	if n == nil {
		return nil
	}
	if n.Kind != kind {
		t.r.fault(report.WrongType, n.Pos, t.member(name), "got "+n.Describe(), "want "+kind.String())
		return nil
	}
	return n
}

// need is field for a member that must be there.
func (t *table) need(name string, kind syntax.Kind) *syntax.Node {
	n := t.field(name, kind)
	if n == nil && t.node.Field(name) == nil {
		t.r.fault(report.MissingMember, t.node.Pos, t.member(name), "is missing", "want "+kind.String())
	}
	return n
}

func (t *table) text(name string) string {
	if n := t.field(name, syntax.String); n != nil {
		return n.Text
	}
	return ""
}

func (t *table) value(name string) *document.Value {
	t.known = append(t.known, name)
	n := t.node.Field(name)
	if n == nil {
		return nil
	}
	v := t.plain(n)
	return &v
}

// tables returns the members of the list of tables called name.
func (t *table) tables(name string) []*table {
	n := t.field(name, syntax.Array)
	if n == nil {
		return nil
	}
	var out []*table
	for _, it := range n.Items {
		if it.Kind != syntax.Table {
			t.r.fault(report.WrongType, it.Pos, t.member(name), "got "+it.Describe(), "want a table")
			continue
		}
		out = append(out, t.r.table(it, t.member(name)))
	}
	return out
}

func (t *table) pattern(name string) pattern {
	n := t.need(name, syntax.String)
	if n == nil {
		return pattern{}
	}
	return t.patternOf(n, name)
}

func (t *table) patternOf(n *syntax.Node, name string) pattern {
	p, err := parsePattern(n.Text)
	if err != nil {
		t.r.fault(report.InvalidKey, n.Pos, t.member(name), err.Error(), "want a key such as settings.ntp.time-servers")
	}
	return p
}

func (t *table) patterns(name string) []pattern {
	list := t.need(name, syntax.Array)
	if list == nil {
		return nil
	}
	var out []pattern
	for _, n := range list.Items {
		if n.Kind != syntax.String {
			t.r.fault(report.WrongType, n.Pos, t.member(name), "got "+n.Describe(), "want a key")
			continue
		}
		out = append(out, t.patternOf(n, name))
	}
	return out
}

// end refuses the members that were not asked for.
func (t *table) end() {
	for _, f := range t.node.Fields {
		if !slices.Contains(t.known, f.Name) {
			t.r.fault(report.UnknownSetting, f.Pos, t.member(f.Name), "is not known here", "want one of "+strings.Join(t.known, ", "))
		}
	}
}
