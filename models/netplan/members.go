package netplan

import (
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// inside returns what puts a member into a table of the interface.
func inside(table, name string) func(*entry, syntax.Field) {
	return func(e *entry, m syntax.Field) { e.add(e.table(table, m.Pos), name, m) }
}

// rename adds the members of m, which is a table, to another under other names.
func (e *entry) rename(to *syntax.Node, path string, m *syntax.Node, names map[string]string) {
	if !e.isTable(m, path) {
		return
	}
	for _, f := range m.Fields {
		if name, ok := names[f.Name]; ok {
			e.add(to, name, f)
		} else {
			e.unsupported(path+"."+f.Name, f.Pos, "see settings.network.interfaces for what can be set")
		}
	}
}

func (e *entry) match(m syntax.Field) {
	e.rename(e.table("match", m.Pos), e.path+".match", m.Value, matchMembers)
}

func (e *entry) bond(m syntax.Field) {
	e.rename(e.table("bond", m.Pos), e.path+".parameters", m.Value, bondMembers)
}

func (e *entry) bridge(m syntax.Field) {
	e.rename(e.table("bridge", m.Pos), e.path+".parameters", m.Value, map[string]string{"stp": "stp"})
}

func (e *entry) nameServers(m syntax.Field) {
	e.rename(e.out, e.path+".nameservers", m.Value, nameMembers)
}

func (e *entry) dhcp(m syntax.Field) { e.add(e.table(m.Name, m.Pos), "enabled", m) }

func (e *entry) overrides(m syntax.Field) {
	e.rename(e.table("dhcp4", m.Pos), e.path+"."+m.Name, m.Value, map[string]string{"route-metric": "route-metric"})
}

// optional says that nobody waits for the interface. The settings have that for
// DHCP alone; nothing else is waited for.
func (e *entry) optional(value *syntax.Node) {
	if value == nil {
		return
	}
	for _, name := range []string{"dhcp4", "dhcp6"} {
		if n := e.out.Field(name); n != nil {
			e.add(n, "optional", syntax.Field{Pos: value.Pos, Value: value})
		}
	}
}

// addresses takes addresses, without what netplan may say about each.
func (e *entry) addresses(m syntax.Field) {
	out := &syntax.Node{Kind: syntax.Array, Pos: m.Value.Pos, Items: []*syntax.Node{}}
	if m.Value.Kind != syntax.Array {
		e.add(e.out, "addresses", m) // the schema says what is wrong
		return
	}
	for _, item := range m.Value.Items {
		if item.Kind == syntax.Table && len(item.Fields) == 1 {
			f := item.Fields[0]
			e.unsupported(e.path+".addresses", f.Pos, "give the address alone")
			item = &syntax.Node{Kind: syntax.String, Text: f.Name, Pos: f.Pos}
		}
		out.Items = append(out.Items, item)
	}
	e.add(e.out, "addresses", syntax.Field{Pos: m.Pos, Value: out})
}

func (e *entry) routes(m syntax.Field) {
	if m.Value.Kind != syntax.Array {
		e.fault(report.WrongType, e.path+".routes", m.Value.Pos, "want a list, got "+m.Value.Describe(), "")
		return
	}
	for _, item := range m.Value.Items {
		route := &syntax.Node{Kind: syntax.Table, Pos: item.Pos}
		e.rename(route, e.path+".routes", item, routeMembers)
		e.route(route, m.Pos)
	}
}

// gateway is a route to everywhere, as netplan had it before.
func (e *entry) gateway(m syntax.Field) {
	to := &syntax.Node{Kind: syntax.String, Text: "default", Pos: m.Pos}
	e.route(&syntax.Node{Kind: syntax.Table, Pos: m.Pos, Fields: []syntax.Field{
		{Name: "to", Pos: m.Pos, Value: to}, {Name: "via", Pos: m.Pos, Value: m.Value},
	}}, m.Pos)
}

// route adds a route.
func (e *entry) route(route *syntax.Node, at syntax.Pos) {
	if to := route.Field("to"); to != nil && (to.Text == "0.0.0.0/0" || strings.TrimSpace(to.Text) == "::/0") {
		*to = syntax.Node{Kind: syntax.String, Text: "default", Pos: to.Pos}
	}
	list := e.out.Field("routes")
	if list == nil {
		list = &syntax.Node{Kind: syntax.Array, Pos: at, Items: []*syntax.Node{}}
		e.out.Fields = append(e.out.Fields, syntax.Field{Name: "routes", Pos: at, Value: list})
	}
	list.Items = append(list.Items, route)
}
