package generator

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// fakeFacts are facts by their names. One without a text is a fault.
type fakeFacts map[Fact]string

func (f fakeFacts) Fact(_ context.Context, name Fact, _ Settings) (string, error) {
	v, ok := f[name]
	switch {
	case !ok:
		return "", ErrUnknown
	case v == "":
		return "", errors.New("it is out of order")
	}
	return v, nil
}

// fakeAPI keeps settings as the API would.
type fakeAPI struct {
	origins map[string]client.Origin
	written []client.GeneratedValues
	err     error
}

func (f *fakeAPI) Origins(context.Context, client.Query) (map[string]client.Origin, error) {
	return f.origins, nil
}

func (f *fakeAPI) Generate(_ context.Context, g client.GeneratedValues) error {
	if f.err != nil {
		return f.err
	}
	f.written = append(f.written, g)
	if f.origins == nil {
		f.origins = map[string]client.Origin{}
	}
	for k, v := range g.Values.All() {
		f.origins[k.String()] = client.Origin{Value: []byte(v.JSON()), Layer: client.Generated, Generator: g.Generator, Strength: g.Strength}
	}
	return nil
}

func schemaOf(t *testing.T, name string) *schema.Schema {
	t.Helper()
	v, err := variant.Load(variants.Files, name)
	if err != nil {
		t.Fatal(err)
	}
	return v.Schema
}

const id = "0123456789abcdef0123456789abcdef"

