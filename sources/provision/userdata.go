package provision

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// faultSource is what faults of user data name as their text.
const faultSource = "user-data"

// A userData is user data and what is left of it.
type userData struct {
	*userdata.Text
	name string       // that faults have
	root *syntax.Node // a table with the settings, or nil when there are none
	cut  bool         // something was taken out of root
}

// parse reads user data in any of its languages and wrappings. Faults are those
// that the API does not find: of a text that it can read itself, it finds all.
func parse(data []byte) (*userData, report.Report) {
	u := &userData{Text: userdata.Decode(data), name: faultSource}
	if n := u.Settings; len(n.Fields) > 0 {
		u.root = syntax.NewTable(syntax.Field{Name: key.Root, Pos: n.Pos, Value: n})
		if u.Plain() {
			return u, report.Report{}
		}
	}
	return u, u.Report
}

// whole reports whether the API can be given the text as it is, so that it finds
// the places of faults by itself.
func (u *userData) whole() bool { return u.Plain() && !u.cut }

// empty reports whether there is nothing to set.
func (u *userData) empty() bool {
	return u.root == nil || len(u.settings().Fields) == 0
}

func (u *userData) settings() *syntax.Node {
	if n := u.root.Field(key.Root); n != nil {
		return n
	}
	return syntax.NewTable()
}

// json returns what is left of the settings.
func (u *userData) json() []byte {
	return document.NodeJSON(nil, syntax.NewTable(syntax.Field{Name: key.Root, Value: u.settings()}))
}

// refuse takes out what faults are about. Where a fault is about something that
// is missing, that is the table in which it is missing. It returns the faults
// with their places in the text, and whether anything was taken out.
func (u *userData) refuse(faults []report.Fault) ([]report.Fault, bool) {
	out := slices.Clone(faults)
	var paths [][]string
	for i, f := range out {
		path := u.at(f)
		if path == nil {
			continue
		}
		if f.Line == 0 {
			source, p := u.Place(f.Path)
			out[i].Source, out[i].Line, out[i].Column = source, p.Line, p.Column
		}
		paths = append(paths, path)
	}
	// Faults are found by what is there, so all are before anything goes.
	for _, path := range paths {
		remove(u.root, path)
		u.cut = true
	}
	return out, len(paths) > 0
}

// at returns the names of the tables, and of the value in the last one, that f
// is about, or nil if the text does not have them.
func (u *userData) at(f report.Fault) []string {
	if u.root == nil {
		return nil
	}
	path, all := u.follow(f.Path)
	if !all && f.Line > 0 { // another name for the same setting, or none at all
		return last(u.root, syntax.Pos{Line: f.Line, Column: f.Column})
	}
	return path
}

// follow returns how far the text has what the path of a fault names, and
// whether that is all of it.
func (u *userData) follow(text string) (path []string, all bool) {
	name, _, _ := strings.Cut(text, "[") // an item of a list
	k, err := key.Parse(name)
	n := u.root.Field(key.Root)
	if err != nil || n == nil {
		return nil, false
	}
	path = []string{key.Root}
	for segment := range k.Segments() {
		if n.Kind != syntax.Table || n.Field(segment) == nil {
			return path, false
		}
		path, n = append(path, segment), n.Field(segment)
	}
	return path, true
}

// last returns the path of the member of n that begins last among those that
// begin at p or before, which is the one that p lies in.
func last(n *syntax.Node, p syntax.Pos) []string {
	var best syntax.Pos
	var path []string
	for _, f := range n.Fields {
		if before(f.Pos, p) && before(best, f.Pos) {
			best, path = f.Pos, []string{f.Name}
		}
		if f.Value.Kind != syntax.Table {
			continue
		}
		// A table goes on below other headers, so its members count for themselves.
		if sub := last(f.Value, p); sub != nil {
			sub = append([]string{f.Name}, sub...)
			if at := position(n, sub); before(best, at) {
				best, path = at, sub
			}
		}
	}
	return path
}

func before(a, b syntax.Pos) bool {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) <= 0
}

// position returns where the member at path below n is named.
func position(n *syntax.Node, path []string) syntax.Pos {
	var p syntax.Pos
	for _, name := range path {
		i := slices.IndexFunc(n.Fields, func(f syntax.Field) bool { return f.Name == name })
		if i < 0 {
			return p
		}
		p, n = n.Fields[i].Pos, n.Fields[i].Value
	}
	return p
}

// remove takes the member at path out of n, and tables that become empty by it.
func remove(n *syntax.Node, path []string) {
	i := slices.IndexFunc(n.Fields, func(f syntax.Field) bool { return f.Name == path[0] })
	if i < 0 {
		return // gone with another one
	}
	if inner := n.Fields[i].Value; len(path) > 1 {
		remove(inner, path[1:])
		if len(inner.Fields) > 0 {
			return
		}
	}
	n.Fields = slices.Delete(n.Fields, i, i+1)
}

// summary says how many settings were refused, for the history.
func summary(faults []report.Fault) string {
	n := 0
	for _, f := range faults {
		if f.Severity == report.Error {
			n++
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return ", 1 fault"
	}
	return fmt.Sprintf(", %d faults", n)
}
