package provision

import (
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

	looked int // how many members were looked at for that
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
	if u.root == nil {
		return faults, false
	}
	out := slices.Clone(faults)
	gone, x := map[member]bool{}, newMembers(u.root)
	// Faults are found by what is there, so all are before anything goes.
	for i, f := range out {
		m, ok := about(x, f)
		if !ok {
			continue
		}
		gone[m] = true
		if f.Line == 0 {
			source, p := u.Place(f.Path)
			out[i].Source, out[i].Line, out[i].Column = source, p.Line, p.Column
		}
	}
	if len(gone) == 0 {
		return out, false
	}
	x.sweep(gone)
	u.cut, u.looked = true, u.looked+x.looked
	return out, true
}

// about returns the member that f is about, if the text has it.
func about(x *members, f report.Fault) (member, bool) {
	m, ok, all := follow(x, f.Path)
	if !all && f.Line > 0 { // another name for the same setting, or none at all
		return x.at(syntax.Pos{Line: f.Line, Column: f.Column})
	}
	return m, ok
}

// follow returns the member that the path of a fault leads to, as far as the text
// has it, and whether that is all of it.
func follow(x *members, text string) (m member, ok, all bool) {
	name, _, _ := strings.Cut(text, "[") // an item of a list
	k, err := key.Parse(name)
	if err != nil {
		return m, false, false
	}
	if m, ok = x.named(x.root, key.Root); !ok {
		return m, false, false
	}
	for segment := range k.Segments() {
		next, ok := x.named(m.value(), segment)
		if !ok {
			return m, true, false
		}
		m = next
	}
	return m, true, true
}

// summary says how many settings were refused, for the history.
func summary(faults []report.Fault) string {
	if n := grave(faults); n > 0 {
		return ", " + count(n, "fault")
	}
	return ""
}

// grave returns the number of settings that were refused.
func grave(faults []report.Fault) int {
	n := 0
	for _, f := range faults {
		if f.Severity == report.Error {
			n++
		}
	}
	return n
}
