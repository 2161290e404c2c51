package scalar_test

import (
	"net/netip"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseIP(t *testing.T) {
	testParse(t, scalar.ParseIP, []parseRow{
		{name: "IPv4", in: "192.0.2.1"},
		{name: "IPv6", in: "2001:db8::1"},
		{name: "unspecified", in: "::"},
		{name: "IPv4 in IPv6", in: "::ffff:1.2.3.4"},
		{name: "long spelling", in: "2001:0DB8:0:0:0:0:0:1", out: "2001:db8::1"},
		{name: "empty", in: "", want: `IP address "" is empty`},
		{name: "leading zero", in: "192.0.2.01", want: `IP address "192.0.2.01" is neither IPv4 nor IPv6`},
		{name: "three octets", in: "1.2.3", want: `IP address "1.2.3" is neither IPv4 nor IPv6`},
		{name: "octet too large", in: "1.2.3.256", want: `IP address "1.2.3.256" is neither IPv4 nor IPv6`},
		{name: "hexadecimal", in: "0x7f.0.0.1", want: `IP address "0x7f.0.0.1" is neither IPv4 nor IPv6`},
		{name: "zone", in: "fe80::1%eth0", want: `IP address "fe80::1%eth0" has a zone`},
		{name: "prefix length", in: "192.0.2.0/24", want: `IP address "192.0.2.0/24" has a prefix length`},
		{name: "port", in: "192.0.2.1:53", want: `IP address "192.0.2.1:53" has a port`},
		{name: "brackets", in: "[::1]", want: `IP address "[::1]" stands in brackets`},
		{name: "space", in: " ::1", want: `IP address " ::1" is neither IPv4 nor IPv6`},
		{name: "name", in: "localhost", want: `IP address "localhost" is neither IPv4 nor IPv6`},
	})
}

func TestIPAddr(t *testing.T) {
	ip, err := scalar.ParseIP("2001:0db8::0001")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ip.Addr(), netip.MustParseAddr("2001:db8::1"); got != want {
		t.Errorf("Addr of %s = %s, want %s", ip, got, want)
	}
	if got := (scalar.IP{}).String(); got != "" {
		t.Errorf("String of the zero IP = %q, want nothing", got)
	}
}

func FuzzIP(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.04", "[::]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkFuzz(t, scalar.ParseIP, s) })
}
