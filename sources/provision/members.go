package provision

import (
	"cmp"
	"slices"
	"sort"

	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A member is one of a table.
type member struct {
	table *syntax.Node
	i     int // of its fields
}

func (m member) value() *syntax.Node { return m.table.Fields[m.i].Value }

func (m member) pos() syntax.Pos { return m.table.Fields[m.i].Pos }

// members finds those of a tree by name and by place. User data may have as many
// faults as members, so each is looked at once, and not for each fault.
type members struct {
	root   *syntax.Node
	names  map[*syntax.Node]map[string]int // of tables that were asked for
	placed []member                        // all of the tree in the order of the text, once that was asked for
	looked int                             // how many members were looked at so far
}

func newMembers(root *syntax.Node) *members {
	return &members{root: root, names: map[*syntax.Node]map[string]int{}}
}

// named returns the member of a table that has a name.
func (x *members) named(table *syntax.Node, name string) (member, bool) {
	if table == nil || table.Kind != syntax.Table {
		return member{}, false
	}
	names, ok := x.names[table]
	if !ok {
		names = make(map[string]int, len(table.Fields))
		for i, f := range table.Fields {
			names[f.Name] = i
			x.looked++
		}
		x.names[table] = names
	}
	x.looked++
	i, ok := names[name]
	return member{table, i}, ok
}

// at returns the member that begins last among those that begin at p or before,
// which is the one that p lies in.
func (x *members) at(p syntax.Pos) (member, bool) {
	if x.placed == nil {
		x.place(x.root)
		slices.SortStableFunc(x.placed, func(a, b member) int { return order(a.pos(), b.pos()) })
	}
	i := sort.Search(len(x.placed), func(i int) bool {
		x.looked++
		return order(x.placed[i].pos(), p) > 0
	})
	if i == 0 {
		return member{}, false
	}
	return x.placed[i-1], true
}

// place adds the members of n. A table goes on below other headers, so its
// members count for themselves.
func (x *members) place(n *syntax.Node) {
	for i, f := range n.Fields {
		x.looked++
		x.placed = append(x.placed, member{n, i})
		if f.Value.Kind == syntax.Table {
			x.place(f.Value)
		}
	}
}

func order(a, b syntax.Pos) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// sweep takes members out of the tree, and tables that become empty by it.
func (x *members) sweep(gone map[member]bool) { x.sweepTable(x.root, gone) }

func (x *members) sweepTable(n *syntax.Node, gone map[member]bool) {
	kept := make([]syntax.Field, 0, len(n.Fields))
	for i, f := range n.Fields {
		x.looked++
		if gone[member{n, i}] {
			continue
		}
		if f.Value.Kind == syntax.Table && len(f.Value.Fields) > 0 {
			x.sweepTable(f.Value, gone)
			if len(f.Value.Fields) == 0 {
				continue
			}
		}
		kept = append(kept, f)
	}
	if len(kept) < len(n.Fields) {
		n.Fields = kept
	}
}
