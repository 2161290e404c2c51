package network

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// maxInterfaceName is the kernel's limit.
const maxInterfaceName = 15

// An InterfaceName names an interface, or an entry that says by other means
// which device it is for.
type InterfaceName struct{ s string }

// ParseInterfaceName returns the InterfaceName written as s.
func ParseInterfaceName(s string) (InterfaceName, error) {
	switch i := strings.IndexFunc(s, notInterfaceName); {
	case s == "" || len(s) > maxInterfaceName:
		return InterfaceName{}, fmt.Errorf("interface %.80q has %d bytes, want 1 to %d", s, len(s), maxInterfaceName)
	case i >= 0:
		return InterfaceName{}, fmt.Errorf("interface %q: byte %d is not a letter, a digit, a dot, a hyphen or an underscore", s, i+1)
	case s == "." || s == ".." || s == "all" || s == "default" || s == "lo":
		return InterfaceName{}, fmt.Errorf("interface %q: the kernel keeps that name to itself", s)
	}
	return InterfaceName{s}, nil
}

func notInterfaceName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_')
}

// IsNumber reports whether the name is a number, which can name an entry and
// not an interface.
func (n InterfaceName) IsNumber() bool { return strings.Trim(n.s, "0123456789") == "" }

// Compare orders names by their bytes.
func (n InterfaceName) Compare(o InterfaceName) int { return strings.Compare(n.s, o.s) }

// String returns the name as it was written.
func (n InterfaceName) String() string { return n.s }

// MarshalText returns the name as it was written.
func (n InterfaceName) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// UnmarshalText reads what ParseInterfaceName accepts.
func (n *InterfaceName) UnmarshalText(b []byte) (err error) {
	*n, err = ParseInterfaceName(string(b))
	return err
}

// Rule describes the type.
func (InterfaceName) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "interface name",
		Want:     "1 to 15 ASCII letters, digits, dots, hyphens and underscores",
		Pattern:  `^[A-Za-z0-9._-]{1,15}$`,
		MaxBytes: maxInterfaceName,
		Examples: []string{"eth0", "bond0.100"},
	}
}

// A NamePattern is text that a name of an interface or driver must be like.
type NamePattern struct{ s string }

// ParseNamePattern returns the NamePattern written as s.
func ParseNamePattern(s string) (NamePattern, error) {
	if s == "" || len(s) > 64 {
		return NamePattern{}, fmt.Errorf("pattern %.80q has %d bytes, want 1 to 64", s, len(s))
	}
	notPattern := func(r rune) bool { return notInterfaceName(r) && !strings.ContainsRune("*?[]", r) }
	if i := strings.IndexFunc(s, notPattern); i >= 0 {
		return NamePattern{}, fmt.Errorf("pattern %q: byte %d is not of a name and none of * ? [ ]", s, i+1)
	}
	return NamePattern{s}, nil
}

// String returns the pattern as it was written.
func (n NamePattern) String() string { return n.s }

// MarshalText returns the pattern as it was written.
func (n NamePattern) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// UnmarshalText reads what ParseNamePattern accepts.
func (n *NamePattern) UnmarshalText(b []byte) (err error) {
	*n, err = ParseNamePattern(string(b))
	return err
}

// Rule describes the type.
func (NamePattern) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "name pattern",
		Want:     "1 to 64 ASCII letters, digits, dots, hyphens and underscores, with * ? [ ] as in names of files",
		Pattern:  `^[]A-Za-z0-9._*?[-]{1,64}$`,
		MaxBytes: 64,
		Examples: []string{"enp*", "virtio_net"},
	}
}

// A MAC is an address of six octets. It prints in lower case with colons.
type MAC struct{ s string }

// ParseMAC returns the MAC written as s, with colons or hyphens.
func ParseMAC(s string) (MAC, error) {
	octets := strings.Split(strings.ReplaceAll(strings.ToLower(s), "-", ":"), ":")
	notOctet := func(o string) bool {
		_, err := hex.DecodeString(o)
		return err != nil || len(o) != 2
	}
	if len(octets) != 6 || slices.ContainsFunc(octets, notOctet) {
		return MAC{}, fmt.Errorf("MAC address %.80q is not six pairs of hexadecimal digits with colons between them", s)
	}
	return MAC{strings.Join(octets, ":")}, nil
}

// String returns the address in lower case with colons.
func (m MAC) String() string { return m.s }

// MarshalText returns the address in lower case with colons.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.s), nil }

// UnmarshalText reads what ParseMAC accepts.
func (m *MAC) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMAC(string(b))
	return err
}

// Rule describes the type.
func (MAC) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "MAC address",
		Want:     "six pairs of hexadecimal digits with colons or hyphens between them",
		Pattern:  `^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$`,
		MaxBytes: 17,
		Examples: []string{"52:54:00:12:34:56"},
	}
}

// An Address is an address of an interface with the length of its prefix.
type Address struct{ p netip.Prefix }

// ParseAddress returns the Address written as s.
func ParseAddress(s string) (Address, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil && !strings.Contains(s, "/"):
		return Address{}, fmt.Errorf("address %.80q has no prefix length", s)
	case err != nil:
		return Address{}, fmt.Errorf("address %.80q is no IP address with a prefix length", s)
	case p.Addr().Is4In6():
		return Address{}, fmt.Errorf("address %q is one of IPv4 in the form of IPv6", s)
	case p.Addr().IsUnspecified() || p.Addr().IsMulticast():
		return Address{}, fmt.Errorf("address %q is none that an interface can have", s)
	}
	return Address{p}, nil
}

