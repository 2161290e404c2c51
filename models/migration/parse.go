package migration

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Parse reads migrations from TOML. All faults are reported at once, with
// their places in the text, which faults call source.
//
// The kinds of step and their members ("?" marks those that may be left out;
// a key may hold "*" for any one segment, and then the other keys of the step
// hold as many):
//
//	rename   from, to, only?            the setting from is called to
//	move     from, to                   the same for a table with all that is in it
//	drop     key, only?, restore?       settings go; the way back sets restore
//	add      key, value?                a setting comes; the way back takes it away
//	map      key, values, elements?     values = [[old, new], …]; elements = true maps the elements of lists
//	split    from, to, separator | cases, types?
//	                                    one string becomes several settings: to = [keys]; types = ["string" | "integer", …];
//	                                    cases = [{ from = value, to = [values] }, …]
//	join     from, to, separator | cases, types?
//	                                    the reverse: from = [keys], cases = [{ from = [values], to = value }, …]
//
// With only, a step acts on exactly that value, so that it replaces an old
// default and leaves a user's choice alone.
func Parse(source string, data []byte) (Set, report.Report) {
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	return parse(source, root, rep)
}

// ParseJSON reads migrations from JSON of the same shape, as Set.JSON writes it.
func ParseJSON(source string, data []byte) (Set, report.Report) {
	root, rep := syntax.JSON(data, syntax.DefaultLimits)
	return parse(source, root, rep)
}

func parse(source string, root *syntax.Node, rep report.Report) (Set, report.Report) {
	r := &reader{}
	if !rep.HasErrors() && root.Kind != syntax.Table {
		r.fault(report.WrongType, root.Pos, "", "got "+root.Describe(), "want a table")
		rep = r.rep
	}
	if !rep.HasErrors() {
		s := r.set(root)
		if !r.rep.HasErrors() {
			return s, report.Report{}
		}
		rep = r.rep
	}
	for i := range rep.Faults {
		rep.Faults[i].Source = source
	}
	return Set{}, rep
}

type reader struct{ rep report.Report }

func (r *reader) fault(code report.Code, p syntax.Pos, path, detail, hint string) {
	r.rep.Add(report.Fault{Code: code, Path: path, Detail: detail, Hint: hint, Line: p.Line, Column: p.Column})
}

func (r *reader) set(root *syntax.Node) Set {
	t := r.table(root, "")
	var s Set
	for _, m := range t.tables("migration") {
		s.migrations = append(s.migrations, m.migration())
	}
	t.end()
	for i, m := range s.migrations {
		if i > 0 && m.format != s.migrations[i-1].format+1 {
			r.fault(report.InvalidValue, root.Field("migration").Items[i].Pos, "migration.format",
				fmt.Sprintf("format %d follows format %d", m.format, s.migrations[i-1].format), "want formats that ascend by one")
		}
	}
	return s
}

func (t *table) migration() migration {
	t.text("about") // for people
	m := migration{source: string(document.NodeJSON(nil, t.node))}
	if n := t.need("format", syntax.Integer); n != nil {
		v, ok := n.Int()
		if !ok || v < 2 || v > 1<<30 {
			t.r.fault(report.InvalidValue, n.Pos, t.path+".format", "format "+n.Describe()+" cannot be reached", "want 2 or more; format 1 is the first")
		}
		m.format = int(v)
	}
	for _, st := range t.tables("step") {
		m.steps = append(m.steps, st.step())
	}
	t.end()
	return m
}

// kinds are the steps that a file can name.
var kinds = map[string]func(*table) step{
	"rename": func(t *table) step {
		return move{from: t.pattern("from"), to: t.pattern("to"), reach: leafOnly, only: t.value("only")}
	},
	"move": func(t *table) step {
		return move{from: t.pattern("from"), to: t.pattern("to"), reach: subtree}
	},
	"drop": func(t *table) step {
		return t.fixed(drop{key: t.pattern("key"), only: t.value("only"), restore: t.value("restore")})
	},
	"add": func(t *table) step {
		return backwards{t.fixed(drop{key: t.pattern("key"), restore: t.value("value")})}
	},
	"map": (*table).replace,
	"split": func(t *table) step {
		return t.split(t.pattern("from"), t.patterns("to"), "from", "to")
	},
	"join": func(t *table) step {
		return backwards{t.split(t.pattern("to"), t.patterns("from"), "to", "from")}
	},
}

