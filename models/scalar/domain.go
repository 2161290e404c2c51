package scalar

import (
	"fmt"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// A Domain is a DNS domain as it may stand in a URL. It is stored as written.
type Domain struct{ s string }

// ParseDomain returns the Domain written as s.
func ParseDomain(s string) (Domain, error) {
	if s == "" {
		return Domain{}, fmt.Errorf("domain is empty")
	}
	if fault := domainFault(s); fault != "" {
		return Domain{}, fmt.Errorf("domain %s %s", quote(s), fault)
	}
	return Domain{s}, nil
}

// domainFault lets the URL parser judge s as a host, after it has made sure
// that s cannot be more than a host to the parser.
func domainFault(s string) string {
	if s[0] == '.' {
		return "starts with a dot"
	}
	if fault := controlFault(s); fault != "" {
		return "is not a line of text: " + fault
	}
	if strings.HasPrefix(s, "[") {
		return "is an IP address"
	}
	if i := strings.IndexAny(s, " #/:<>?@[\\]^|"); i >= 0 {
		return fmt.Sprintf("holds %q, which no domain does", s[i])
	}
	u, err := whatwg.Parse("http://" + s + "/")
	if err != nil {
		return "cannot be parsed as the host of a URL"
	}
	if u.IsIPv4() || u.IsIPv6() {
		return "is an IP address"
	}
	return ""
}

// String returns the domain as it was written.
func (d Domain) String() string { return d.s }

// MarshalText returns the domain as it was written.
func (d Domain) MarshalText() ([]byte, error) { return []byte(d.s), nil }

// UnmarshalText reads what ParseDomain accepts.
func (d *Domain) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDomain(string(b))
	return err
}

// Rule describes the type.
func (Domain) Rule() Rule {
	return Rule{
		Name:     "domain",
		Want:     "a DNS domain such as cluster.local, not an IP address, not starting with a dot",
		Pattern:  `^[^\x00-\x20.#/:<>?@\[\\\]^|\x7f-\x9f][^\x00-\x20#/:<>?@\[\\\]^|\x7f-\x9f]*$`,
		Examples: []string{"cluster.local"},
	}
}
