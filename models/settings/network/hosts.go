package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A HostEntry gives names to an address. It is written as a pair, not as a
// table, because lists of them are ordered and may name an address twice.
type HostEntry struct {
	address scalar.IP
	names   []scalar.Hostname
}

// NewHostEntry returns the entry that gives names to address.
func NewHostEntry(address scalar.IP, names ...scalar.Hostname) HostEntry {
	return HostEntry{address, slices.Clone(names)}
}

// Address returns the address.
func (h HostEntry) Address() scalar.IP { return h.address }

// Names returns the names in the order they were written.
func (h HostEntry) Names() []scalar.Hostname { return slices.Clone(h.names) }

// Equal reports whether h and o give the same names to the same address.
func (h HostEntry) Equal(o HostEntry) bool {
	return h.address == o.address && slices.Equal(h.names, o.names)
}

// String returns the entry as a line of /etc/hosts.
func (h HostEntry) String() string {
	words := []string{h.address.String()}
	for _, n := range h.names {
		words = append(words, n.String())
	}
	return strings.Join(words, " ")
}

// UnmarshalSetting reads a list of an address and a list of names.
func (h *HostEntry) UnmarshalSetting(n *syntax.Node) error {
	if n.Kind != syntax.Array || len(n.Items) != 2 {
		what := n.Describe()
		if n.Kind == syntax.Array {
			what = fmt.Sprintf("a list of %d elements", len(n.Items))
		}
		return fmt.Errorf("host entry is %s, not a pair", what)
	}
	address, names := n.Items[0], n.Items[1]
	if address.Kind != syntax.String {
		return fmt.Errorf("host entry: the address is %s, not a string", address.Describe())
	}
	if names.Kind != syntax.Array {
		return fmt.Errorf("host entry for %s: the names are %s, not a list", address.Describe(), names.Describe())
	}
	ip, err := scalar.ParseIP(address.Text)
	if err != nil {
		return fmt.Errorf("host entry: %w", err)
	}
	entry := HostEntry{address: ip, names: make([]scalar.Hostname, len(names.Items))}
	for i, name := range names.Items {
		if name.Kind != syntax.String {
			return fmt.Errorf("host entry for %s: name %d is %s, not a string", ip, i+1, name.Describe())
		}
		if entry.names[i], err = scalar.ParseHostname(name.Text); err != nil {
			return fmt.Errorf("host entry for %s: %w", ip, err)
		}
	}
	*h = entry
	return nil
}

// MarshalJSON returns the pair.
func (h HostEntry) MarshalJSON() ([]byte, error) {
	names := make([]string, len(h.names))
	for i, n := range h.names {
		names[i] = n.String()
	}
	return json.Marshal([]any{h.address.String(), names})
}

// Rule describes the type.
func (HostEntry) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "host entry",
		Want:     `a list of an IP address and a list of host names, such as ["192.0.2.10", ["db.example.org"]]`,
		Types:    []string{"array"},
		Examples: []string{`["192.0.2.10", ["db.example.org", "db"]]`},
	}
}