func TestLocal(t *testing.T) {
	set := func(value string) client.Origin { return client.Origin{Value: []byte(value), Layer: client.User} }
	generated := func(value, by string, s Strength) client.Origin {
		return client.Origin{Value: []byte(value), Layer: client.Generated, Generator: by, Strength: string(s)}
	}
	tests := []struct {
		name    string
		variant string
		stage   Stage
		have    map[string]client.Origin
		facts   fakeFacts
		want    map[string]string // JSON that is written, by generator
		faults  []string
	}{
		{
			name: "first boot", variant: "qemu-dev", stage: Boot, facts: fakeFacts{Random: "2049", MachineID: id},
			want: map[string]string{"update-seed strong": `{"updates":{"seed":1}}`, "hostname weak": `{"network":{"hostname":"bulkhead-c515451007"}}`},
		},
		{
			name: "a name of the platform", variant: "qemu-dev", stage: Boot, facts: fakeFacts{MachineID: id, PlatformName: "Node-8"},
			have: map[string]client.Origin{"settings.updates.seed": generated("1", "update-seed", Strong)},
			want: map[string]string{
				"hostname weak":            `{"network":{"hostname":"bulkhead-c515451007"}}`,
				"platform-hostname strong": `{"network":{"hostname":"node-8"}}`,
			},
		},
		{
			name: "a name of the platform that is there no more", variant: "qemu-dev", stage: Boot, facts: fakeFacts{MachineID: id},
			have: map[string]client.Origin{
				"settings.updates.seed": generated("1", "update-seed", Strong), "settings.network.hostname": generated(`"node-8"`, "platform-hostname", Strong),
			},
		},
		{
			name: "a name of the platform that is none", variant: "qemu-dev", stage: Boot, facts: fakeFacts{MachineID: id, PlatformName: "a b"},
			have: map[string]client.Origin{"settings.updates.seed": generated("1", "update-seed", Strong)},
			want: map[string]string{"hostname weak": `{"network":{"hostname":"bulkhead-c515451007"}}`},
		},
		{
			name: "second boot", variant: "qemu-dev", stage: Boot, facts: fakeFacts{Random: "5", MachineID: id},
			have: map[string]client.Origin{
				"settings.updates.seed":     generated("1", "update-seed", Strong),
				"settings.network.hostname": generated(`"bulkhead-c515451007"`, "hostname", Weak),
			},
		},
		{
			name: "set by somebody", variant: "qemu-dev", stage: Boot, facts: fakeFacts{Random: "5", MachineID: id},
			have: map[string]client.Origin{"settings.updates.seed": set("7"), "settings.network.hostname": set(`"mine"`)},
		},
		{
			name: "nothing known", variant: "qemu-dev", stage: Boot,
		},
		{
			name: "a fact is out of order", variant: "qemu-dev", stage: Boot, facts: fakeFacts{Random: "5", MachineID: ""},
			want:   map[string]string{"update-seed strong": `{"updates":{"seed":5}}`},
			faults: []string{"warning: no value was found for network.hostname: find the machine id: it is out of order (set it, or see: p hostname --explain)"},
		},
		{
			name: "the network's name takes the place of the made one", variant: "qemu-dev", stage: Network,
			facts: fakeFacts{OfferedName: "Node-7.Example.org", ReverseName: "other"},
			have:  map[string]client.Origin{"settings.network.hostname": generated(`"bulkhead-c515451007"`, "hostname", Weak)},
			want:  map[string]string{"network-hostname strong": `{"network":{"hostname":"node-7.example.org"}}`},
		},
		{
			name: "and not the other way round", variant: "qemu-dev", stage: Boot, facts: fakeFacts{MachineID: id},
			have: map[string]client.Origin{"settings.network.hostname": generated(`"node-7"`, "network-hostname", Strong)},
		},
		{
			name: "names that are none", variant: "qemu-dev", stage: Network, facts: fakeFacts{OfferedName: "a b", ReverseName: "localhost.localdomain"},
		},
		{
			name: "node address", variant: "metal-k8s-1.37", stage: Network, facts: fakeFacts{AddressV4: "192.0.2.7", AddressV6: "2001:db8::7"},
			want: map[string]string{"node-ip weak": `{"kubernetes":{"node-ip":"192.0.2.7"}}`},
		},
		{
			name: "node address of another network", variant: "metal-k8s-1.37", stage: Network, facts: fakeFacts{AddressV4: "192.0.2.9"},
			have: map[string]client.Origin{"settings.kubernetes.node-ip": generated(`"192.0.2.7"`, "node-ip", Weak)},
			want: map[string]string{"node-ip weak": `{"kubernetes":{"node-ip":"192.0.2.9"}}`},
		},
		{
			name: "node address of the cluster's family", variant: "metal-k8s-1.37", stage: Network, facts: fakeFacts{AddressV4: "192.0.2.7", AddressV6: "2001:db8::7"},
			have: map[string]client.Origin{"settings.kubernetes.cluster-dns-ip": set(`["fd00::a","10.0.0.10"]`)},
			want: map[string]string{"node-ip weak": `{"kubernetes":{"node-ip":"2001:db8::7"}}`},
		},
		{
			name: "no address of that family", variant: "metal-k8s-1.37", stage: Network, facts: fakeFacts{AddressV6: "2001:db8::7"},
			have: map[string]client.Origin{"settings.kubernetes.cluster-dns-ip": set(`"10.0.0.10"`)},
		},
		{
			name: "no Kubernetes", variant: "metal-dev", stage: Network, facts: fakeFacts{AddressV4: "192.0.2.7"},
		},
		{
			name: "images of containers that nothing defines", variant: "metal-dev", stage: Start, facts: fakeFacts{AdminImage: "r.example.org/a:1", ControlImage: "r.example.org/c:1"},
			have: map[string]client.Origin{"settings.host-containers.control.source": set(`"mine"`)},
			want: map[string]string{"host-container-sources weak": `{"host-containers":{"admin":{"source":"r.example.org/a:1"}}}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := &fakeAPI{origins: tt.have}
			r := &Runner{API: api, Facts: tt.facts, Schema: schemaOf(t, tt.variant), List: Local()}
			outcomes, err := r.Run(t.Context(), tt.stage)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, w := range api.written {
				got[w.Generator+" "+w.Strength] = string(w.Values.JSON())
			}
			if tt.want == nil {
				tt.want = map[string]string{}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Run(%s): written (-want +got):\n%s", tt.stage, diff)
			}
			var faults []string
			for _, f := range Faults("p", outcomes) {
				faults = append(faults, f.String())
			}
			if diff := cmp.Diff(tt.faults, faults); diff != "" {
				t.Errorf("Run(%s): faults (-want +got):\n%s", tt.stage, diff)
			}
		})
	}
}

// A value that the API refuses keeps no other from being stored.
func TestRefused(t *testing.T) {
	api := &fakeAPI{err: errors.New("not acceptable")}
	r := &Runner{API: api, Facts: fakeFacts{Random: "5", MachineID: id}, Schema: schemaOf(t, "qemu-dev"), List: Local()}
	outcomes, err := r.Run(t.Context(), Boot)
	if err != nil || len(Faults("p", outcomes)) != 2 {
		t.Errorf("Run: %v, %v, want two faults", outcomes, err)
	}
}

// Every generator can be run, and gives values to settings that there are.
func TestDeclarations(t *testing.T) {
	known := schemaOf(t, "aws-k8s-1.37")
	names := map[string]bool{}
	for _, g := range Local() {
		if names[g.Name] || g.Name == "" || g.Summary == "" {
			t.Errorf("generator %q: want a name of its own, and a summary", g.Name)
		}
		names[g.Name] = true
		for _, name := range append(append(append([]string{}, g.Outputs...), g.Settings...), g.OptionalSettings...) {
			if _, ok := known.Lookup(parse(name)); !ok {
				t.Errorf("generator %s: there is no setting %s", g.Name, name)
			}
		}
		_, err := g.find(Input{gen: &g, settings: SettingsOf(document.Document{}), facts: map[Fact]string{Random: "1"}})
		if err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("generator %s without optional input: %v", g.Name, err)
		}
	}
}

func TestNode(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/machine-id", id+"\n")
	write("run/bulkhead/provision/machine.json", `{"kind":"ec2","hostname":"node-9"}`)
	write("run/systemd/netif/leases/2", "ADDRESS=192.0.2.7\n")
	write("run/systemd/netif/leases/3", "ADDRESS=192.0.2.8\nHOSTNAME=node-8\n")
	write("proc/net/route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"+
		"eth1\t00000000\t0100000A\t0003\t0\t0\t2048\t00000000\t0\t0\t0\n"+
		"eth0\t00000000\t0100000A\t0003\t0\t0\t1024\t00000000\t0\t0\t0\n"+
		"eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")
	write("proc/net/ipv6_route", "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"+
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00450003     eth0\n")
	n := Node{
		Root: root,
		Addresses: func(device string) ([]netip.Addr, error) {
			if device != "eth0" {
				return nil, errors.New("another device")
			}
			return []netip.Addr{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::5")}, nil
		},
		Names: func(_ context.Context, address string) ([]string, error) { return []string{"of-" + address + "."}, nil },
	}
	want := map[Fact]string{
		MachineID: id, PlatformName: "node-9", OfferedName: "node-8", ReverseName: "of-10.0.0.5", AddressV4: "10.0.0.5", AddressV6: "2001:db8::5",
		AdminImage: "ghcr.io/bulkhead-os/admin:v0.1.0", ControlImage: "ghcr.io/bulkhead-os/control:v0.1.0",
	}
	got := map[Fact]string{}
	for name := range want {
		v, err := n.Fact(t.Context(), name, Settings{})
		if err != nil {
			t.Errorf("Fact(%s): %v", name, err)
		}
		got[name] = v
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	bare := Node{Root: t.TempDir()}
	for _, name := range []Fact{MachineID, OfferedName, ReverseName, AddressV4, AddressV6, "another"} {
		if v, err := bare.Fact(t.Context(), name, Settings{}); !errors.Is(err, ErrUnknown) {
			t.Errorf("Fact(%s) of a bare node: %q, %v, want that it is not known", name, v, err)
		}
	}
}
