package scalar

import (
	"fmt"
	"net/netip"
	"strings"
)

// An IP is one IPv4 or IPv6 address. It prints in the standard form, whatever
// spelling it was given in, so equal addresses are equal values.
type IP struct{ a netip.Addr }

// ParseIP returns the IP written as s.
func ParseIP(s string) (IP, error) {
	if fault := ipFault(s); fault != "" {
		return IP{}, fmt.Errorf("IP address %s %s", quote(s), fault)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return IP{}, fmt.Errorf("IP address %s is neither IPv4 nor IPv6", quote(s))
	}
	return IP{a}, nil
}

// ipFault names the things that people write beside an address.
func ipFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.Contains(s, "/"):
		return "has a prefix length"
	case strings.Contains(s, "%"):
		return "has a zone"
	case strings.HasPrefix(s, "["):
		return "stands in brackets"
	case strings.Count(s, ":") == 1:
		return "has a port"
	}
	return ""
}

// Addr returns the address.
func (i IP) Addr() netip.Addr { return i.a }

// String returns the standard form of the address.
func (i IP) String() string {
	if !i.a.IsValid() {
		return "" // not set; netip would say "invalid IP"
	}
	return i.a.String()
}

// MarshalText returns the standard form of the address.
func (i IP) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads what ParseIP accepts.
func (i *IP) UnmarshalText(b []byte) (err error) {
	*i, err = ParseIP(string(b))
	return err
}

// Rule describes the type.
func (IP) Rule() Rule {
	return Rule{
		Name:     "IP address",
		Want:     "an IPv4 or IPv6 address without port, prefix length, zone and brackets",
		Pattern:  `^[0-9A-Fa-f.:]+$`,
		MaxBytes: 45,
		Examples: []string{"192.0.2.1", "2001:db8::1"},
	}
}
