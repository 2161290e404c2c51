package networkdata

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// addNetwork takes a network on a link.
func (r *reader) addNetwork(path string, n *syntax.Node) {
	id, ok := r.needed(n, path, "link")
	if !ok {
		return
	}
	kind, ok := r.needed(n, path, "type")
	if !ok {
		return
	}
	l := r.links[id.Text]
	if l == nil {
		r.fault(report.InvalidValue, path+".link", id, fmt.Sprintf("there is no link %q", id.Text), "")
		return
	}
	l.used = true
	switch kind.Text {
	case "ipv4_dhcp":
		l.enable("dhcp4", kind)
	case "ipv6_dhcp", "ipv6_dhcpv6-stateful":
		l.enable("dhcp6", kind)
	case "ipv6_slaac", "ipv6_dhcpv6-stateless": // routers say whether more is to be asked for
		if l.out.Field("accept-ra") == nil {
			l.set("accept-ra", yes(kind))
		}
	case "ipv4", "ipv6":
		r.static(l, path, n)
	default:
		r.fault(report.Unsupported, path+".type", kind, fmt.Sprintf("networks of the type %q are not known", kind.Text), "see settings.network.interfaces for what can be set")
		return
	}
	for _, server := range r.networkServers(path, n) {
		r.add(l, "name-servers", server.Text, server)
	}
}

func yes(at *syntax.Node) *syntax.Node {
	return &syntax.Node{Kind: syntax.Bool, Text: "true", Pos: at.Pos}
}

func (l *link) enable(name string, at *syntax.Node) {
	if l.out.Field(name) == nil {
		l.set(name, &syntax.Node{Kind: syntax.Table, Pos: at.Pos, Fields: []syntax.Field{field("enabled", yes(at))}})
	}
}

// static takes an address and the routes from there.
func (r *reader) static(l *link, path string, n *syntax.Node) {
	address, ok := r.needed(n, path, "ip_address")
	if !ok {
		return
	}
	text, err := withPrefix(address.Text, mask(n))
	if err != nil {
		r.fault(report.InvalidValue, path+".ip_address", address, err.Error(), "want netmask beside it, or a prefix length behind it")
		return
	}
	r.add(l, "addresses", text, &syntax.Node{Kind: syntax.String, Text: text, Pos: address.Pos})
	if gateway, ok := r.text(n, path, "gateway"); ok {
		r.route(l, "default", gateway)
	}
	r.routes(l, path, n)
}

func (r *reader) routes(l *link, path string, n *syntax.Node) {
	list := n.Field("routes")
	if list == nil || list.Kind == syntax.Null || !r.is(list, syntax.Array, path+".routes") {
		return
	}
	for i, item := range list.Items {
		at := fmt.Sprintf("%s.routes[%d]", path, i)
		if !r.is(item, syntax.Table, at) {
			continue
		}
		to, ok := r.needed(item, at, "network")
		if !ok {
			continue
		}
		gateway, ok := r.needed(item, at, "gateway")
		if !ok {
			continue
		}
		text, err := withPrefix(to.Text, mask(item))
		if err != nil {
			r.fault(report.InvalidValue, at+".network", to, err.Error(), "want netmask beside it, or a prefix length behind it")
			continue
		}
		if p, err := netip.ParsePrefix(text); err == nil && p.Bits() == 0 {
			text = "default"
		}
		r.route(l, text, gateway)
	}
}

func (r *reader) route(l *link, to string, via *syntax.Node) {
	r.add(l, "routes", to+" "+via.Text, &syntax.Node{Kind: syntax.Table, Pos: via.Pos, Fields: []syntax.Field{
		field("to", &syntax.Node{Kind: syntax.String, Text: to, Pos: via.Pos}), field("via", via),
	}})
}

// mask returns what stands for the length of a prefix.
func mask(n *syntax.Node) string {
	if m := n.Field("netmask"); m != nil && m.Kind != syntax.Null {
		return m.Text
	}
	return ""
}

// withPrefix returns an address with the length of its prefix. The mask may be an
// address of ones and zeros, or the length.
func withPrefix(address, mask string) (string, error) {
	if strings.Contains(address, "/") {
		return address, nil
	}
	if mask == "" {
		return "", fmt.Errorf("address %q has neither a netmask nor a prefix length", address)
	}
	if n, err := strconv.ParseUint(mask, 10, 8); err == nil {
		return fmt.Sprintf("%s/%d", address, n), nil
	}
	m, err := netip.ParseAddr(mask)
	if err != nil {
		return "", fmt.Errorf("netmask %q is no address and no length", mask)
	}
	length, ended := 0, false
	for _, b := range m.AsSlice() {
		ones := bits.LeadingZeros8(^b)
		if ended && b != 0 || b<<ones != 0 {
			return "", fmt.Errorf("netmask %q has ones behind zeros", mask)
		}
		length, ended = length+ones, ended || ones < 8
	}
	return fmt.Sprintf("%s/%d", address, length), nil
}

// networkServers returns the name servers of a network, in both forms that there
// are.
func (r *reader) networkServers(path string, n *syntax.Node) []*syntax.Node {
	out := r.servers(n, path+".services", "services")
	if list := n.Field("dns_nameservers"); list != nil && list.Kind != syntax.Null && r.is(list, syntax.Array, path+".dns_nameservers") {
		out = append(out, list.Items...)
	}
	return out
}

// servers returns the addresses of the services that are DNS. There are no
// others that a node goes by.
func (r *reader) servers(n *syntax.Node, path, name string) []*syntax.Node {
	list := n.Field(name)
	if list == nil || list.Kind == syntax.Null || !r.is(list, syntax.Array, path) {
		return nil
	}
	var out []*syntax.Node
	for i, item := range list.Items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !r.is(item, syntax.Table, at) {
			continue
		}
		if kind := item.Field("type"); kind == nil || kind.Text != "dns" {
			continue
		}
		if address, ok := r.needed(item, at, "address"); ok {
			out = append(out, address)
		}
	}
	return out
}
