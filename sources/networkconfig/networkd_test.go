package networkconfig_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A way is one over which an address of the machine is reached.
type way struct{ port, from, to string }

var networkTests = []struct {
	name, text string
	want       []string          // interfaces and routes
	names      map[string]string // addresses by the names that programs ask for
	ways       []way
}{
	{
		name: "DHCP for IPv4",
		text: "[settings.network.interfaces.eth0]\ndhcp4 = { enabled = true, route-metric = 300 }\naccept-ra = false\n",
		want: []string{
			"eth0 mtu 1400 192.0.2.50/24", "eth1 mtu 1500",
			"default via 192.0.2.1 dev eth0 metric 300 from 192.0.2.50",
		},
		names: map[string]string{"of-four": "192.0.2.77", "of-six.six.example": "fd00:a::77"},
		ways:  []way{{first.port, "192.0.2.1", "192.0.2.50"}},
	},
	{
		name: "an interface by its name and driver",
		text: "[settings.network.interfaces.uplink]\nmatch = { name = \"eth[1-9]\", driver = \"veth\" }\naddresses = [\"198.51.100.61/24\"]\n",
		// Nobody makes packets as large as they were.
		want: []string{"eth0 mtu 1400", "eth1 mtu 1500 198.51.100.61/24"},
		ways: []way{{second.port, "198.51.100.1", "198.51.100.61"}},
	},
	{
		name: "a bridge",
		text: "[settings.network.interfaces.br0]\ndhcp4.enabled = true\naccept-ra = false\nbridge.interfaces = [\"eth0\", \"eth1\"]\n",
		want: []string{
			"br0 mtu 1400 192.0.2.50/24", "eth0 mtu 1400 of br0", "eth1 mtu 1500 of br0",
			"default via 192.0.2.1 dev br0 metric 1024 from 192.0.2.50",
		},
		names: map[string]string{"of-four": "192.0.2.77"},
		ways:  []way{{first.port, "192.0.2.1", "192.0.2.50"}, {second.port, "192.0.2.2", "192.0.2.50"}},
	},
	{
		name: "no bridge any more",
		text: "[settings.network.interfaces.eth0]\ndhcp4.enabled = true\naccept-ra = false\n",
		want: []string{
			"eth0 mtu 1400 192.0.2.50/24", "eth1 mtu 1500",
			"default via 192.0.2.1 dev eth0 metric 1024 from 192.0.2.50",
		},
		ways: []way{{first.port, "192.0.2.1", "192.0.2.50"}},
	},
	{
		name: "DHCP for both, and what a router tells",
		text: "[settings.network.interfaces.eth0]\ndhcp4.enabled = true\ndhcp6.enabled = true\nmtu = 1450\n",
		want: []string{
			"eth0 mtu 1450 192.0.2.50/24 fd00:a::50/128 fd00:a::ff:fe00:a/64", "eth1 mtu 1500",
			"default via 192.0.2.1 dev eth0 metric 1024 from 192.0.2.50",
			"default via fe80::ff:fe00:1 dev eth0 metric 1024",
			"fd00:c::/48 via fe80::ff:fe00:1 dev eth0 metric 1024",
		},
		names: map[string]string{"of-four": "192.0.2.77", "of-six": "fd00:a::77", "of-ra": "fd00:a::78"},
		ways:  []way{{first.port, "fd00:a::1", "fd00:a::50"}, {first.port, "fd00:a::1", "fd00:a::ff:fe00:a"}},
	},
	{
		name: "what a router tells, beside an address",
		text: "[settings.network.interfaces.eth0]\naddresses = [\"192.0.2.60/24\"]\naccept-ra = true\n",
		want: []string{
			"eth0 mtu 1450 192.0.2.60/24 fd00:a::50/128 fd00:a::ff:fe00:a/64", "eth1 mtu 1500",
			"default via fe80::ff:fe00:1 dev eth0 metric 1024",
			"fd00:c::/48 via fe80::ff:fe00:1 dev eth0 metric 1024",
		},
		names: map[string]string{"of-ra": "fd00:a::78"},
		ways:  []way{{first.port, "192.0.2.1", "192.0.2.60"}, {first.port, "fd00:a::1", "fd00:a::ff:fe00:a"}},
	},
	{
		name: "addresses, routes and servers of one's own",
		text: `[settings.network.interfaces.eth0]
addresses = ["192.0.2.60/24", "fd00:a::60/64"]
accept-ra = false
mtu = 1300
name-servers = ["fd00:a::1"]
search-list = ["static.example"]
routes = [
    { to = "default", via = "192.0.2.1" },
    { to = "203.0.113.0/24", via = "192.0.2.1", from = "192.0.2.60", route-metric = 7 },
    { to = "fd00:d::/48", via = "fd00:a::1" },
]
[settings.network.interfaces.eth1]
addresses = ["198.51.100.60/24"]
`,
		want: []string{
			"eth0 mtu 1300 192.0.2.60/24 fd00:a::60/64", "eth1 mtu 1500 198.51.100.60/24",
			"203.0.113.0/24 via 192.0.2.1 dev eth0 metric 7 from 192.0.2.60",
			"default via 192.0.2.1 dev eth0 metric 0",
			"fd00:d::/48 via fd00:a::1 dev eth0 metric 1024",
		},
		names: map[string]string{"of-settings": "192.0.2.79"},
		ways:  []way{{first.port, "fd00:a::1", "fd00:a::60"}, {second.port, "198.51.100.1", "198.51.100.60"}},
	},
}

