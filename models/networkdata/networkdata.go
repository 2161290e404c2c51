// Package networkdata reads the description of the network that OpenStack puts
// on its config drive, as settings.
//
// The file network_data.json has links, the networks on them, and services. It is
// made by programs and has more in it than a node goes by, which is passed over;
// what a node cannot do is a fault with its place. What is wrong with the values
// themselves is found when the settings are decoded.
package networkdata

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/settings/network"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Read returns the content of "settings" that says what data does. The node is
// nil when the text cannot be read at all, or describes no interface.
func Read(data []byte) (*syntax.Node, report.Report) {
	root, rep := syntax.JSON(data, syntax.DefaultLimits)
	r := &reader{rep: rep, links: map[string]*link{}, names: map[string]bool{}, made: map[string]int{}, said: map[string]bool{}}
	if root == nil || !r.is(root, syntax.Table, "network_data") {
		return nil, r.rep
	}
	r.each(root, "links", r.addLink)
	r.each(root, "networks", r.addNetwork)
	servers := r.servers(root, "services", "services")
	interfaces := syntax.NewTable()
	for _, l := range r.order {
		r.compose(l)
		if l.used && l.out.Field("name-servers") == nil && len(servers) > 0 {
			l.set("name-servers", syntax.NewArray(servers...))
		}
		interfaces.Fields = append(interfaces.Fields, syntax.Field{Name: l.name, Pos: l.at.Pos, Value: l.out})
	}
	if len(interfaces.Fields) == 0 {
		return nil, r.rep
	}
	return syntax.NewTable(field("network", syntax.NewTable(field("interfaces", interfaces)))), r.rep
}

func field(name string, n *syntax.Node) syntax.Field {
	return syntax.Field{Name: name, Pos: n.Pos, Value: n}
}

// A reader collects what a text says of each link.
type reader struct {
	rep   report.Report
	links map[string]*link // by id
	order []*link
	names map[string]bool // that are taken
	made  map[string]int  // how many names were made, by how they begin
	said  map[string]bool // what was said of links, as far as it may be said twice
}

// A link is an interface on its way into the settings.
type link struct {
	name string // of the entry
	path string // in the text
	at   *syntax.Node
	out  *syntax.Node
	used bool // it has a network
}

func (l *link) set(name string, n *syntax.Node) {
	l.out.Fields = append(l.out.Fields, field(name, n))
}

// add adds an item to a member that is a list, unless the same was added before:
// networks on one link say the same of servers and routes.
func (r *reader) add(l *link, name, text string, item *syntax.Node) {
	said := l.name + " " + name + " " + text
	if r.said[said] {
		return
	}
	r.said[said] = true
	n := l.out.Field(name)
	if n == nil {
		n = syntax.NewArray()
		l.set(name, n)
	}
	n.Items = append(n.Items, item)
}

func (r *reader) fault(code report.Code, path string, at *syntax.Node, detail, hint string) {
	r.rep.Add(report.Fault{Code: code, Path: path, Detail: detail, Hint: hint, Line: at.Pos.Line, Column: at.Pos.Column})
}

func (r *reader) is(n *syntax.Node, kind syntax.Kind, path string) bool {
	if n.Kind != kind {
		r.fault(report.WrongType, path, n, fmt.Sprintf("want %s, got %s", kind, n.Describe()), "")
		return false
	}
	return true
}

// each calls do for the items of a member that is a list of tables.
func (r *reader) each(table *syntax.Node, name string, do func(path string, n *syntax.Node)) {
	list := table.Field(name)
	if list == nil || list.Kind == syntax.Null || !r.is(list, syntax.Array, name) {
		return
	}
	for i, n := range list.Items {
		if path := fmt.Sprintf("%s[%d]", name, i); r.is(n, syntax.Table, path) {
			do(path, n)
		}
	}
}

// text returns a member that is a string. What is null counts as not there.
func (r *reader) text(table *syntax.Node, path, name string) (*syntax.Node, bool) {
	n := table.Field(name)
	if n == nil || n.Kind == syntax.Null {
		return nil, false
	}
	return n, r.is(n, syntax.String, path+"."+name)
}

// needed returns a member that must be there.
func (r *reader) needed(table *syntax.Node, path, name string) (*syntax.Node, bool) {
	n, ok := r.text(table, path, name)
	if n == nil {
		r.fault(report.MissingMember, path+"."+name, table, name+" is missing", "")
	}
	return n, ok
}

