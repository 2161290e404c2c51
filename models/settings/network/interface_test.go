package network_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
	"github.com/bulkhead-os/bulkhead/models/settings/network"
)

// interfaces reads TOML below settings.network.interfaces and returns what is
// wrong with it.
func interfaces(t *testing.T, text string) []string {
	t.Helper()
	s := schema.For(reflect.TypeFor[settings.Settings](), "", []string{"network"})
	in := s.ReadTOML([]byte("[network.interfaces]\n"+text), schema.Options{})
	rep := in.Report
	rep.Merge(s.Check(document.Document{}.Apply(in.Patch)))
	var out []string
	for _, f := range rep.Faults {
		f.Line, f.Column = 0, 0
		text := strings.ReplaceAll(f.String(), "settings.network.interfaces.", "")
		if f.Severity == report.Warning {
			text = "warning: " + text
		}
		out = append(out, text)
	}
	return out
}

func TestInterfaces(t *testing.T) {
	const bond = `b.dhcp4.enabled = true` + "\n" + `b.bond = { mode = "%", interfaces = ["x", "y"]`
	mode := func(mode, rest string) string { return strings.Replace(bond, "%", mode, 1) + rest + " }" }
	tests := []struct {
		name, in string
		want     []string
	}{
		{name: "nothing"},
		{name: "plain", in: `eth0.dhcp4.enabled = true`},
		{name: "bond", in: mode("802.3ad", `, lacp-rate = "fast", mii-monitor-ms = 100, up-delay-ms = 200`)},
		{name: "vlan on a bond", in: mode("balance-alb", ``) + "\nv.vlan = { device = \"b\", id = 0 }"},
		{name: "two primary", in: "a.primary = true\nb.primary = true", want: []string{"b.primary: a is primary already (make one interface primary)"}},
		{
			name: "two kinds", in: `a.vlan = { device = "x", id = 1 }` + "\n" + `a.bridge.stp = true`,
			want: []string{"a.vlan: the interface is a bridge and a vlan (keep one of them)"},
		},
		{name: "number without match", in: `1234.dhcp4.enabled = true`, want: []string{"1234.match: 1234 is a number, which is no name of an interface (say by match.mac, match.name or match.driver which device is meant)"}},
		{name: "part twice", in: mode("broadcast", "") + "\nc.bridge.interfaces = [\"x\"]", want: []string{"c.bridge.interfaces: x is part of b already (an interface can be part of one bond or bridge)"}},
		{name: "part with addresses", in: mode("broadcast", "") + "\nx.addresses = [\"192.0.2.1/24\"]", want: []string{"x.addresses: the interface is part of b, and has no addresses of its own then (move them to b)"}},
		{name: "vlan on a part of a bond", in: mode("broadcast", "") + "\nv.vlan = { device = \"x\", id = 1 }", want: []string{"v.vlan.device: x is part of the bond b, which takes its packets (set device to b)"}},
		{name: "loop", in: `a.bridge.interfaces = ["c"]` + "\n" + `c.vlan = { device = "a", id = 1 }`, want: []string{"a: the interface is made of itself by way of others (take it out of one of them)"}},
		{name: "bond of nothing", in: `b.bond.mode = "802.3ad"`, want: []string{`b.bond.interfaces: a bond is made of at least one interface (list them, as in ["eth0", "eth1"])`}},
		{name: "LACP rate without LACP", in: mode("balance-rr", `, lacp-rate = "slow"`), want: []string{"b.bond.lacp-rate: there is no LACP in the mode balance-rr (remove it, or set mode to 802.3ad)"}},
		{name: "ARP with LACP", in: mode("802.3ad", `, arp-interval-ms = 5, arp-targets = ["192.0.2.1"]`), want: []string{"b.bond.arp-interval-ms: the mode 802.3ad cannot be watched by ARP (use mii-monitor-ms)"}},
		{name: "ARP of IPv6", in: mode("balance-rr", `, arp-interval-ms = 5, arp-targets = ["2001:db8::1"]`), want: []string{"b.bond.arp-targets: ARP is of IPv4 (want addresses of IPv4)"}},
		{name: "too few links", in: mode("balance-rr", `, min-links = 3`), want: []string{"b.bond.min-links: the bond has 2 interfaces (want at most that many)"}},
		{
			name: "routes of two families", in: `a.addresses = ["192.0.2.1/24"]` + "\n" + `a.routes = [{ to = "198.51.100.0/24", via = "2001:db8::1" }]`,
			want: []string{"a.routes[0].via: the destination is one of IPv4 (want a router of the same family)"},
		},
		{name: "route without address", in: `a.routes = [{ to = "default", via = "192.0.2.1" }]`, want: []string{"a.addresses: there are routes, and no address to send from (set addresses, or enable dhcp4 or dhcp6)"}},
		{name: "route to nowhere", in: `a.addresses = ["192.0.2.1/24"]` + "\n" + `a.routes = [{ via = "192.0.2.1" }]`, want: []string{`a.routes[0].to: the route leads nowhere (set it to a network, or to "default")`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, interfaces(t, tt.in)); diff != "" {
				t.Errorf("faults of %s (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestInterfaceValues(t *testing.T) {
	t.Run("name", func(t *testing.T) {
		valuetest.Texts(t, network.ParseInterfaceName, []valuetest.Text{
			{Name: "usual", In: "eth0"},
			{Name: "dot", In: "bond0.100"},
			{Name: "empty", Want: `interface "" has 0 bytes, want 1 to 15`},
			{Name: "too long", In: "abcdefghijklmnop", Want: `interface "abcdefghijklmnop" has 16 bytes, want 1 to 15`},
			{Name: "slash", In: "a/b", Want: `interface "a/b": byte 2 is not a letter, a digit, a dot, a hyphen or an underscore`},
			{Name: "reserved", In: "all", Want: `interface "all": the kernel keeps that name to itself`},
		})
	})
	t.Run("pattern", func(t *testing.T) {
		valuetest.Texts(t, network.ParseNamePattern, []valuetest.Text{
			{Name: "usual", In: "en*[0-9]?"},
			{Name: "empty", Want: `pattern "" has 0 bytes, want 1 to 64`},
			{Name: "two", In: "a b", Want: `pattern "a b": byte 2 is not of a name and none of * ? [ ]`},
		})
	})
	t.Run("MAC", func(t *testing.T) {
		valuetest.Texts(t, network.ParseMAC, []valuetest.Text{
			{Name: "usual", In: "52:54:00:12:34:56"},
			{Name: "no address", In: "52:54:00", Want: `MAC address "52:54:00" is not six pairs of hexadecimal digits with colons between them`},
			{Name: "dots", In: "5254.0012.3456", Want: `MAC address "5254.0012.3456" is not six pairs of hexadecimal digits with colons between them`},
			{Name: "eight octets", In: "02:00:5e:10:00:00:00:01", Want: `MAC address "02:00:5e:10:00:00:00:01" is not six pairs of hexadecimal digits with colons between them`},
		})
	})
	t.Run("address", func(t *testing.T) {
		valuetest.Texts(t, network.ParseAddress, []valuetest.Text{
			{Name: "IPv4", In: "192.0.2.1/24"},
			{Name: "IPv6", In: "2001:db8::1/64"},
			{Name: "no prefix", In: "192.0.2.1", Want: `address "192.0.2.1" has no prefix length`},
			{Name: "prefix too long", In: "192.0.2.1/33", Want: `address "192.0.2.1/33" is no IP address with a prefix length`},
			{Name: "multicast", In: "224.0.0.1/24", Want: `address "224.0.0.1/24" is none that an interface can have`},
			{Name: "mapped", In: "::ffff:192.0.2.1/120", Want: `address "::ffff:192.0.2.1/120" is one of IPv4 in the form of IPv6`},
		})
	})
	t.Run("destination", func(t *testing.T) {
		valuetest.Texts(t, network.ParseDestination, []valuetest.Text{
			{Name: "all", In: "default"},
			{Name: "network", In: "198.51.100.0/24"},
			{Name: "address", In: "198.51.100.1/24", Want: `destination "198.51.100.1/24" has bits behind its prefix, the network is 198.51.100.0/24`},
			{Name: "mapped", In: "::ffff:0.0.0.0/96", Want: `destination "::ffff:0.0.0.0/96" is a network of IPv4 in the form of IPv6`},
			{Name: "neither", In: "everywhere", Want: `destination "everywhere" is neither a network with a prefix length nor "default"`},
		})
	})
}

// One address has one spelling, so that equal settings are equal.
func TestCanonicalSpelling(t *testing.T) {
	if m := valuetest.Parse[network.MAC](t, "52-54-00-AB-CD-EF"); m.String() != "52:54:00:ab:cd:ef" {
		t.Errorf("MAC = %s, want lower case with colons", m)
	}
	if a := valuetest.Parse[network.Address](t, "2001:DB8:0::1/64"); a.String() != "2001:db8::1/64" {
		t.Errorf("address = %s, want the short form in lower case", a)
	}
}
