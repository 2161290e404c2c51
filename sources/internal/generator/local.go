package generator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// seeds is how many places there are in the waves of an update.
const seeds = 2048

// Local returns the generators that need nothing but the node itself.
func Local() []Generator {
	return []Generator{
		{
			Name: "host-container-sources", Summary: "images of host containers that the variant does not define", Stage: Start, Strength: Weak,
			Outputs:       []string{"host-containers.admin.source", "host-containers.control.source"},
			OptionalFacts: []Fact{AdminImage, ControlImage},
			Find:          hostContainerSources,
		},
		{
			Name: "update-seed", Summary: "the place of the node in the waves of an update", Stage: Boot, Strength: Strong,
			Outputs: []string{"updates.seed"}, Facts: []Fact{Random}, Find: updateSeed,
		},
		{
			Name: "hostname", Summary: "a host name that no other node has", Stage: Boot, Strength: Weak,
			Outputs: []string{"network.hostname"}, Facts: []Fact{MachineID}, Find: hostname,
		},
		{
			Name: "platform-hostname", Summary: "the host name that the platform has for the node", Stage: Boot, Strength: Strong,
			Outputs: []string{"network.hostname"}, Facts: []Fact{PlatformName}, Find: platformHostname,
		},
		{
			Name: "network-hostname", Summary: "the host name that the network has for the node", Stage: Network, Strength: Strong,
			Outputs: []string{"network.hostname"}, OptionalFacts: []Fact{PlatformName, OfferedName, ReverseName}, Find: networkHostname,
		},
		{
			Name: "node-ip", Summary: "the address under which the node registers", Stage: Network, Strength: Weak,
			Outputs: []string{"kubernetes.node-ip"}, OptionalSettings: []string{"kubernetes.cluster-dns-ip"},
			OptionalFacts: []Fact{AddressV4, AddressV6}, Find: nodeIP,
		},
	}
}

func hostContainerSources(in Input) (map[string]any, error) {
	out := map[string]any{}
	if s := in.Fact(AdminImage); s != "" {
		out["host-containers.admin.source"] = s
	}
	if s := in.Fact(ControlImage); s != "" {
		out["host-containers.control.source"] = s
	}
	return out, nil
}

func updateSeed(in Input) (map[string]any, error) {
	n, err := strconv.ParseUint(in.Fact(Random), 10, 64)
	if err != nil {
		return nil, err
	}
	return map[string]any{"updates.seed": n % seeds}, nil
}

func platformHostname(in Input) (map[string]any, error) {
	if name := strings.ToLower(in.Fact(PlatformName)); usable(name) {
		return map[string]any{"network.hostname": name}, nil
	}
	return nil, fmt.Errorf("a name from the platform is %w", ErrUnknown)
}

// hostname names the node by its machine id, which is hashed: the id itself is
// not for everybody on the network.
func hostname(in Input) (map[string]any, error) {
	sum := sha256.Sum256([]byte("host name of " + in.Fact(MachineID)))
	return map[string]any{"network.hostname": "bulkhead-" + hex.EncodeToString(sum[:5])}, nil
}

func networkHostname(in Input) (map[string]any, error) {
	for _, fact := range []Fact{PlatformName, OfferedName, ReverseName} {
		if name := strings.ToLower(in.Fact(fact)); usable(name) {
			return map[string]any{"network.hostname": name}, nil
		}
	}
	return nil, fmt.Errorf("a name from the network is %w", ErrUnknown)
}

// usable reports whether a name from elsewhere, where anything may be written, can
// be that of a node.
func usable(name string) bool {
	_, err := scalar.ParseHostname(name)
	return err == nil && !strings.HasPrefix(name, "localhost")
}

// nodeIP prefers the family of the cluster's DNS, and IPv4 where that is not
// set.
func nodeIP(in Input) (map[string]any, error) {
	facts := []Fact{AddressV4, AddressV6}
	if dns, err := netip.ParseAddr(in.Setting("kubernetes.cluster-dns-ip")); err == nil {
		facts = facts[:1]
		if dns.Is6() {
			facts = []Fact{AddressV6}
		}
	}
	for _, f := range facts {
		if ip := in.Fact(f); ip != "" {
			return map[string]any{"kubernetes.node-ip": ip}, nil
		}
	}
	return nil, fmt.Errorf("an address of the family that the cluster uses is %w", ErrUnknown)
}
