package scalar_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseDomain(t *testing.T) {
	testParse(t, scalar.ParseDomain, []parseRow{
		{name: "two labels", in: "cluster.local"},
		{name: "one label", in: "local"},
		{name: "trailing dot", in: "cluster.local."},
		{name: "upper case and underscore", in: "My_Cluster.local"},
		{name: "international", in: "münchen.example"},
		{name: "empty", in: "", want: "domain is empty"},
		{name: "leading dot", in: ".cluster.local", want: `domain ".cluster.local" starts with a dot`},
		{name: "slash", in: "foo/com", want: `domain "foo/com" holds '/', which no domain does`},
		{name: "at sign", in: "user@host", want: `domain "user@host" holds '@', which no domain does`},
		{name: "port", in: "host:80", want: `domain "host:80" holds ':', which no domain does`},
		{name: "space", in: "a b", want: `domain "a b" holds ' ', which no domain does`},
		{name: "IPv4", in: "123.123.123.123", want: `domain "123.123.123.123" is an IP address`},
		{name: "IPv4 in hexadecimal", in: "0x7f.1", want: `domain "0x7f.1" is an IP address`},
		{name: "IPv6", in: "[2001:db8::1]", want: `domain "[2001:db8::1]" is an IP address`},
		{name: "percent sign", in: "a%b", want: `domain "a%b" cannot be parsed as the host of a URL`},
		{name: "line feed", in: "a\nb", want: `domain "a\nb" is not a line of text: byte 2 is the control character U+000A`},
		{name: "line separator", in: "a\u2028", want: `domain "a\u2028" cannot be parsed as the host of a URL`},
	})
}

func FuzzDomain(f *testing.F) {
	for _, s := range []string{"cluster.local", "1.2.3.4", "[::1]", "a/b", "é", "%41", ".a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkVerbatim(t, scalar.ParseDomain, s) })
}
