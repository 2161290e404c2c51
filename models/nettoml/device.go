package nettoml

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/settings/network"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// since are the members of a table that are not in all versions.
var since = map[string]int64{"static4": 2, "static6": 2, "route": 2, "kind": 3}

// A kind of device has members that other kinds do not.
type kind struct {
	name    string
	members []string
}

var (
	plain = kind{name: "device"}
	bond  = kind{"bond", []string{"mode", "interfaces", "min-links", "monitoring"}}
	vlan  = kind{"vlan", []string{"device", "id"}}

	// kinds are the spellings that are accepted.
	kinds = map[string]kind{"bond": bond, "Bond": bond, "vlan": vlan, "Vlan": vlan, "VLAN": vlan}
)

// everywhere are the members of all kinds.
var everywhere = []string{"primary", "dhcp4", "dhcp6", "static4", "static6", "route", "kind"}

func (d *device) path(member string) string { return d.name + "." + member }

// convert returns the entry of the settings.
func (d *device) convert() *syntax.Node {
	k := d.kind()
	d.unknown(k)
	out := syntax.NewTable()
	if mac, err := network.ParseMAC(d.name); err == nil {
		out.Fields = append(out.Fields, field("match", syntax.NewTable(field("mac", syntax.NewString(mac.String())))))
	}
	if p := d.table.Field("primary"); p != nil {
		out.Fields = append(out.Fields, field("primary", p))
	}
	d.addressing(out)
	switch k.name {
	case "bond":
		out.Fields = append(out.Fields, field("bond", d.bond()))
	case "vlan":
		out.Fields = append(out.Fields, field("vlan", d.members(vlan.members)))
	}
	return out
}

func (d *device) kind() kind {
	n := d.table.Field("kind")
	if n == nil {
		return plain
	}
	k, ok := kinds[n.Text]
	if n.Kind != syntax.String || !ok {
		d.fault(report.InvalidValue, d.path("kind"), n.Pos, "the kind is "+n.Describe(), `want "bond" or "vlan"`)
		return plain
	}
	return k
}

func (d *device) unknown(k kind) {
	for _, f := range d.table.Fields {
		switch {
		case since[f.Name] > d.version:
			d.fault(report.UnknownSetting, d.path(f.Name), f.Pos, "version 1 has no such key", "raise version, at most to 3")
			if d.version == 2 {
				d.rep.Faults[len(d.rep.Faults)-1].Detail = "version 2 has no such key"
			}
		case !slices.Contains(everywhere, f.Name) && !slices.Contains(k.members, f.Name):
			d.fault(report.UnknownSetting, d.path(f.Name), f.Pos, "a "+k.name+" has no such key", "")
		}
	}
}

// members returns a table of those of names that d has.
func (d *device) members(names []string) *syntax.Node {
	out := syntax.NewTable()
	for _, name := range names {
		if n := d.table.Field(name); n != nil {
			out.Fields = append(out.Fields, field(name, n))
		}
	}
	return out
}

// addressing adds how the device gets its addresses and routes.
func (d *device) addressing(out *syntax.Node) {
	var dhcp, static bool
	for _, name := range []string{"dhcp4", "dhcp6"} {
		n := d.table.Field(name)
		if n == nil {
			continue
		}
		dhcp = true
		if n.Kind == syntax.Bool {
			n = &syntax.Node{Kind: syntax.Table, Fields: []syntax.Field{field("enabled", n)}, Pos: n.Pos}
		}
		out.Fields = append(out.Fields, field(name, n))
	}
	addresses := syntax.NewArray()
	for _, name := range []string{"static4", "static6"} {
		if n := d.table.Field(name); n != nil {
			static = true
			addresses.Items = append(addresses.Items, d.static(name, n)...)
		}
	}
	if len(addresses.Items) > 0 {
		addresses.Pos = addresses.Items[0].Pos
		out.Fields = append(out.Fields, field("addresses", addresses))
	}
	if !dhcp && !static {
		want := "dhcp4 or dhcp6"
		if d.version > 1 {
			want = "dhcp4, dhcp6, static4 or static6"
		}
		d.fault(report.MissingMember, d.name, d.table.Pos, "nothing says where the device gets its addresses from", "set "+want)
	}
	d.routes(out, dhcp, static)
}

