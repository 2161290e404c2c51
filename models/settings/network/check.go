package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// Check reports interfaces that contradict themselves or one another.
func (s *Settings) Check(p report.Place) {
	p = p.In("interfaces")
	c := checker{all: s.Interfaces, owner: map[InterfaceName]InterfaceName{}}
	for _, name := range s.Names() {
		i := s.Interfaces[name]
		at := p.In(name.String())
		c.primary(name, i, at)
		c.kind(name, i, at)
		c.workers(name, i, at)
		i.checkRoutes(at)
	}
	for _, name := range s.Names() {
		c.worker(name, s.Interfaces[name], p.In(name.String()))
	}
	c.loops(p)
}

// Names returns the names of the entries of interfaces in order.
func (s *Settings) Names() []InterfaceName {
	return slices.SortedFunc(maps.Keys(s.Interfaces), InterfaceName.Compare)
}

// IsVirtual reports whether the interface is one that the host makes.
func (i Interface) IsVirtual() bool { return i.Bond != nil || i.VLAN != nil || i.Bridge != nil }

// Workers returns the interfaces that i is made of.
func (i Interface) Workers() []InterfaceName {
	switch {
	case i.Bond != nil:
		return i.Bond.Interfaces
	case i.Bridge != nil:
		return i.Bridge.Interfaces
	}
	return nil
}

// HasAddresses reports whether i is to have addresses of its own.
func (i Interface) HasAddresses() bool {
	return i.wantsDHCP() || len(i.Addresses) > 0 || i.AcceptRA != nil && *i.AcceptRA
}

func (i Interface) wantsDHCP() bool {
	return i.DHCP4 != nil && isTrue(i.DHCP4.Enabled) || i.DHCP6 != nil && isTrue(i.DHCP6.Enabled)
}

func isTrue(b *bool) bool { return b != nil && *b }

// A checker knows what the entries seen so far say about the others.
type checker struct {
	all     map[InterfaceName]Interface
	owner   map[InterfaceName]InterfaceName // of workers: the bond or bridge they are part of
	favored InterfaceName
}

func (c *checker) primary(name InterfaceName, i Interface, at report.Place) {
	switch {
	case !isTrue(i.Primary):
	case c.favored.s != "":
		at.Conflict("primary", true, fmt.Sprintf("%s is primary already", c.favored), "make one interface primary")
	default:
		c.favored = name
	}
}

