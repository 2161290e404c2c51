// Package netplan reads the network configuration, version 2, that cloud-init and
// netplan know, as settings.
//
// What stands for a setting is taken, and everything else is a fault with its
// place. The result are settings as nodes that know where they stand in the text;
// what is wrong with the values themselves is found when these are decoded.
package netplan

import (
	"fmt"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// Read returns the content of "settings" that says what data does, in YAML or
// JSON. The node is nil when the text cannot be read at all.
func Read(data []byte) (*syntax.Node, report.Report) {
	r := &reader{}
	root, rep := userdata.YAML(data)
	r.rep = rep
	if root == nil {
		return nil, r.rep
	}
	if n := root.Field("network"); n != nil { // as in files of netplan
		root = n
	}
	if !r.isTable(root, "network") || !r.version(root) {
		return nil, r.rep
	}
	interfaces := syntax.NewTable()
	for _, f := range root.Fields {
		k, known := kinds[f.Name]
		switch {
		case f.Name == "version" || f.Name == "renderer":
		case !known:
			r.unsupported(f.Name, f.Pos, "want ethernets, bonds, bridges or vlans")
		case r.isTable(f.Value, f.Name):
			r.entries(interfaces, f, k)
		}
	}
	return syntax.NewTable(field("network", syntax.NewTable(field("interfaces", interfaces)))), r.rep
}

func field(name string, n *syntax.Node) syntax.Field {
	return syntax.Field{Name: name, Pos: n.Pos, Value: n}
}

type reader struct{ rep report.Report }

func (r *reader) fault(code report.Code, path string, at syntax.Pos, detail, hint string) {
	r.rep.Add(report.Fault{Code: code, Path: path, Detail: detail, Hint: hint, Line: at.Line, Column: at.Column})
}

func (r *reader) unsupported(path string, at syntax.Pos, hint string) {
	r.fault(report.Unsupported, path, at, "the network configuration asks for what no setting stands for", hint)
}

func (r *reader) isTable(n *syntax.Node, path string) bool {
	if n.Kind != syntax.Table {
		r.fault(report.WrongType, path, n.Pos, "want a table, got "+n.Describe(), "")
		return false
	}
	return true
}

func (r *reader) version(root *syntax.Node) bool {
	n := root.Field("version")
	if n == nil {
		r.fault(report.MissingMember, "version", syntax.Pos{}, "the network configuration does not say its version", "want version: 2")
		return false
	}
	if v, ok := n.Int(); !ok || v != 2 {
		r.fault(report.InvalidValue, "version", n.Pos, "the version is "+n.Describe(), "want 2; for others, set settings.network.interfaces")
		return false
	}
	return true
}

// A rule says what becomes of a member: another name, or work to do.
type rule struct {
	to string
	do func(e *entry, f syntax.Field)
}

// Rules for entries of all kinds, and for those of one. Members without a rule
// are not supported.
var (
	everywhere = map[string]rule{
		"dhcp4": {do: (*entry).dhcp}, "dhcp6": {do: (*entry).dhcp}, "dhcp4-overrides": {do: (*entry).overrides}, "dhcp6-overrides": {},
		"optional": {}, "accept-ra": {to: "accept-ra"}, "addresses": {do: (*entry).addresses}, "mtu": {to: "mtu"},
		"routes": {do: (*entry).routes}, "gateway4": {do: (*entry).gateway}, "gateway6": {do: (*entry).gateway},
		"nameservers": {do: (*entry).nameServers}, "match": {do: (*entry).match}, "renderer": {},
	}
	kinds = map[string]map[string]rule{
		"ethernets": {},
		"bonds":     {"interfaces": {do: inside("bond", "interfaces")}, "parameters": {do: (*entry).bond}},
		"bridges":   {"interfaces": {do: inside("bridge", "interfaces")}, "parameters": {do: (*entry).bridge}},
		"vlans":     {"id": {do: inside("vlan", "id")}, "link": {do: inside("vlan", "device")}},
	}
	bondMembers = map[string]string{
		"mode": "mode", "primary": "preferred", "min-links": "min-links", "mii-monitor-interval": "mii-monitor-ms", "up-delay": "up-delay-ms",
		"down-delay": "down-delay-ms", "arp-interval": "arp-interval-ms", "arp-validate": "arp-validate", "arp-ip-targets": "arp-targets",
		"lacp-rate": "lacp-rate", "transmit-hash-policy": "transmit-hash-policy",
	}
	matchMembers = map[string]string{"macaddress": "mac", "name": "name", "driver": "driver"}
	routeMembers = map[string]string{"to": "to", "via": "via", "from": "from", "metric": "route-metric"}
	nameMembers  = map[string]string{"addresses": "name-servers", "search": "search-list"}
)

// An entry is one interface on its way into the settings.
type entry struct {
	*reader
	path string
	out  *syntax.Node
}

// entries adds the interfaces of one kind.
func (r *reader) entries(out *syntax.Node, group syntax.Field, own map[string]rule) {
	for _, f := range group.Value.Fields {
		path := group.Name + "." + f.Name
		if !r.isTable(f.Value, path) {
			continue
		}
		if slices.ContainsFunc(out.Fields, func(have syntax.Field) bool { return have.Name == f.Name }) {
			r.fault(report.DuplicateKey, path, f.Pos, fmt.Sprintf("there are two interfaces called %q", f.Name), "")
			continue
		}
		e := &entry{reader: r, path: path, out: &syntax.Node{Kind: syntax.Table, Pos: f.Pos}}
		for _, m := range f.Value.Fields {
			e.member(m, own)
		}
		e.optional(f.Value.Field("optional"))
		out.Fields = append(out.Fields, syntax.Field{Name: f.Name, Pos: f.Pos, Value: e.out})
	}
}

func (e *entry) member(m syntax.Field, own map[string]rule) {
	act, known := everywhere[m.Name]
	if !known {
		act, known = own[m.Name]
	}
	switch {
	case !known:
		e.unsupported(e.path+"."+m.Name, m.Pos, "see settings.network.interfaces for what can be set")
	case act.do != nil:
		act.do(e, m)
	case act.to != "":
		e.add(e.out, act.to, m)
	}
}

// add gives a table a member with the value of m, in front of what it has.
func (e *entry) add(table *syntax.Node, name string, m syntax.Field) {
	table.Fields = append(table.Fields, syntax.Field{Name: name, Pos: m.Pos, Value: m.Value})
}

// table returns the member of the interface that is a table, made if need be.
func (e *entry) table(name string, at syntax.Pos) *syntax.Node {
	if n := e.out.Field(name); n != nil {
		return n
	}
	n := &syntax.Node{Kind: syntax.Table, Pos: at}
	e.out.Fields = append(e.out.Fields, syntax.Field{Name: name, Pos: at, Value: n})
	return n
}
