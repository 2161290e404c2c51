package kubernetes

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A ClusterDNS is the address of the DNS service of a cluster, or a list of
// addresses. It is stored the way it was written.
type ClusterDNS struct {
	ips  []scalar.IP
	list bool
}

// UnmarshalSetting reads an address or a list of addresses.
func (d *ClusterDNS) UnmarshalSetting(n *syntax.Node) error {
	switch n.Kind {
	case syntax.String:
		ip, err := scalar.ParseIP(n.Text)
		if err != nil {
			return err
		}
		*d = ClusterDNS{ips: []scalar.IP{ip}}
		return nil
	case syntax.Array:
		return d.unmarshalList(n.Items)
	}
	return fmt.Errorf("cluster DNS %s is neither an address nor a list of addresses", n.Describe())
}

func (d *ClusterDNS) unmarshalList(items []*syntax.Node) error {
	ips := make([]scalar.IP, 0, len(items))
	for i, item := range items {
		if item.Kind != syntax.String {
			return fmt.Errorf("address %d: %s is not a string", i+1, item.Describe())
		}
		ip, err := scalar.ParseIP(item.Text)
		if err != nil {
			return fmt.Errorf("address %d: %w", i+1, err)
		}
		ips = append(ips, ip)
	}
	*d = ClusterDNS{ips: ips, list: true}
	return nil
}

// IPs returns the addresses in their order.
func (d ClusterDNS) IPs() []scalar.IP { return slices.Clone(d.ips) }

// First returns the first address; ok is false for an empty list.
func (d ClusterDNS) First() (a netip.Addr, ok bool) {
	if len(d.ips) == 0 {
		return netip.Addr{}, false
	}
	return d.ips[0].Addr(), true
}

// Equal reports whether o has the same addresses in the same form.
func (d ClusterDNS) Equal(o ClusterDNS) bool { return d.list == o.list && slices.Equal(d.ips, o.ips) }

// MarshalJSON returns the addresses in the form they were given.
func (d ClusterDNS) MarshalJSON() ([]byte, error) {
	var texts [][]byte
	for _, ip := range d.ips {
		texts = append(texts, []byte(`"`+ip.String()+`"`)) // an address needs no escapes
	}
	joined := bytes.Join(texts, []byte(","))
	if d.list {
		return fmt.Appendf(nil, "[%s]", joined), nil
	}
	return joined, nil
}

// Rule describes the accepted forms.
func (ClusterDNS) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "cluster DNS",
		Want:     "an IP address or a list of IP addresses",
		Types:    []string{"string", "array"},
		Examples: []string{"10.96.0.10"},
	}
}
