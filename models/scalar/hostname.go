package scalar

import (
	"fmt"
	"strings"
)

// A Hostname is the name of a host: labels of lower-case letters, digits and
// hyphens joined by dots.
type Hostname struct{ s string }

// ParseHostname returns the Hostname written as s.
func ParseHostname(s string) (Hostname, error) {
	if s == "" || len(s) > 253 {
		return Hostname{}, fmt.Errorf("host name %s has %d bytes, want 1 to 253", quote(s), len(s))
	}
	for label := range strings.SplitSeq(s, ".") {
		if fault := labelFault(label); fault != "" {
			return Hostname{}, fmt.Errorf("host name %s: label %s %s", quote(s), quote(label), fault)
		}
	}
	return Hostname{s}, nil
}

func labelFault(l string) string {
	switch {
	case l == "":
		return "is empty"
	case len(l) > 63:
		return fmt.Sprintf("has %d bytes, want 1 to 63", len(l))
	case strings.ContainsFunc(l, isUpper):
		return "holds an upper-case letter"
	case strings.ContainsFunc(l, notLabel):
		return "holds something other than lower-case letters, digits and hyphens"
	case l[0] == '-':
		return "starts with a hyphen"
	}
	return ""
}

func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }

func notLabel(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-')
}

// String returns the name as it was written.
func (h Hostname) String() string { return h.s }

// MarshalText returns the name as it was written.
func (h Hostname) MarshalText() ([]byte, error) { return []byte(h.s), nil }

// UnmarshalText reads what ParseHostname accepts.
func (h *Hostname) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHostname(string(b))
	return err
}

// Rule describes the type.
func (Hostname) Rule() Rule {
	return Rule{
		Name:     "host name",
		Want:     "labels of lower-case letters, digits and hyphens joined by dots, each of 1 to 63 bytes and not starting with a hyphen",
		Pattern:  `^[0-9a-z][0-9a-z-]{0,62}(\.[0-9a-z][0-9a-z-]{0,62})*$`,
		MaxBytes: 253,
		Examples: []string{"node-1.example.org", "localhost"},
	}
}