// What the settings say of the network, dnsmasq, radvd and the kernel see. Each
// network takes the place of the one before it, on a machine that runs.
func TestNetworkd(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a machine, and waits for what its network tells")
	}
	m := bootMachine(t)
	l := newLAN(t, m.Machine)
	l.serve()
	m.Run("systemctl", "start", "systemd-networkd.service")
	for _, tt := range networkTests {
		ok := t.Run(tt.name, func(t *testing.T) {
			defer func(outer *testing.T) { m.t, l.t = outer, outer }(m.t)
			m.t, l.t = t, t
			m.change(tt.text)
			within(t, "network (-want +got)", func() string { return cmp.Diff(tt.want, m.state()) })
			for name, want := range tt.names {
				within(t, "name "+name, func() string { return m.resolves(name, want) })
			}
			for _, w := range tt.ways {
				within(t, "way to "+w.to, func() string { return l.reaches(w.port, w.from, w.to) })
			}
		})
		if !ok {
			return // the next network follows on this one
		}
	}
	m.change("[settings.network.interfaces.eth0]\ndhcp4.enabled = true\naccept-ra = false\n")
	want := []string{"eth0 mtu 1400 192.0.2.50/24", "eth1 mtu 1500", "default via 192.0.2.1 dev eth0 metric 1024 from 192.0.2.50"}
	leased := func() string { return cmp.Diff(want, m.state()) }
	within(t, "lease (-want +got)", leased)

	// While the program is replaced, what it was given stays.
	m.Run("systemctl", "stop", "systemd-networkd.service", "systemd-networkd.socket")
	if diff := leased(); diff != "" {
		t.Errorf("network without systemd-networkd (-want +got):\n%s", diff)
	}
	m.Run("systemctl", "start", "systemd-networkd.service")
	within(t, "lease after a restart (-want +got)", leased)

	// A cable that is pulled out and put in, again and again.
	for range 5 {
		l.run("ip", "link", "set", first.port, "down")
		l.run("ip", "link", "set", first.port, "up")
	}
	within(t, "lease after the cable was out (-want +got)", leased)
	within(t, "way after the cable was out", func() string { return l.reaches(first.port, "192.0.2.1", "192.0.2.50") })
}
