package network

import "github.com/bulkhead-os/bulkhead/models/scalar"

// An Interface says what becomes of one interface of the host, or of several
// devices that match.
type Interface struct {
	// Which devices are meant, where the name of the entry is not that of the one
	// device. All that is said has to be so.
	Match *Match `setting:"match"`

	// Whether this is the interface that names servers and domains for lookups:
	// if one is primary, what DHCP says about them on the others does not count.
	Primary *bool `setting:"primary"`

	// Whether the interface takes addresses by DHCP of IPv4, and how.
	DHCP4 *DHCP4 `setting:"dhcp4"`

	// Whether the interface takes addresses by DHCP of IPv6, and how.
	DHCP6 *DHCP6 `setting:"dhcp6"`

	// Whether addresses and routes are taken from the advertisements of routers
	// of IPv6. Unset, they are where dhcp6 is enabled, and elsewhere unless the
	// host forwards.
	AcceptRA *bool `setting:"accept-ra"`

	// Addresses of the interface with the lengths of their prefixes, as in
	// "192.0.2.10/24".
	Addresses []Address `setting:"addresses"`

	// Routes by way of the interface.
	Routes []Route `setting:"routes"`

	// Name servers to ask by way of the interface.
	NameServers []scalar.IP `setting:"name-servers"`

	// The domains in which a name without dots is looked up.
	SearchList []scalar.Hostname `setting:"search-list"`

	// The largest packet, in bytes.
	MTU *MTU `setting:"mtu"`

	// The interface is made of several devices that stand in for one another.
	Bond *Bond `setting:"bond"`

	// The interface is a virtual network of another one.
	VLAN *VLAN `setting:"vlan"`

	// The interface joins several others as a switch does.
	Bridge *Bridge `setting:"bridge"`
}

// A Match says which devices an entry is for.
type Match struct {
	// The address that the device was made with.
	MAC *MAC `setting:"mac"`

	// The name of the device, in which * and ? stand for anything.
	Name *NamePattern `setting:"name"`

	// The driver of the device, such as virtio_net.
	Driver *NamePattern `setting:"driver"`
}

// DHCP4 says how addresses are taken by DHCP of IPv4.
type DHCP4 struct {
	// Whether they are. This is mandatory in the table.
	Enabled *bool `setting:"enabled" required:"true"`

	// Whether the host counts as online without an address from here.
	Optional *bool `setting:"optional"`

	// The metric of the routes that DHCP names: the lowest is taken.
	RouteMetric *scalar.NonNegative `setting:"route-metric"`
}

// DHCP6 says how addresses are taken by DHCP of IPv6. Its routes come from the
// advertisements of routers.
type DHCP6 struct {
	// Whether they are. This is mandatory in the table.
	Enabled *bool `setting:"enabled" required:"true"`

	// Whether the host counts as online without an address from here.
	Optional *bool `setting:"optional"`
}

// A Route is a way to a network.
type Route struct {
	// The network, or "default" for all that have no other route. IPv6 is meant
	// where via or from is an address of IPv6. This is mandatory.
	To *Destination `setting:"to"`

	// The router. Without one, the network is reached directly.
	Via *scalar.IP `setting:"via"`

	// The address of the host to send from.
	From *scalar.IP `setting:"from"`

	// The metric: of routes to the same network, the one with the lowest is taken.
	RouteMetric *scalar.NonNegative `setting:"route-metric"`
}

// A Bond makes one interface of several devices.
type Bond struct {
	// How the devices share the work. This is mandatory.
	Mode *BondMode `setting:"mode" required:"true"`

	// The devices, by their names or those of their entries. At least one is
	// mandatory.
	Interfaces []InterfaceName `setting:"interfaces"`

	// The device to prefer in the modes active-backup, balance-tlb and
	// balance-alb. Unset, it is the first.
	Preferred *InterfaceName `setting:"preferred"`

	// How many devices must have a link for the bond to have one.
	MinLinks *scalar.NonNegative `setting:"min-links"`

	// How often the links of the devices are looked at, in milliseconds.
	MIIMonitorMS *scalar.NonNegative `setting:"mii-monitor-ms"`

	// For how long a link must be there before it is used, in milliseconds.
	UpDelayMS *scalar.NonNegative `setting:"up-delay-ms"`

	// For how long a link must be gone before it is given up, in milliseconds.
	DownDelayMS *scalar.NonNegative `setting:"down-delay-ms"`

	// How often the targets are asked for by ARP, in milliseconds, in place of
	// looking at links.
	ARPIntervalMS *scalar.NonNegative `setting:"arp-interval-ms"`

	// Whose answers to ARP are looked at.
	ARPValidate *ARPValidate `setting:"arp-validate"`

	// Addresses of IPv4 to ask for by ARP, at most 16.
	ARPTargets []scalar.IP `setting:"arp-targets"`

	// How often the partner is to send LACP packets in the mode 802.3ad: "slow",
	// every 30 seconds, or "fast", every second.
	LACPRate *LACPRate `setting:"lacp-rate"`

	// What decides by which device a packet leaves, in the modes balance-xor,
	// 802.3ad and balance-tlb.
	TransmitHashPolicy *HashPolicy `setting:"transmit-hash-policy"`
}

// A VLAN is a virtual network of another interface.
type VLAN struct {
	// The interface whose packets carry the number of the network, by its name or
	// that of its entry. This is mandatory.
	Device *InterfaceName `setting:"device" required:"true"`

	// The number of the network. This is mandatory.
	ID *VLANID `setting:"id" required:"true"`
}

// A Bridge joins interfaces.
type Bridge struct {
	// The interfaces, by their names or those of their entries.
	Interfaces []InterfaceName `setting:"interfaces"`

	// Whether loops are looked for with the spanning tree protocol. Unset means
	// false.
	STP *bool `setting:"stp"`
}
