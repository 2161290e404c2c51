package provision

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// faultSource is what faults of user data name as their text.
const faultSource = "user-data"

// A userData is the text of user data and what it says.
type userData struct {
	text []byte
	root *syntax.Node // nil when the text says nothing that could be read
	cut  bool         // something was taken out of root
}

// parse reads user data, which may be packed with gzip. Faults are those that
// are known before the API has had a look.
func parse(data []byte) (*userData, report.Report) {
	text, err := unpack(data)
	if err != nil {
		return &userData{}, single(report.Syntax, "user data cannot be unpacked: "+err.Error(), "want TOML, as it is or packed with gzip")
	}
	u := &userData{text: text}
	if len(bytes.TrimSpace(text)) == 0 {
		return u, report.Report{}
	}
	var rep report.Report
	u.root, rep = syntax.TOML(text, syntax.DefaultLimits)
	if u.root == nil {
		return u, rep
	}
	switch n := u.root.Field(key.Root); {
	case n == nil:
		u.root = nil
		return u, single(report.UnknownSetting, "user data has no table "+key.Root, "settings belong below [settings]")
	case n.Kind != syntax.Table:
		u.root = nil
		rep = report.Report{}
		rep.Add(report.Fault{Code: report.WrongType, Path: key.Root, Detail: "want a table, got " + n.Describe(), Line: n.Pos.Line, Column: n.Pos.Column})
		return u, rep
	}
	return u, report.Report{} // the API says again what is wrong
}

func single(code report.Code, detail, hint string) report.Report {
	var rep report.Report
	rep.Add(report.Fault{Code: code, Detail: detail, Hint: hint})
	return rep
}

func unpack(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return readBounded(r)
}

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
			p := position(u.root, path)
			out[i].Line, out[i].Column = p.Line, p.Column
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