// static returns the addresses in n, the table static4 or static6.
func (d *device) static(name string, n *syntax.Node) []*syntax.Node {
	if n.Kind != syntax.Table {
		d.fault(report.WrongType, d.path(name), n.Pos, "is "+n.Describe(), `want a table, as in { addresses = ["192.0.2.10/24"] }`)
		return nil
	}
	for _, f := range n.Fields {
		if f.Name != "addresses" {
			d.fault(report.UnknownSetting, d.path(name)+"."+f.Name, f.Pos, "there is no such key", "the only one is addresses")
		}
	}
	list := n.Field("addresses")
	switch {
	case list == nil:
		d.fault(report.MissingMember, d.path(name)+".addresses", n.Pos, "there are no addresses", "list them")
		return nil
	case list.Kind != syntax.Array:
		d.fault(report.WrongType, d.path(name)+".addresses", list.Pos, "is "+list.Describe(), "want a list")
		return nil
	}
	for _, a := range list.Items {
		p, err := netip.ParsePrefix(a.Text)
		if err == nil && p.Addr().Is6() != (name == "static6") {
			d.fault(report.InvalidValue, d.path(name)+".addresses", a.Pos, a.Text+" is an address of the other family", "move it to the other table")
		}
	}
	return list.Items
}

func (d *device) routes(out *syntax.Node, dhcp, static bool) {
	n := d.table.Field("route")
	switch {
	case n == nil:
		return
	case n.Kind != syntax.Array:
		d.fault(report.WrongType, d.path("route"), n.Pos, "is "+n.Describe(), "want tables [["+d.name+".route]]")
		return
	case dhcp:
		d.fault(report.Conflict, d.path("route"), n.Pos, "a device that has a key for DHCP has no routes of its own", "remove the routes, or the key for DHCP")
	case !static:
		d.fault(report.MissingMember, d.path("route"), n.Pos, "a route needs an address to send from", "set static4 or static6")
	}
	out.Fields = append(out.Fields, field("routes", n))
}

// bond returns what the settings say about a bond. The ways of watching its
// interfaces have a table of their own in the file.
func (d *device) bond() *syntax.Node {
	out := d.members([]string{"mode", "interfaces", "min-links"})
	if m := d.table.Field("mode"); m != nil && m.Kind == syntax.String && m.Text != "active-backup" {
		d.fault(report.InvalidValue, d.path("mode"), m.Pos, "the mode is "+m.Describe(), `net.toml has only "active-backup"; settings.network.interfaces has all modes`)
	}
	n := d.table.Field("monitoring")
	switch {
	case n == nil:
		d.fault(report.MissingMember, d.path("monitoring"), d.table.Pos, "nothing says how the interfaces of the bond are watched", "set miimon-frequency-ms, miimon-updelay-ms and miimon-downdelay-ms")
		return out
	case n.Kind != syntax.Table:
		d.fault(report.WrongType, d.path("monitoring"), n.Pos, "is "+n.Describe(), "want a table")
		return out
	}
	out.Fields = append(out.Fields, d.monitoring(n)...)
	return out
}

// The two forms of monitoring: names in the file and in the settings.
var (
	byLink = map[string]string{"miimon-frequency-ms": "mii-monitor-ms", "miimon-updelay-ms": "up-delay-ms", "miimon-downdelay-ms": "down-delay-ms"}
	byARP  = map[string]string{"arpmon-interval-ms": "arp-interval-ms", "arpmon-validate": "arp-validate", "arpmon-targets": "arp-targets"}
)

func (d *device) monitoring(n *syntax.Node) []syntax.Field {
	form := byLink
	if slices.ContainsFunc(n.Fields, func(f syntax.Field) bool { return strings.HasPrefix(f.Name, "arpmon-") }) {
		form = byARP
	}
	var out []syntax.Field
	for _, f := range n.Fields {
		name, ok := form[f.Name]
		if !ok {
			d.fault(report.UnknownSetting, d.path("monitoring")+"."+f.Name, f.Pos, "this way of watching has no such key", "have either the three keys miimon-* or the three keys arpmon-*")
			continue
		}
		out = append(out, syntax.Field{Name: name, Pos: f.Pos, Value: f.Value})
	}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if n.Field(name) == nil {
			d.fault(report.MissingMember, d.path("monitoring")+"."+name, n.Pos, "is missing: this way of watching needs all three keys", "")
		}
	}
	return out
}
