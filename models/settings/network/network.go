// Package network holds the settings of the host on its network: its
// interfaces, its name, names it knows without DNS, and the proxy it uses.
package network

import "github.com/bulkhead-os/bulkhead/models/scalar"

// Settings is the group network.
type Settings struct {
	// The name of the host. Unset, it is the name that the network or the
	// platform gives, or one made from the address. A change takes effect at once.
	Hostname *scalar.Hostname `setting:"hostname"`

	// Names and their addresses for /etc/hosts: a list of pairs of an IP address
	// and a list of names, as in [["192.0.2.10", ["db.example.org", "db"]]]. The
	// order is kept. Names for 127.0.0.1 and ::1 join the standard ones on their
	// lines. A change takes effect at once.
	Hosts []HostEntry `setting:"hosts"`

	// The proxy through which the host's services reach the network, such as
	// http://proxy.example.org:3128. Write the scheme: without it, a name and a
	// port would be read as a scheme and a path. A change restarts the services
	// that use it: the container runtimes, the kubelet or the ECS agent, and host
	// containers.
	HTTPSProxy *scalar.URL `setting:"https-proxy"`

	// What is reached without the proxy: names, domains, addresses and networks
	// in the forms that the services understand. The host itself, the Kubernetes
	// API server and the cluster's domain are always among them.
	NoProxy []scalar.SingleLine `setting:"no-proxy"`

	// The interfaces of the host, by name. Without any, every device takes its
	// addresses by DHCP. With some, those that are not listed stay without
	// addresses. A change takes effect at once; made by a caller from the network,
	// it is on trial unless the caller asks for something else.
	Interfaces map[InterfaceName]Interface `setting:"interfaces"`
}
