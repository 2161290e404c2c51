package podnet

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
)

// A Node is what counts of one of the cluster.
type Node struct {
	Name string
	Pods netip.Prefix // of its pods; the zero Prefix until it has one
	Addr netip.Addr   // at which other nodes reach it
}

// A Plan is how the network of one node should be.
type Plan struct {
	Pods       netip.Prefix                // of the node's own pods
	Plugins    []byte                      // what containerd has made for each pod
	Routes     map[netip.Prefix]netip.Addr // to the pods of other nodes
	Masquerade string                      // rules for what leaves the cluster, as nft reads them
}

// errNoPods says that the node has no network for its pods yet.
var errNoPods = fmt.Errorf("the node has no network for its pods yet")

// Compute returns the plan of the node called self in a cluster whose pods have
// addresses in all.
func Compute(nodes []Node, self string, all netip.Prefix) (Plan, error) {
	i := slices.IndexFunc(nodes, func(n Node) bool { return n.Name == self })
	if i < 0 || !nodes[i].Pods.IsValid() {
		return Plan{}, errNoPods
	}
	own := nodes[i].Pods
	p := Plan{Pods: own, Routes: map[netip.Prefix]netip.Addr{}}
	for _, n := range nodes {
		if n.Name != self && n.Pods.IsValid() && n.Addr.IsValid() {
			p.Routes[n.Pods] = n.Addr
		}
	}
	var err error
	if p.Plugins, err = plugins(own); err != nil {
		return Plan{}, err
	}
	p.Masquerade = fmt.Sprintf(masquerade, own, all)
	return p, nil
}

// masquerade gives packets of pods the node's address when they leave the
// cluster. The whole table is replaced at once.
const masquerade = `table ip podnet
delete table ip podnet
table ip podnet {
	chain leaving {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr %s ip daddr != %s masquerade
	}
}
`

// plugins returns the list of plugins for pods with addresses in own. Each pod
// has a cable of its own to the node, so that all packets are routed, and rules
// for services see those between pods of one node, too.
func plugins(own netip.Prefix) ([]byte, error) {
	type object = map[string]any
	return json.MarshalIndent(object{
		"cniVersion": "1.0.0", "name": "podnet",
		"plugins": []object{
			{
				"type": "ptp", "mtu": 1500,
				"ipam": object{
					"type": "host-local", "dataDir": "/run/podnet/addresses",
					"ranges": [][]object{{{"subnet": own.String()}}}, "routes": []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}, "snat": true},
		},
	}, "", "  ")
}