// addLink takes an interface. Those that others are made of may come later.
func (r *reader) addLink(path string, n *syntax.Node) {
	id, ok := r.needed(n, path, "id")
	if !ok {
		return
	}
	if r.links[id.Text] != nil {
		r.fault(report.DuplicateKey, path+".id", id, fmt.Sprintf("there are two links called %q", id.Text), "")
		return
	}
	prefix := "link"
	if kind := n.Field("type"); kind != nil && (kind.Text == "bond" || kind.Text == "vlan") {
		prefix = kind.Text
	}
	l := &link{name: r.free(id.Text, prefix), path: path, at: n, out: &syntax.Node{Kind: syntax.Table, Pos: n.Pos}}
	r.links[id.Text] = l
	r.order = append(r.order, l)
}

// free returns the name of an entry for a link: its id, or where that is too long
// for the name of an interface, one that says what it is.
func (r *reader) free(id, prefix string) string {
	name := id
	_, err := network.ParseInterfaceName(id)
	for err != nil || r.names[name] {
		name, err = fmt.Sprintf("%s%d", prefix, r.made[prefix]), nil
		r.made[prefix]++
	}
	r.names[name] = true
	return name
}

// compose says what an interface is.
func (r *reader) compose(l *link) {
	kind, ok := r.needed(l.at, l.path, "type")
	if !ok {
		return
	}
	if mtu := l.at.Field("mtu"); mtu != nil && mtu.Kind != syntax.Null {
		l.set("mtu", number(mtu))
	}
	switch kind.Text {
	case "bond":
		r.bond(l)
	case "vlan":
		r.vlan(l)
	default: // whatever the host has at the other end
		if mac, ok := r.needed(l.at, l.path, "ethernet_mac_address"); ok {
			l.set("match", syntax.NewTable(field("mac", mac)))
		}
	}
}

func (r *reader) bond(l *link) {
	bond := syntax.NewTable()
	for _, m := range []struct{ from, to string }{
		{"bond_mode", "mode"}, {"bond_miimon", "mii-monitor-ms"}, {"bond_xmit_hash_policy", "transmit-hash-policy"},
	} {
		if n := l.at.Field(m.from); n != nil && n.Kind != syntax.Null {
			if m.to == "mii-monitor-ms" {
				n = number(n)
			}
			bond.Fields = append(bond.Fields, field(m.to, n))
		}
	}
	devices := syntax.NewArray()
	if list := l.at.Field("bond_links"); list != nil && r.is(list, syntax.Array, l.path+".bond_links") {
		devices.Pos = list.Pos
		for _, n := range list.Items {
			if other, ok := r.other(n, l.path+".bond_links"); ok {
				devices.Items = append(devices.Items, other)
			}
		}
	}
	bond.Fields = append(bond.Fields, field("interfaces", devices))
	l.set("bond", bond)
}

func (r *reader) vlan(l *link) {
	vlan := syntax.NewTable()
	if n, ok := r.needed(l.at, l.path, "vlan_link"); ok {
		if other, ok := r.other(n, l.path+".vlan_link"); ok {
			vlan.Fields = append(vlan.Fields, field("device", other))
		}
	}
	if n := l.at.Field("vlan_id"); n != nil {
		vlan.Fields = append(vlan.Fields, field("id", number(n)))
	}
	l.set("vlan", vlan)
}

// other returns the name of the entry of a link that n names.
func (r *reader) other(n *syntax.Node, path string) (*syntax.Node, bool) {
	if !r.is(n, syntax.String, path) {
		return nil, false
	}
	l := r.links[n.Text]
	if l == nil {
		r.fault(report.InvalidValue, path, n, fmt.Sprintf("there is no link %q", n.Text), "")
		return nil, false
	}
	return &syntax.Node{Kind: syntax.String, Text: l.name, Pos: n.Pos}, true
}

// number returns n as a number where it is one in quotes.
func number(n *syntax.Node) *syntax.Node {
	if n.Kind != syntax.String || n.Text == "" {
		return n
	}
	for _, c := range []byte(n.Text) {
		if c < '0' || c > '9' {
			return n
		}
	}
	return &syntax.Node{Kind: syntax.Integer, Text: n.Text, Pos: n.Pos}
}
