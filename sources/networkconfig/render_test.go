package networkconfig

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is rendered to testdata")

// Each directory of testdata has a description of a network and, in out, the
// files that it leads to. The validators of shipyard show these to
// systemd-networkd.
func TestFiles(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("testdata has %d descriptions, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := example(t, dir)
			got := map[string]string{}
			for _, f := range Files(c) {
				got[f.Name] = f.Text
			}
			out := filepath.Join(dir, "out")
			if *update {
				rewrite(t, out, got)
			}
			if diff := cmp.Diff(contents(t, out), got); diff != "" {
				t.Errorf("Files of %s (-want +got):\n%s", dir, diff)
			}
		})
	}
}

// example reads the description in dir.
func example(t *testing.T, dir string) Config {
	t.Helper()
	if line, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil {
		c, found, err := fromCommandLine(string(line))
		if err != nil || !found {
			t.Fatalf("fromCommandLine(%q) = found %t, %v", line, found, err)
		}
		return c
	}
	for _, name := range []string{"net.toml", "settings.toml"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(data, name)
		if err != nil {
			t.Fatalf("Parse(%s): %v", name, err)
		}
		return c
	}
	t.Fatalf("%s has no description", dir)
	return Config{}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

func rewrite(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{name: "not TOML", in: "version = \n", want: []string{"f:1:11: "}},
		{name: "unknown version", in: "version = 4\n", want: []string{"f:1:11: version: the version is 4 (want 1, 2 or 3)"}},
		{
			name: "key of a later version", in: "version = 1\n[eth0]\nstatic4 = { addresses = [\"192.0.2.1/24\"] }\n",
			want: []string{"f:3:1: eth0.static4: version 1 has no such key (raise version, at most to 3)"},
		},
		{
			name: "nothing gives addresses", in: "version = 2\n[eth0]\nprimary = true\n",
			want: []string{"f:2:", "eth0: nothing says where the device gets its addresses from (set dhcp4, dhcp6, static4 or static6)"},
		},
		{
			name: "unknown key", in: "version = 3\n[eth0]\ndhcp4 = true\nmtu = 9000\n",
			want: []string{"f:4:1: eth0.mtu: a device has no such key"},
		},
		{
			name: "routes beside DHCP", in: "version = 2\n[eth0]\ndhcp4 = true\n[[eth0.route]]\nto = \"default\"\nvia = \"192.0.2.1\"\n",
			want: []string{"eth0.route: a device that has a key for DHCP has no routes of its own (remove the routes, or the key for DHCP)"},
		},
		{
			name: "address of the other family", in: "version = 2\n[eth0]\nstatic6 = { addresses = [\"192.0.2.1/24\"] }\n",
			want: []string{"f:3:26: eth0.static6.addresses: 192.0.2.1/24 is an address of the other family (move it to the other table)"},
		},
		{
			name: "MAC address in version 2", in: "version = 2\n[\"52:54:00:00:00:01\"]\ndhcp4 = true\n",
			want: []string{"52:54:00:00:00:01: devices have a MAC address in place of a name from version 3 on (set version to 3)"},
		},
		{
			name: "two forms of monitoring", in: "version = 3\n[b]\nkind = \"bond\"\nmode = \"active-backup\"\ninterfaces = [\"x\"]\ndhcp4 = true\nmonitoring = { arpmon-interval-ms = 1, miimon-frequency-ms = 1 }\n",
			want: []string{
				"b.monitoring.miimon-frequency-ms: this way of watching has no such key",
				"b.monitoring.arpmon-targets: is missing: this way of watching needs all three keys",
			},
		},
		{
			name: "part of a bond with a table", in: "version = 3\n[x]\ndhcp4 = true\n[b]\nkind = \"bond\"\nmode = \"active-backup\"\ninterfaces = [\"x\"]\ndhcp4 = true\nmonitoring = { miimon-frequency-ms = 100, miimon-updelay-ms = 100, miimon-downdelay-ms = 50 }\n",
			want: []string{
				"f:7:15: b.interfaces: x is part of this bond and has a table of its own (remove the table)",
				"settings.network.interfaces.b.bond.down-delay-ms: it is shorter than mii-monitor-ms, which is 100",
				"settings.network.interfaces.x.dhcp4: the interface is part of b, and has no addresses of its own then",
			},
		},
		{
			name: "value out of range", in: "version = 3\n[v]\nkind = \"vlan\"\ndevice = \"eth0\"\nid = 4095\ndhcp4 = true\n",
			want: []string{"f:5:6: settings.network.interfaces.v.vlan.id: VLAN is 4095, want 0 to 4094"},
		},
		{
			name: "settings", in: "[settings.network.interfaces.eth0]\naddresses = [\"192.0.2.1\"]\n",
			want: []string{`settings.network.interfaces.eth0.addresses`, `address "192.0.2.1" has no prefix length`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.in), "f")
			if err == nil {
				t.Fatalf("Parse(%q) succeeded, want an error", tt.in)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Parse(%q): error\n%v\nwant it to hold %q", tt.in, err, want)
				}
			}
		})
	}
}

func TestFromCommandLine(t *testing.T) {
	tests := []struct {
		name, in, want string
		found          bool
	}{
		{name: "nothing", in: "quiet console=ttyS0\n"},
		{name: "one", in: "netdog.default-interface=eth0:dhcp4\n", found: true},
		{name: "behind the dashes", in: "-- netdog.default-interface=eth0:dhcp4\n"},
		{name: "two", in: "netdog.default-interface=a:dhcp4 netdog.default-interface=b:dhcp4", want: "netdog.default-interface is given 2 times, want once"},
		{name: "no options", in: "netdog.default-interface=eth0", want: "netdog.default-interface=eth0: there are no options, want NAME:dhcp4, NAME:dhcp6 or NAME:dhcp4,dhcp6"},
		{name: "twice the same", in: "netdog.default-interface=eth0:dhcp4,dhcp4?", want: "netdog.default-interface=eth0:dhcp4,dhcp4?: dhcp4 is given twice"},
		{name: "unknown option", in: "netdog.default-interface=eth0:static", want: `netdog.default-interface=eth0:static: there is no option "static", want dhcp4 or dhcp6, each with or without ? behind it`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, found, err := fromCommandLine(tt.in)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if found != tt.found || text != tt.want {
				t.Errorf("fromCommandLine(%q) = found %t, error %q, want %t, %q", tt.in, found, text, tt.found, tt.want)
			}
		})
	}
}

// What is accepted can be rendered, whatever it is.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*/net.toml", "testdata/*/settings.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "f")
		if err != nil {
			return
		}
		for _, file := range Files(c) {
			if strings.ContainsAny(file.Name, "/\n") || strings.ContainsAny(file.Text, "\x00\r") {
				t.Errorf("Parse(%q) leads to the file %q:\n%s", data, file.Name, file.Text)
			}
		}
	})
}
