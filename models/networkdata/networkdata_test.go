package networkdata_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/networkdata"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// A server with a bond of two cards, a VLAN on it and a third card.
const whole = `{
  "links": [
    {"id": "25622616-b9ee-4a99-9e7b-84a3d14eee67", "type": "phy", "ethernet_mac_address": "a0:36:9f:d2:c3:cc", "mtu": 9000, "vif_id": null},
    {"id": "2df60585-a2c0-469e-b960-236d5ba20aba", "type": "phy", "ethernet_mac_address": "a0:36:9f:d2:c3:cd", "mtu": null},
    {"id": "bond0", "type": "bond", "ethernet_mac_address": "a0:36:9f:d2:c3:cc", "bond_mode": "802.3ad", "bond_miimon": "100",
     "bond_links": ["25622616-b9ee-4a99-9e7b-84a3d14eee67", "2df60585-a2c0-469e-b960-236d5ba20aba"]},
    {"id": "7d1f6e64-0f1c-4f5e-8a3b-1d0c6a7d9a11", "type": "vlan", "vlan_link": "bond0", "vlan_id": 101, "vlan_mac_address": "a0:36:9f:d2:c3:cc"},
    {"id": "tap68f096f7-81", "type": "ovs", "ethernet_mac_address": "fa:16:3e:99:59:c6", "mtu": 1450}
  ],
  "networks": [
    {"id": "network0", "type": "ipv4", "link": "bond0", "ip_address": "192.0.2.10", "netmask": "255.255.255.0", "network_id": "n",
     "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.1"}, {"network": "198.51.100.0", "netmask": "255.255.255.0", "gateway": "192.0.2.2"}],
     "services": [{"type": "dns", "address": "192.0.2.53"}, {"type": "ntp", "address": "192.0.2.54"}]},
    {"id": "network1", "type": "ipv6", "link": "bond0", "ip_address": "2001:db8::10", "netmask": "ffff:ffff:ffff:ffff::",
     "routes": [{"network": "::", "netmask": "::", "gateway": "2001:db8::1"}], "dns_nameservers": ["2001:db8::53"]},
    {"id": "network2", "type": "ipv4", "link": "7d1f6e64-0f1c-4f5e-8a3b-1d0c6a7d9a11", "ip_address": "203.0.113.5/24", "gateway": "203.0.113.1"},
    {"id": "network3", "type": "ipv4_dhcp", "link": "tap68f096f7-81"},
    {"id": "network4", "type": "ipv6_slaac", "link": "tap68f096f7-81"}
  ],
  "services": [{"type": "dns", "address": "192.0.2.99"}]
}`

