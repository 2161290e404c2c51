package api

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// lowestPort is the first that an ordinary user may listen at.
const lowestPort = 1024

// A ListenAddress is an address of the node and a port of it.
type ListenAddress struct {
	s string
	a netip.AddrPort
}

// ParseListenAddress returns the ListenAddress written as s.
func ParseListenAddress(s string) (ListenAddress, error) {
	a, err := netip.ParseAddrPort(s)
	switch {
	case err != nil && strings.HasPrefix(s, ":"):
		return ListenAddress{}, fmt.Errorf("listen address %q has no address before the port", s)
	case err != nil:
		return ListenAddress{}, fmt.Errorf("listen address %.80q is not an IP address with a port", s)
	case a.Addr().Zone() != "":
		return ListenAddress{}, fmt.Errorf("listen address %q has a zone", s)
	case a.Addr().Is4In6():
		return ListenAddress{}, fmt.Errorf("listen address %q has an IPv4 address in the form of IPv6", s)
	case a.Port() < lowestPort:
		return ListenAddress{}, fmt.Errorf("listen address %q has port %d, which only root may listen at", s, a.Port())
	}
	return ListenAddress{s, a}, nil
}

// AddrPort returns the address and the port.
func (l ListenAddress) AddrPort() netip.AddrPort { return l.a }

// overlaps reports whether only one of l and o can be listened at: the
// unspecified address of IPv6 takes in all others, that of IPv4 those of IPv4.
func (l ListenAddress) overlaps(o ListenAddress) bool {
	x, y := l.a.Addr(), o.a.Addr()
	covers := func(a, b netip.Addr) bool { return a.IsUnspecified() && (a.Is6() || b.Is4()) }
	return l.a.Port() == o.a.Port() && (x == y || covers(x, y) || covers(y, x))
}

// String returns the address as it was written.
func (l ListenAddress) String() string { return l.s }

// MarshalText returns the address as it was written.
func (l ListenAddress) MarshalText() ([]byte, error) { return []byte(l.s), nil }

// UnmarshalText reads what ParseListenAddress accepts.
func (l *ListenAddress) UnmarshalText(b []byte) (err error) {
	*l, err = ParseListenAddress(string(b))
	return err
}

// Rule describes the type.
func (ListenAddress) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "listen address",
		Want:     "an IPv4 address, or an IPv6 address in brackets, with a port from 1024 to 65535",
		Pattern:  `^([0-9.]+|\[[0-9A-Fa-f.:]+\]):[0-9]+$`,
		MaxBytes: 60,
		Examples: []string{"[::]:8443", "192.0.2.1:8443"},
	}
}
