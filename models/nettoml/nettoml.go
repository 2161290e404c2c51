// Package nettoml reads net.toml, the file by which Bottlerocket's nodes are
// given their network, as settings.
//
// All three versions of the file are read. The result are the settings that say
// the same, as nodes that know where they stand in the file; what is wrong with
// the values themselves is found when these are decoded.
package nettoml

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/settings/network"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Is reports whether n, a document, is a net.toml: that says its version.
func Is(n *syntax.Node) bool { return n.Kind == syntax.Table && n.Field("version") != nil }

// Read returns the content of "settings" that says what data, a net.toml, does.
// The node is nil when the text cannot be read at all.
func Read(data []byte) (*syntax.Node, report.Report) {
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	if root == nil {
		return nil, rep
	}
	n, more := Convert(root)
	rep.Merge(more)
	return n, rep
}

// Convert is Read for a document that was read already.
func Convert(root *syntax.Node) (*syntax.Node, report.Report) {
	r := &reader{}
	r.version = r.readVersion(root)
	if r.version == 0 {
		return nil, r.rep
	}
	interfaces := r.devices(root)
	r.references(root)
	return syntax.NewTable(field("network", syntax.NewTable(field("interfaces", interfaces)))), r.rep
}

func field(name string, n *syntax.Node) syntax.Field {
	return syntax.Field{Name: name, Pos: n.Pos, Value: n}
}

// A reader collects what is wrong with the grammar of a file.
type reader struct {
	version int64
	rep     report.Report
	names   map[string]string // of entries, by what they are in the file
}

func (r *reader) fault(code report.Code, path string, at syntax.Pos, detail, hint string) {
	r.rep.Add(report.Fault{Code: code, Path: path, Detail: detail, Hint: hint, Line: at.Line, Column: at.Column})
}

func (r *reader) readVersion(root *syntax.Node) int64 {
	n := root.Field("version")
	if n == nil {
		r.fault(report.MissingMember, "version", syntax.Pos{}, "the file does not say its version", "begin it with: version = 3")
		return 0
	}
	v, ok := n.Int()
	if !ok || v < 1 || v > 3 {
		r.fault(report.InvalidValue, "version", n.Pos, "the version is "+n.Describe(), "want 1, 2 or 3")
		return 0
	}
	return v
}

// devices returns the interfaces that the tables of the file describe.
func (r *reader) devices(root *syntax.Node) *syntax.Node {
	out := syntax.NewTable()
	r.names = map[string]string{}
	primary := hasPrimary(root)
	for _, f := range root.Fields {
		if f.Name == "version" {
			continue
		}
		if f.Value.Kind != syntax.Table {
			r.fault(report.UnknownSetting, f.Name, f.Pos, "is "+f.Value.Describe()+", and all but version are tables of devices", "")
			continue
		}
		d := device{reader: r, name: f.Name, table: f.Value}
		name, ok := d.entry(f.Pos)
		if !ok {
			continue
		}
		n := d.convert()
		if !primary {
			// The first in the file is the one that counts.
			n.Fields = append(n.Fields, field("primary", &syntax.Node{Kind: syntax.Bool, Text: "true", Pos: f.Pos}))
			primary = true
		}
		n.Pos = f.Pos
		out.Fields = append(out.Fields, syntax.Field{Name: name, Pos: f.Pos, Value: n})
	}
	return out
}

func hasPrimary(root *syntax.Node) bool {
	for _, f := range root.Fields {
		if f.Value.Kind != syntax.Table {
			continue
		}
		if p := f.Value.Field("primary"); p != nil && p.Text == "true" {
			return true
		}
	}
	return false
}

// references finds interfaces that have a table and are part of a bond.
func (r *reader) references(root *syntax.Node) {
	for _, f := range root.Fields {
		if f.Value.Kind != syntax.Table || f.Value.Field("kind") == nil {
			continue
		}
		workers := f.Value.Field("interfaces")
		if workers == nil || workers.Kind != syntax.Array {
			continue
		}
		for _, w := range workers.Items {
			if w.Kind == syntax.String && root.Field(w.Text) != nil {
				r.fault(report.Conflict, f.Name+".interfaces", w.Pos,
					fmt.Sprintf("%s is part of this bond and has a table of its own", w.Text), "remove the table")
			}
		}
	}
}

// A device is one table of the file.
type device struct {
	*reader
	name  string
	table *syntax.Node
}

// entry returns the name that the device has as an entry of the settings.
func (d *device) entry(at syntax.Pos) (string, bool) {
	name := d.name
	if mac, err := network.ParseMAC(d.name); err == nil {
		if d.version < 3 {
			d.fault(report.InvalidKey, d.name, at, "devices have a MAC address in place of a name from version 3 on", "set version to 3")
			return "", false
		}
		name = strings.ReplaceAll(mac.String(), ":", "")
		if d.table.Field("kind") != nil {
			d.fault(report.InvalidKey, d.name, at, "a bond or VLAN has a name, and no MAC address of its own", "name it, as in [bond0]")
			return "", false
		}
	} else if _, err := network.ParseInterfaceName(name); err != nil {
		d.fault(report.InvalidKey, d.name, at, err.Error(), "")
		return "", false
	} else if strings.Contains(name, ".") {
		d.fault(report.InvalidKey, d.name, at, "the name of a device has no dot", `give a VLAN a name such as "vlan100"`)
		return "", false
	}
	if other, dup := d.names[name]; dup {
		d.fault(report.DuplicateKey, d.name, at, "the device is described as "+other+" too", "keep one of the tables")
		return "", false
	}
	d.names[name] = d.name
	return name, true
}