// Prefix returns the address and the length of the prefix.
func (a Address) Prefix() netip.Prefix { return a.p }

// String returns the standard form of the address.
func (a Address) String() string {
	if !a.p.IsValid() {
		return "" // not set
	}
	return a.p.String()
}

// MarshalText returns the standard form of the address.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAddress accepts.
func (a *Address) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAddress(string(b))
	return err
}

// Rule describes the type.
func (Address) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "interface address",
		Want:     "an IPv4 or IPv6 address with the length of its prefix",
		Pattern:  `^[0-9A-Fa-f.:]+/[0-9]{1,3}$`,
		MaxBytes: 49,
		Examples: []string{"192.0.2.10/24", "2001:db8::10/64"},
	}
}

// defaultRoute stands for every network.
const defaultRoute = "default"

// A Destination is the network that a route leads to.
type Destination struct {
	p   netip.Prefix
	set bool
}

// ParseDestination returns the Destination written as s.
func ParseDestination(s string) (Destination, error) {
	if s == defaultRoute {
		return Destination{set: true}, nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return Destination{}, fmt.Errorf("destination %.80q is neither a network with a prefix length nor %q", s, defaultRoute)
	case p.Addr().Is4In6():
		return Destination{}, fmt.Errorf("destination %q is a network of IPv4 in the form of IPv6", s)
	case p != p.Masked():
		return Destination{}, fmt.Errorf("destination %q has bits behind its prefix, the network is %s", s, p.Masked())
	}
	return Destination{p, true}, nil
}

// Prefix returns the network; it is not valid for the default route.
func (d Destination) Prefix() netip.Prefix { return d.p }

// IsDefault reports whether all networks are meant.
func (d Destination) IsDefault() bool { return d.set && !d.p.IsValid() }

// String returns the standard form.
func (d Destination) String() string {
	switch {
	case !d.set:
		return ""
	case d.IsDefault():
		return defaultRoute
	}
	return d.p.String()
}

// MarshalText returns the standard form.
func (d Destination) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDestination accepts.
func (d *Destination) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDestination(string(b))
	return err
}

// Rule describes the type.
func (Destination) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "destination",
		Want:     `a network with the length of its prefix, or "default"`,
		Pattern:  `^(default|[0-9A-Fa-f.:]+/[0-9]{1,3})$`,
		MaxBytes: 49,
		Examples: []string{"default", "198.51.100.0/24"},
	}
}

// BondMode is how a bond shares its work.
type BondMode string

// The modes that some settings are for.
const (
	ActiveBackup BondMode = "active-backup"
	LACP         BondMode = "802.3ad"
	BalanceXOR   BondMode = "balance-xor"
	BalanceTLB   BondMode = "balance-tlb"
	BalanceALB   BondMode = "balance-alb"
)

// Rule describes the type.
func (BondMode) Rule() scalar.Rule {
	return scalar.Enum("bond mode", "active-backup", "balance-rr", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
}

// ARPValidate says whose answers to ARP a bond looks at.
type ARPValidate string

// Rule describes the type.
func (ARPValidate) Rule() scalar.Rule {
	return scalar.Enum("ARP validation", "none", "active", "backup", "all")
}

// LACPRate is how often the partner of a bond sends LACP packets.
type LACPRate string

// Rule describes the type.
func (LACPRate) Rule() scalar.Rule { return scalar.Enum("LACP rate", "slow", "fast") }

// HashPolicy is what decides by which device of a bond a packet leaves.
type HashPolicy string

// Rule describes the type.
func (HashPolicy) Rule() scalar.Rule {
	return scalar.Enum("transmit hash policy", "layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4")
}

// An MTU is the size of the largest packet of an interface in bytes.
type MTU struct{ v uint16 }

// UnmarshalSetting reads an integer.
func (m *MTU) UnmarshalSetting(n *syntax.Node) error {
	v, err := integer("MTU", n, 68, 65535)
	*m = MTU{uint16(v)}
	return err
}

// Int returns the number.
func (m MTU) Int() int { return int(m.v) }

// String returns the number in decimal.
func (m MTU) String() string { return fmt.Sprint(m.v) }

// MarshalJSON returns the number.
func (m MTU) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// Rule describes the type.
func (MTU) Rule() scalar.Rule { return integerRule("MTU", 68, 65535, "9000") }

// A VLANID is the number of a virtual network.
type VLANID struct{ v uint16 }

// UnmarshalSetting reads an integer.
func (v *VLANID) UnmarshalSetting(n *syntax.Node) error {
	i, err := integer("VLAN", n, 0, 4094)
	*v = VLANID{uint16(i)}
	return err
}

// Int returns the number.
func (v VLANID) Int() int { return int(v.v) }

// String returns the number in decimal.
func (v VLANID) String() string { return fmt.Sprint(v.v) }

// MarshalJSON returns the number.
func (v VLANID) MarshalJSON() ([]byte, error) { return []byte(v.String()), nil }

// Rule describes the type.
func (VLANID) Rule() scalar.Rule { return integerRule("VLAN", 0, 4094, "100") }

func integer(name string, n *syntax.Node, low, high int64) (int64, error) {
	v, ok := n.Int()
	if !ok || v < low || v > high {
		return 0, fmt.Errorf("%s is %s, want %d to %d", name, n.Describe(), low, high)
	}
	return v, nil
}

func integerRule(name string, low, high int64, example string) scalar.Rule {
	return scalar.Rule{
		Name: name, Want: fmt.Sprintf("an integer from %d to %d", low, high),
		Types: []string{"integer"}, Min: &low, Max: &high, Examples: []string{example},
	}
}