func TestRead(t *testing.T) {
	one := func(network string) string {
		return `{"links": [{"id": "e", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:01"}], "networks": [` + network + `], "services": []}`
	}
	entry := func(more string) string {
		return `{"network":{"interfaces":{"e":{` + more + `"match":{"mac":"52:54:00:00:00:01"}}}}}`
	}
	tests := []struct {
		name, in string
		want     string // settings, or "" where there are none
		faults   []string
	}{
		{
			name: "all of it", in: whole,
			want: `{"network":{"interfaces":{` +
				`"link0":{"mtu":9000,"match":{"mac":"a0:36:9f:d2:c3:cc"}},` +
				`"link1":{"match":{"mac":"a0:36:9f:d2:c3:cd"}},` +
				`"bond0":{"addresses":["192.0.2.10/24","2001:db8::10/64"],` +
				`"routes":[{"to":"default","via":"192.0.2.1"},{"to":"198.51.100.0/24","via":"192.0.2.2"},{"to":"default","via":"2001:db8::1"}],` +
				`"name-servers":["192.0.2.53","2001:db8::53"],"bond":{"mode":"802.3ad","mii-monitor-ms":100,"interfaces":["link0","link1"]}},` +
				`"vlan0":{"addresses":["203.0.113.5/24"],"routes":[{"to":"default","via":"203.0.113.1"}],"vlan":{"device":"bond0","id":101},"name-servers":["192.0.2.99"]},` +
				`"tap68f096f7-81":{"dhcp4":{"enabled":true},"accept-ra":true,"mtu":1450,"match":{"mac":"fa:16:3e:99:59:c6"},"name-servers":["192.0.2.99"]}}}}`,
		},
		{name: "nothing", in: `{"links": [], "networks": [], "services": []}`},
		{name: "less than nothing", in: `{"links": null}`},
		{name: "DHCP of both", in: one(`{"link": "e", "type": "ipv4_dhcp"}, {"link": "e", "type": "ipv6_dhcpv6-stateful"}, {"link": "e", "type": "ipv4_dhcp"}`), want: entry(`"dhcp4":{"enabled":true},"dhcp6":{"enabled":true},`)},
		{name: "a length for a mask", in: one(`{"link": "e", "type": "ipv6", "ip_address": "2001:db8::2", "netmask": "64"}`), want: entry(`"addresses":["2001:db8::2/64"],`)},
		{
			name: "said twice",
			in: one(`{"link": "e", "type": "ipv4", "ip_address": "192.0.2.2/24", "gateway": "192.0.2.1", "routes": [{"network": "0.0.0.0/0", "gateway": "192.0.2.1"}]},` +
				`{"link": "e", "type": "ipv4", "ip_address": "192.0.2.3/24", "gateway": "192.0.2.1"}`),
			want: entry(`"addresses":["192.0.2.2/24","192.0.2.3/24"],"routes":[{"to":"default","via":"192.0.2.1"}],`),
		},
		{name: "no mask", in: one(`{"link": "e", "type": "ipv4", "ip_address": "192.0.2.2"}`), want: entry(""), faults: []string{`1:143: networks[0].ip_address: address "192.0.2.2" has neither a netmask nor a prefix length (want netmask beside it, or a prefix length behind it)`}},
		{name: "a mask with holes", in: one(`{"link": "e", "type": "ipv4", "ip_address": "192.0.2.2", "netmask": "255.0.255.0"}`), want: entry(""), faults: []string{`1:143: networks[0].ip_address: netmask "255.0.255.0" has ones behind zeros (want netmask beside it, or a prefix length behind it)`}},
		{name: "a type of the future", in: one(`{"link": "e", "type": "ipv9"}`), want: entry(""), faults: []string{`1:121: networks[0].type: networks of the type "ipv9" are not known (see settings.network.interfaces for what can be set)`}},
		{name: "no such link", in: one(`{"link": "f", "type": "ipv4_dhcp"}`), want: entry(""), faults: []string{`1:108: networks[0].link: there is no link "f"`}},
		{
			name: "links that are none", in: `{"links": [5, {"id": "a"}, {"id": "b", "type": "vlan", "vlan_link": "c", "vlan_id": 1}, {"id": "b", "type": "phy"}, {"type": "phy"}]}`,
			want: `{"network":{"interfaces":{"a":{},"b":{"vlan":{"id":1}}}}}`,
			faults: []string{
				`1:12: links[0]: want a table, got 5`, `1:96: links[3].id: there are two links called "b"`, `1:117: links[4].id: id is missing`,
				`1:15: links[1].type: type is missing`, `1:69: links[2].vlan_link: there is no link "c"`,
			},
		},
		{name: "not JSON", in: "{", faults: []string{"1:2: JSON ends too early (want one complete JSON value)"}},
		{name: "a list", in: "[]", faults: []string{"1:1: network_data: want a table, got a list"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, rep := networkdata.Read([]byte(tt.in))
			var faults []string
			for _, f := range rep.Faults {
				faults = append(faults, f.String())
			}
			if diff := cmp.Diff(tt.faults, faults); diff != "" {
				t.Errorf("Read(%s): faults (-want +got):\n%s", tt.in, diff)
			}
			got := ""
			if n != nil {
				got = string(document.NodeJSON(nil, n))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read(%s) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// What is read is what nodes can be set to.
func TestSettings(t *testing.T) {
	v, err := variant.Load(variants.Files, "metal-dev")
	if err != nil {
		t.Fatal(err)
	}
	n, _ := networkdata.Read([]byte(whole))
	in := v.Schema.Decode(n, schema.Options{})
	doc := document.Document{}.Apply(in.Patch)
	_, rep := v.Validate(doc, document.Document{})
	for _, f := range append(in.Report.Faults, rep.Faults...) {
		if f.Severity == "error" {
			t.Errorf("settings of network_data.json: %v", f)
		}
	}
	if doc.Len() == 0 {
		t.Error("settings of network_data.json: none")
	}
}

// Names that cannot be those of interfaces are replaced, each by one of its own.
func TestNames(t *testing.T) {
	var links []string
	for i := range 2000 {
		links = append(links, fmt.Sprintf(`{"id": "%040d", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:01"}`, i), fmt.Sprintf(`{"id": "link%d", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:01"}`, i))
	}
	n, rep := networkdata.Read([]byte(`{"links": [` + strings.Join(links, ",") + `]}`))
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range n.Field("network").Field("interfaces").Fields {
		if names[f.Name] || len(f.Name) > 15 {
			t.Errorf("entry %q: want a short name of its own", f.Name)
		}
		names[f.Name] = true
	}
	if len(names) != len(links) {
		t.Errorf("%d entries, want %d", len(names), len(links))
	}
}

// Whatever is given, reading ends, with settings of the network or with none.
func FuzzRead(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"links": [{"id": "a", "type": "bond", "bond_links": 5}], "networks": [{"link": "a", "type": "ipv4", "ip_address": "x", "netmask": "1::", "routes": {}}], "services": 1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		n, rep := networkdata.Read(in)
		if n != nil && (n.Kind != syntax.Table || !strings.HasPrefix(string(document.NodeJSON(nil, n)), `{"network":`)) {
			t.Errorf("Read(%q) is no settings of the network", in)
		}
		if n == nil && len(in) == 0 && len(rep.Faults) == 0 {
			t.Errorf("Read(%q): neither settings nor a fault", in)
		}
	})
}
