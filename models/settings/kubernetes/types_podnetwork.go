package kubernetes

import (
	"fmt"
	"net/netip"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A PodNetwork is a network of pods on one node, which the node makes itself.
type PodNetwork struct {
	// How pods are connected: bridge puts all of them on one bridge of the node,
	// ptp connects each with the node by a pair of interfaces of its own.
	Type *PodNetworkType `setting:"type"`

	// The addresses of the pods of this node, one of which is the node's own. Other
	// nodes need other ones.
	CIDR *PodCIDR `setting:"cidr" required:"true"`

	// The largest packet in bytes; that of the network of the node if unset.
	MTU *scalar.NonNegative `setting:"mtu"`
}

// A PodNetworkType says how pods are connected.
type PodNetworkType string

// The types of networks.
const (
	PodNetworkBridge PodNetworkType = "bridge"
	PodNetworkPTP    PodNetworkType = "ptp"
)

// Rule lists the types.
func (PodNetworkType) Rule() scalar.Rule {
	return scalar.Enum("pod network type", string(PodNetworkBridge), string(PodNetworkPTP))
}

// A PodCIDR is a network with room for the node and a pod at least.
type PodCIDR struct{ p netip.Prefix }

// ParsePodCIDR returns the network written as s.
func ParsePodCIDR(s string) (PodCIDR, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || p.String() != s:
		return PodCIDR{}, fmt.Errorf("pod network %s is not an address, a slash and a length", quote(s))
	case p != p.Masked():
		return PodCIDR{}, fmt.Errorf("pod network %s has bits behind its length, want %s", quote(s), p.Masked())
	case p.Addr().BitLen()-p.Bits() < 2:
		return PodCIDR{}, fmt.Errorf("pod network %s has no room for pods", quote(s))
	case p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr().IsUnspecified():
		return PodCIDR{}, fmt.Errorf("pod network %s has addresses that no pod may have", quote(s))
	}
	return PodCIDR{p}, nil
}

// Rule describes the accepted networks.
func (PodCIDR) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "pod network",
		Want:     "an IPv4 or IPv6 network in CIDR notation with at least two free bits",
		MaxBytes: 43,
		Examples: []string{"10.244.1.0/24", "fd00:10:244:1::/64"},
	}
}

// String returns the network as it was written.
func (c PodCIDR) String() string {
	if !c.p.IsValid() {
		return ""
	}
	return c.p.String()
}

// MarshalText returns the network as it was written.
func (c PodCIDR) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a network.
func (c *PodCIDR) UnmarshalText(b []byte) (err error) {
	*c, err = ParsePodCIDR(string(b))
	return err
}
