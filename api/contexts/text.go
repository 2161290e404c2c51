package contexts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// version is that of the form of the file.
const version = 1

func encode(f File) ([]byte, error) {
	wire := struct {
		Version  int                `toml:"version"`
		Current  string             `toml:"current,omitempty"`
		Contexts map[string]Context `toml:"contexts,omitempty"`
	}{version, f.Current, map[string]Context{}}
	for _, c := range f.Contexts {
		wire.Contexts[c.Name] = c
	}
	text, err := toml.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("encode the contexts: %w", err)
	}
	return append([]byte("# The nodes that apiclient knows; see apiclient context --help.\n"), text...), nil
}

// A reader takes a file apart and notes all that is wrong with it.
type reader struct {
	rep report.Report
}

func (r *reader) fault(code report.Code, pos syntax.Pos, path, detail, hint string) {
	r.rep.Add(report.Fault{Code: code, Path: path, Detail: detail, Hint: hint, Line: pos.Line, Column: pos.Column})
}

// parse reads the text of a file, which source names in faults.
func parse(data []byte, source string) (File, error) {
	root, rep := syntax.TOML(data, syntax.Limits{Bytes: maxFile, Depth: 8, String: 64 << 10})
	r := &reader{rep: rep}
	var f File
	if root != nil && !rep.HasErrors() {
		f = r.file(root)
	}
	if !r.rep.HasErrors() {
		return f, nil
	}
	r.rep.Sort()
	for i := range r.rep.Faults {
		r.rep.Faults[i].Source = source
	}
	return File{}, r.rep.Err()
}

func (r *reader) file(root *syntax.Node) File {
	if !r.version(root) {
		return File{} // what else stands there may mean something else
	}
	var f File
	var current syntax.Field
	for _, m := range root.Fields {
		switch m.Name {
		case "version":
		case "current":
			f.Current, current = r.text(m, m.Name), m
		case "contexts":
			f.Contexts = r.contexts(m)
		default:
			r.fault(report.UnknownSetting, m.Pos, m.Name, "there is no such key", "want version, current or contexts")
		}
	}
	if f.Current != "" && f.index(f.Current) < 0 {
		r.fault(report.Conflict, current.Value.Pos, "current", fmt.Sprintf("there is no context %q", f.Current), "name another, or take the line out")
	}
	return f
}

func (r *reader) version(root *syntax.Node) bool {
	n := root.Field("version")
	if n == nil {
		r.fault(report.MissingMember, syntax.Pos{Line: 1, Column: 1}, "version", "is not there", fmt.Sprintf("want version = %d", version))
		return false
	}
	if v, ok := n.Int(); !ok || v != version {
		r.fault(report.InvalidValue, n.Pos, "version", "is "+n.Describe(), fmt.Sprintf("this apiclient reads version %d", version))
		return false
	}
	return true
}

func (r *reader) text(m syntax.Field, path string) string {
	if m.Value.Kind != syntax.String {
		r.fault(report.WrongType, m.Value.Pos, path, "want a string, got "+m.Value.Describe(), "")
		return ""
	}
	return m.Value.Text
}

func (r *reader) contexts(m syntax.Field) []Context {
	if m.Value.Kind != syntax.Table {
		r.fault(report.WrongType, m.Value.Pos, m.Name, "want a table, got "+m.Value.Describe(), "")
		return nil
	}
	var out []Context
	for _, entry := range m.Value.Fields {
		out = append(out, r.context(entry))
	}
	slices.SortFunc(out, func(a, b Context) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (r *reader) context(m syntax.Field) Context {
	c := Context{Name: m.Name}
	path := fmt.Sprintf("contexts.%s", m.Name)
	if m.Value.Kind != syntax.Table {
		r.fault(report.WrongType, m.Value.Pos, path, "want a table, got "+m.Value.Describe(), "")
		return c
	}
	members := map[string]*string{
		"endpoint": &c.Endpoint, "fingerprint": &c.Fingerprint, "ca": &c.CA, "certificate": &c.Certificate, "key": &c.Key,
	}
	before := len(r.rep.Faults)
	for _, f := range m.Value.Fields {
		into, ok := members[f.Name]
		if !ok {
			r.fault(report.UnknownSetting, f.Pos, path+"."+f.Name, "there is no such key", "want endpoint, fingerprint, ca, certificate or key")
			continue
		}
		*into = r.text(f, path+"."+f.Name)
	}
	if len(r.rep.Faults) > before {
		return c
	}
	if err := c.Check(); err != nil {
		r.fault(report.InvalidValue, m.Pos, path, err.Error(), "")
	}
	return c
}
