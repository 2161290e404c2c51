package netplan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/netplan"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

const whole = `network:
  version: 2
  ethernets:
    eth0:
      match: {macaddress: "52:54:00:00:00:01"}
      optional: true
      dhcp4: true
      dhcp4-overrides: {route-metric: 50}
      dhcp6: false
      mtu: 9000
    eth1:
      addresses: [192.0.2.10/24, "2001:db8::10/64"]
      gateway4: 192.0.2.1
      routes:
        - {to: 0.0.0.0/0, via: 192.0.2.2, metric: 7}
        - to: 198.51.100.0/24
          via: 192.0.2.3
      nameservers:
        addresses: [192.0.2.53]
        search: [example.org]
    eth2: {}
    eth3: {}
  bonds:
    bond0:
      interfaces: [eth2, eth3]
      parameters: {mode: 802.3ad, lacp-rate: fast, mii-monitor-interval: 100}
      dhcp4: true
  vlans:
    vlan7: {id: 7, link: bond0}
  bridges:
    br0: {interfaces: [vlan7], parameters: {stp: true}, dhcp4: true}
`

func TestRead(t *testing.T) {
	tests := []struct {
		name, in string
		want     string // settings, or "" where only faults count
		faults   []string
	}{
		{
			name: "all of it", in: whole,
			want: `{"network":{"interfaces":{` +
				`"eth0":{"match":{"mac":"52:54:00:00:00:01"},"dhcp4":{"enabled":true,"route-metric":50,"optional":true},"dhcp6":{"enabled":false,"optional":true},"mtu":9000},` +
				`"eth1":{"addresses":["192.0.2.10/24","2001:db8::10/64"],"routes":[{"to":"default","via":"192.0.2.1"},{"to":"default","via":"192.0.2.2","route-metric":7},{"to":"198.51.100.0/24","via":"192.0.2.3"}],"name-servers":["192.0.2.53"],"search-list":["example.org"]},` +
				`"eth2":{},"eth3":{},` +
				`"bond0":{"bond":{"interfaces":["eth2","eth3"],"mode":"802.3ad","lacp-rate":"fast","mii-monitor-ms":100},"dhcp4":{"enabled":true}},` +
				`"vlan7":{"vlan":{"id":7,"device":"bond0"}},` +
				`"br0":{"bridge":{"interfaces":["vlan7"],"stp":true},"dhcp4":{"enabled":true}}}}}`,
		},
		{name: "without its root, in JSON", in: `{"version": 2, "ethernets": {"e": {"dhcp4": true}}}`, want: `{"network":{"interfaces":{"e":{"dhcp4":{"enabled":true}}}}}`},
		{name: "version 1", in: "version: 1\nconfig: []\n", faults: []string{"1:10: version: the version is 1 (want 2; for others, set settings.network.interfaces)"}},
		{name: "no version", in: "ethernets: {}\n", faults: []string{"version: the network configuration does not say its version (want version: 2)"}},
		{name: "not YAML", in: "version: [\n", faults: []string{"1:1: YAML: did not find expected node content (want YAML 1.2)"}},
		{name: "a list", in: "- 1\n", faults: []string{"1:1: network: want a table, got a list"}},
		{
			name: "what has no setting", in: "version: 2\nwifis: {}\nethernets:\n  e:\n    wakeonlan: true\n    set-name: x\n    routes: [{to: default, via: 192.0.2.1, table: 5}]\n",
			want: `{"network":{"interfaces":{"e":{"routes":[{"to":"default","via":"192.0.2.1"}]}}}}`,
			faults: []string{
				"2:1: wifis: the network configuration asks for what no setting stands for (want ethernets, bonds, bridges or vlans)",
				"5:5: ethernets.e.wakeonlan: the network configuration asks for what no setting stands for (see settings.network.interfaces for what can be set)",
				"6:5: ethernets.e.set-name: the network configuration asks for what no setting stands for (see settings.network.interfaces for what can be set)",
				"7:44: ethernets.e.routes.table: the network configuration asks for what no setting stands for (see settings.network.interfaces for what can be set)",
			},
		},
		{name: "one name twice", in: "version: 2\nethernets: {a: {}}\nbonds: {a: {}}\n", want: `{"network":{"interfaces":{"a":{}}}}`, faults: []string{`3:9: bonds.a: there are two interfaces called "a"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, rep := netplan.Read([]byte(tt.in))
			var faults []string
			for _, f := range rep.Faults {
				faults = append(faults, f.String())
			}
			if diff := cmp.Diff(tt.faults, faults); diff != "" {
				t.Errorf("Read(%q): faults (-want +got):\n%s", tt.in, diff)
			}
			got := ""
			if n != nil {
				got = string(document.NodeJSON(nil, n))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read(%q) (-want +got):\n%s", tt.in, diff)
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
	n, _ := netplan.Read([]byte(whole))
	in := v.Schema.Decode(n, schema.Options{})
	doc := document.Document{}.Apply(in.Patch)
	_, rep := v.Validate(doc, document.Document{})
	for _, f := range append(in.Report.Faults, rep.Faults...) {
		if f.Severity == "error" {
			t.Errorf("settings of the network configuration: %v", f)
		}
	}
	if doc.Len() == 0 {
		t.Error("settings of the network configuration: none")
	}
}

// Whatever is given, reading ends with settings or with a fault.
func FuzzRead(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("version: 2\nethernets: {a: {routes: 1, match: 2, addresses: [{x: y}], nameservers: []}}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		n, rep := netplan.Read(in)
		if n == nil && len(rep.Faults) == 0 {
			t.Errorf("Read(%q): neither settings nor a fault", in)
		}
		if n != nil && (n.Kind != syntax.Table || !strings.HasPrefix(string(document.NodeJSON(nil, n)), `{"network":`)) {
			t.Errorf("Read(%q) is no settings of the network", in)
		}
	})
}