func (c *checker) kind(name InterfaceName, i Interface, at report.Place) {
	var kinds []string
	for kind, is := range map[string]bool{"bond": i.Bond != nil, "vlan": i.VLAN != nil, "bridge": i.Bridge != nil} {
		if is {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	if len(kinds) > 1 {
		at.Conflict(kinds[1], nil, fmt.Sprintf("the interface is a %s and a %s", kinds[0], kinds[1]), "keep one of them")
	}
	switch m := i.Match; {
	case m != nil && i.IsVirtual():
		at.Conflict("match", nil, fmt.Sprintf("the host makes %s itself, so there is no device to match", name), "remove match")
	case name.IsNumber() && (m == nil || i.IsVirtual()):
		at.Missing("match", fmt.Sprintf("%s is a number, which is no name of an interface", name), "say by match.mac, match.name or match.driver which device is meant")
	}
	if i.Bond != nil {
		i.Bond.check(at.In("bond"))
	}
	if i.VLAN != nil && i.VLAN.Device != nil && *i.VLAN.Device == name {
		at.In("vlan").Conflict("device", name, "the interface is a virtual network of itself", "name another interface")
	}
}

func (c *checker) workers(name InterfaceName, i Interface, at report.Place) {
	kind := "bond"
	if i.Bridge != nil {
		kind = "bridge"
	}
	for _, w := range i.Workers() {
		owner, taken := c.owner[w]
		switch {
		case w == name:
			at.In(kind).Conflict("interfaces", w, "the interface is part of itself", "name other interfaces")
		case taken && owner == name:
			at.In(kind).Conflict("interfaces", w, fmt.Sprintf("%s is listed twice", w), "list it once")
		case taken:
			at.In(kind).Conflict("interfaces", w, fmt.Sprintf("%s is part of %s already", w, owner), "an interface can be part of one bond or bridge")
		}
		if !taken {
			c.owner[w] = name
		}
	}
}

// worker reports what an interface cannot have because it is part of another.
func (c *checker) worker(name InterfaceName, i Interface, at report.Place) {
	owner, ok := c.owner[name]
	if ok && (i.HasAddresses() || len(i.Routes) > 0) {
		member := "addresses"
		switch {
		case i.wantsDHCP() && i.DHCP4 != nil:
			member = "dhcp4"
		case i.wantsDHCP():
			member = "dhcp6"
		case len(i.Addresses) == 0 && len(i.Routes) > 0:
			member = "routes"
		}
		at.Conflict(member, nil, fmt.Sprintf("the interface is part of %s, and has no addresses of its own then", owner),
			fmt.Sprintf("move them to settings.network.interfaces.%s", owner))
	}
	if i.VLAN == nil || i.VLAN.Device == nil {
		return
	}
	parent := *i.VLAN.Device
	if owner, ok := c.owner[parent]; ok && c.all[owner].Bond != nil {
		at.In("vlan").Conflict("device", parent, fmt.Sprintf("%s is part of the bond %s, which takes its packets", parent, owner),
			fmt.Sprintf("set device to %s", owner))
	}
}

// loops reports interfaces that are made of themselves by way of others.
func (c *checker) loops(p report.Place) {
	below := func(name InterfaceName) []InterfaceName {
		i := c.all[name]
		if i.VLAN != nil && i.VLAN.Device != nil {
			return []InterfaceName{*i.VLAN.Device}
		}
		return i.Workers()
	}
	names := slices.SortedFunc(maps.Keys(c.all), InterfaceName.Compare)
	for _, start := range names {
		seen := map[InterfaceName]bool{}
		for next := below(start); len(next) > 0; next = next[1:] {
			if next[0] == start && len(seen) > 0 {
				p.Conflict(start.String(), nil, "the interface is made of itself by way of others", "take it out of one of them")
				return
			}
			if !seen[next[0]] {
				seen[next[0]] = true
				next = append(next, below(next[0])...)
			}
		}
	}
}

// maxARPTargets is the kernel's limit.
const maxARPTargets = 16

func (b *Bond) check(p report.Place) {
	if len(b.Interfaces) == 0 {
		p.Missing("interfaces", "a bond is made of at least one interface", `list them, as in ["eth0", "eth1"]`)
	}
	if b.MinLinks != nil && b.MinLinks.Int() > len(b.Interfaces) {
		p.Conflict("min-links", b.MinLinks, fmt.Sprintf("the bond has %d interfaces", len(b.Interfaces)), "want at most that many")
	}
	if b.Preferred != nil && !slices.Contains(b.Interfaces, *b.Preferred) {
		p.Conflict("preferred", b.Preferred, "it is not among the interfaces of the bond", "name one of them")
	}
	b.checkMII(p)
	b.checkARP(p)
	if b.LACPRate != nil && b.Mode != nil && *b.Mode != LACP {
		p.Conflict("lacp-rate", *b.LACPRate, "there is no LACP in the mode "+string(*b.Mode), "remove it, or set mode to 802.3ad")
	}
	hashes := []BondMode{LACP, BalanceXOR, BalanceTLB}
	if b.TransmitHashPolicy != nil && b.Mode != nil && !slices.Contains(hashes, *b.Mode) {
		p.Conflict("transmit-hash-policy", *b.TransmitHashPolicy, "the mode "+string(*b.Mode)+" does not go by it", "remove it, or set mode to 802.3ad, balance-xor or balance-tlb")
	}
}

func (b *Bond) checkMII(p report.Place) {
	every := 0
	if b.MIIMonitorMS != nil {
		every = b.MIIMonitorMS.Int()
	}
	if b.MIIMonitorMS != nil && every == 0 {
		p.Conflict("mii-monitor-ms", 0, "links would never be looked at", "want a time above 0, such as 100")
	}
	delay := func(member string, ms int) {
		switch {
		case b.MIIMonitorMS == nil:
			p.Missing("mii-monitor-ms", member+" counts only where links are looked at", "set mii-monitor-ms, such as 100")
		case ms != 0 && ms < every:
			p.Conflict(member, ms, fmt.Sprintf("it is shorter than mii-monitor-ms, which is %d", every), "want 0 or a multiple of mii-monitor-ms")
		}
	}
	if b.UpDelayMS != nil {
		delay("up-delay-ms", b.UpDelayMS.Int())
	}
	if b.DownDelayMS != nil {
		delay("down-delay-ms", b.DownDelayMS.Int())
	}
}

func (b *Bond) checkARP(p report.Place) {
	if b.ARPIntervalMS == nil {
		if b.ARPValidate != nil || b.ARPTargets != nil {
			p.Missing("arp-interval-ms", "nothing is asked for by ARP without it", "set it, such as to 1000, or remove the other settings for ARP")
		}
		return
	}
	if b.ARPIntervalMS.Int() == 0 {
		p.Conflict("arp-interval-ms", 0, "nothing would ever be asked for", "want a time above 0, such as 1000")
	}
	if b.MIIMonitorMS != nil {
		p.Conflict("arp-interval-ms", b.ARPIntervalMS, "mii-monitor-ms is set too, and a bond is watched in one way", "remove one of the two")
	}
	if n := len(b.ARPTargets); n == 0 || n > maxARPTargets {
		p.Conflict("arp-targets", n, fmt.Sprintf("there are %d addresses", n), fmt.Sprintf("want 1 to %d", maxARPTargets))
	}
	for _, t := range b.ARPTargets {
		if !t.Addr().Is4() {
			p.Conflict("arp-targets", t, "ARP is of IPv4", "want addresses of IPv4")
		}
	}
	if b.Mode != nil && slices.Contains([]BondMode{LACP, BalanceTLB, BalanceALB}, *b.Mode) {
		p.Conflict("arp-interval-ms", b.ARPIntervalMS, "the mode "+string(*b.Mode)+" cannot be watched by ARP", "use mii-monitor-ms")
	}
}

func (i Interface) checkRoutes(p report.Place) {
	if len(i.Routes) > 0 && !i.HasAddresses() {
		p.Missing("addresses", "there are routes, and no address to send from", "set addresses, or enable dhcp4 or dhcp6")
	}
	for n, r := range i.Routes {
		at := p.In(fmt.Sprintf("routes[%d]", n))
		if r.To == nil {
			at.Missing("to", "the route leads nowhere", `set it to a network, or to "default"`)
			continue
		}
		is6 := r.Is6()
		if r.Via != nil && r.Via.Addr().Is6() != is6 {
			at.Conflict("via", r.Via, fmt.Sprintf("the destination is %s", family(is6)), "want a router of the same family")
		}
		if r.From != nil && r.From.Addr().Is6() != is6 {
			at.Conflict("from", r.From, fmt.Sprintf("the destination is %s", family(is6)), "want an address of the same family")
		}
	}
}

// Is6 reports whether r is a route of IPv6. The default route is one of the
// family of its router.
func (r Route) Is6() bool {
	var a netip.Addr
	switch {
	case r.To != nil && !r.To.IsDefault():
		a = r.To.Prefix().Addr()
	case r.Via != nil:
		a = r.Via.Addr()
	case r.From != nil:
		a = r.From.Addr()
	}
	return a.Is6()
}

func family(is6 bool) string {
	if is6 {
		return "one of IPv6"
	}
	return "one of IPv4"
}
