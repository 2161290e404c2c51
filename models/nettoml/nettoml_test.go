package nettoml_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/nettoml"
)

// What settings a file leads to. The faults of files, and what becomes of them
// on a node, are in the tests of network-config.
func TestRead(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{name: "no devices", in: "version = 2\n", want: `{}`},
		{
			name: "the first is primary", in: "version = 1\n[b]\ndhcp4 = true\n[a]\ndhcp6 = { enabled = true, optional = true }\n",
			want: `{"network":{"interfaces":{"a":{"dhcp6":{"enabled":true,"optional":true}},"b":{"dhcp4":{"enabled":true},"primary":true}}}}`,
		},
		{
			name: "one that says so is", in: "version = 1\n[b]\ndhcp4 = true\n[a]\ndhcp4 = false\nprimary = true\n",
			want: `{"network":{"interfaces":{"a":{"dhcp4":{"enabled":false},"primary":true},"b":{"dhcp4":{"enabled":true}}}}}`,
		},
		{
			name: "MAC address", in: "version = 3\n[52-54-00-AB-CD-EF]\ndhcp4 = true\n",
			want: `{"network":{"interfaces":{"525400abcdef":{"dhcp4":{"enabled":true},"match":{"mac":"52:54:00:ab:cd:ef"},"primary":true}}}}`,
		},
		{
			name: "both families", in: "version = 2\n[a]\nstatic4.addresses = [\"192.0.2.1/24\"]\nstatic6.addresses = [\"2001:db8::1/64\"]\n",
			want: `{"network":{"interfaces":{"a":{"addresses":["192.0.2.1/24","2001:db8::1/64"],"primary":true}}}}`,
		},
		{
			name: "VLAN", in: "version = 3\n[v]\nkind = \"VLAN\"\ndevice = \"a\"\nid = 5\ndhcp4 = true\n",
			want: `{"network":{"interfaces":{"v":{"dhcp4":{"enabled":true},"primary":true,"vlan":{"device":"a","id":5}}}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, rep := nettoml.Read([]byte(tt.in))
			if err := rep.Err(); err != nil {
				t.Fatalf("Read(%q): %v", tt.in, err)
			}
			doc, err := document.FromNode(n)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(doc.JSON())); diff != "" {
				t.Errorf("Read(%q) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, in := range []string{"", "version = \"1\"\n", "version = 4\n", "[eth0]\ndhcp4 = true\n", "version = 1\nversion = 2\n"} {
		if n, rep := nettoml.Read([]byte(in)); rep.Err() == nil {
			t.Errorf("Read(%q) = %v without a fault, want one", in, n)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("version = 3\n[b]\nkind = \"bond\"\nmonitoring = { arpmon-interval-ms = 1 }\n[[b.route]]\nto = \"default\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, rep := nettoml.Read(data)
		if n == nil && rep.Err() == nil {
			t.Errorf("Read(%q) gives neither settings nor a fault", data)
		}
	})
}