func (t *table) step() step {
	n := t.need("kind", syntax.String)
	if n == nil {
		return nil
	}
	read, ok := kinds[n.Text]
	if !ok {
		t.r.fault(report.InvalidValue, n.Pos, t.path+".kind", "kind "+n.Describe()+" is unknown",
			"want one of "+strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		return nil
	}
	st := read(t)
	t.end()
	if m, ok := st.(move); ok {
		t.sameWildcards(m.from, m.to)
	}
	return st
}

func (t *table) sameWildcards(ps ...pattern) {
	for _, p := range ps[1:] {
		if p.wildcards() != ps[0].wildcards() {
			t.r.fault(report.InvalidValue, t.node.Pos, t.path, "the keys hold different numbers of *", "want as many in each")
			return
		}
	}
}

// fixed checks that a value to be set has one place to go.
func (t *table) fixed(d drop) drop {
	if d.restore != nil && d.key.wildcards() > 0 {
		t.r.fault(report.InvalidValue, t.node.Pos, t.path, "a value cannot be set at a key with *", "want a key without *, or no value")
	}
	return d
}

func (t *table) replace() step {
	st := replace{key: t.pattern("key")}
	if n := t.field("elements", syntax.Bool); n != nil {
		st.elements = n.Text == "true"
	}
	list := t.need("values", syntax.Array)
	if list == nil {
		return st
	}
	for _, n := range list.Items {
		if n.Kind != syntax.Array || len(n.Items) != 2 {
			t.r.fault(report.WrongType, n.Pos, t.path+".values", "got "+n.Describe(), "want pairs: [[old, new], …]")
			continue
		}
		st.pairs = append(st.pairs, pair{t.plain(n.Items[0]), t.plain(n.Items[1])})
	}
	for i, a := range st.pairs {
		for _, b := range st.pairs[:i] {
			if a.from == b.from || a.to == b.to {
				t.r.fault(report.InvalidValue, list.Items[i].Pos, t.path+".values", "a value stands on the same side of two pairs", "want a map that can be reversed")
			}
		}
	}
	return st
}

// split reads the members that split and join share; whole and parts are the
// names of the two sides in a case.
func (t *table) split(from pattern, to []pattern, whole, parts string) step {
	st := split{from: from, to: to, separator: t.text("separator")}
	t.sameWildcards(append([]pattern{from}, to...)...)
	if len(to) < 2 {
		t.r.fault(report.InvalidValue, t.node.Pos, t.path+"."+parts, fmt.Sprintf("got %d keys", len(to)), "want two or more")
	}
	st.types = t.types(len(to))
	for _, c := range t.tables("cases") {
		sc := splitCase{}
		if v := c.value(whole); v != nil {
			sc.from = *v
		}
		if n := c.need(parts, syntax.Array); n != nil {
			if len(n.Items) != len(to) {
				t.r.fault(report.InvalidValue, n.Pos, c.path+"."+parts, fmt.Sprintf("got %d values", len(n.Items)), fmt.Sprintf("want %d, one for each key", len(to)))
			}
			for _, it := range n.Items {
				sc.to = append(sc.to, t.plain(it))
			}
		}
		c.end()
		st.cases = append(st.cases, sc)
	}
	if st.separator == "" && len(st.cases) == 0 {
		t.r.fault(report.MissingMember, t.node.Pos, t.path, "neither separator nor cases are given", "want one of them")
	}
	return st
}

func (t *table) types(n int) []pieceTyp {
	types := slices.Repeat([]pieceTyp{stringPiece}, n)
	list := t.field("types", syntax.Array)
	if list == nil {
		return types
	}
	if len(list.Items) != n {
		t.r.fault(report.InvalidValue, list.Pos, t.path+".types", fmt.Sprintf("got %d types", len(list.Items)), fmt.Sprintf("want %d, one for each key", n))
		return types
	}
	for i, it := range list.Items {
		switch typ := pieceTyp(it.Text); {
		case it.Kind == syntax.String && (typ == stringPiece || typ == integerPiece):
			types[i] = typ
		default:
			t.r.fault(report.InvalidValue, it.Pos, t.path+".types", "type "+it.Describe()+" is unknown", `want "string" or "integer"`)
		}
	}
	return types
}

// plain returns n as the value of a setting. Tables are not one.
func (t *table) plain(n *syntax.Node) document.Value {
	if n.Kind == syntax.Table || n.Kind == syntax.Datetime {
		t.r.fault(report.WrongType, n.Pos, t.path, "got "+n.Kind.String(), "want a value that a setting can have")
	}
	return document.NewValue(string(document.NodeJSON(nil, n)))
}
