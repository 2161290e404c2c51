package containerregistry

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// AllRegistries is the Name that stands for all registries.
const AllRegistries = "*"

// nameMax is what fits a path beside what is added to it.
const nameMax = 200

// A Name names a registry as image names do: a host, perhaps with a port. It
// may be AllRegistries, and it may be empty, which names none.
type Name struct{ s string }

// ParseName returns the Name written as s.
func ParseName(s string) (Name, error) {
	if s == "" || s == AllRegistries {
		return Name{s}, nil
	}
	if fault := nameFault(s); fault != "" {
		return Name{}, fmt.Errorf("registry %.80q %s", s, fault)
	}
	return Name{s}, nil
}

func nameFault(s string) string {
	switch {
	case len(s) > nameMax:
		return fmt.Sprintf("has %d bytes, want at most %d", len(s), nameMax)
	case strings.Contains(s, "://"):
		return "has a scheme, want the host as it stands in image names"
	case strings.Contains(s, "/"):
		return "has a path, want the host as it stands in image names"
	}
	host, port, hasPort := s, "", false
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port, hasPort = s[:i], s[i+1:], true
	}
	if fault := hostFault(host); fault != "" {
		return fault
	}
	if hasPort && !isPort(port) {
		return fmt.Sprintf("has the port %q, want 1 to 65535", port)
	}
	return ""
}

func hostFault(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" || !strings.HasSuffix(host, "]") {
			return "has brackets without an IPv6 address in them"
		}
		return ""
	}
	switch {
	case host == "":
		return "has no host"
	case strings.ContainsFunc(host, notHost):
		return "holds something other than ASCII letters, digits and . _ - in its host"
	case !isAlphanumeric(rune(host[0])):
		return fmt.Sprintf("starts with %q", host[0])
	}
	return ""
}

func notHost(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("._-", r) }

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// String returns the name as it was written.
func (n Name) String() string { return n.s }

// MarshalText returns the name as it was written.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// UnmarshalText reads what ParseName accepts.
func (n *Name) UnmarshalText(b []byte) (err error) {
	*n, err = ParseName(string(b))
	return err
}

// Rule describes the type.
func (Name) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "registry",
		Want:     `a host as it stands in image names, such as docker.io or registry.example.org:5000, or "*" for all`,
		Pattern:  `^(\*|([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?)?$`,
		MaxBytes: nameMax,
		Examples: []string{"docker.io", "registry.example.org:5000", AllRegistries},
	}
}
