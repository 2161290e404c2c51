package networkconfig

import (
	"strings"

	"github.com/bulkhead-os/bulkhead/models/settings/network"
)

// network returns the file that says what becomes of d.
func (p *plan) network(d *device) string {
	u := p.unit()
	u.match(d)
	u.link(d)
	u.section("Network")
	if d.bond != nil || d.bridge != nil {
		u.worker(d)
		return u.String()
	}
	for _, v := range d.vlans {
		u.set("VLAN", v)
	}
	if d.IsVirtual() {
		// It takes its addresses before its devices have a link, so that those who
		// wait for them do not wait for a cable.
		u.set("ConfigureWithoutCarrier", "yes")
		u.setIf(p.bindable(d), "BindCarrier", joined(d.Workers()))
	}
	if !d.HasAddresses() {
		u.set("LinkLocalAddressing", "no")
		u.set("IPv6AcceptRA", "no")
		return u.String()
	}
	p.addresses(u, d)
	return u.String()
}

func (u *unit) match(d *device) {
	u.section("Match")
	m := d.Match
	if m == nil {
		u.set("Name", d.name)
		return
	}
	if m.MAC != nil {
		u.set("PermanentMACAddress", m.MAC)
	}
	if m.Name != nil {
		u.set("Name", m.Name)
	}
	if m.Driver != nil {
		u.set("Driver", m.Driver)
	}
}

// link says how large packets are and what is waited for.
func (u *unit) link(d *device) {
	u.section("Link")
	if d.MTU != nil {
		u.set("MTUBytes", d.MTU)
	}
	if d.DHCP4 == nil && d.DHCP6 == nil {
		return
	}
	four, six := d.needs4(), d.needs6()
	u.set("RequiredForOnline", yesNo(four || six))
	if d.DHCP4 == nil || d.DHCP6 == nil || !four && !six {
		return
	}
	switch {
	case four && six:
		u.set("RequiredFamilyForOnline", "both")
	case four:
		u.set("RequiredFamilyForOnline", "ipv4")
	default:
		u.set("RequiredFamilyForOnline", "ipv6")
	}
}

func (d *device) has4() bool   { return d.DHCP4 != nil && isTrue(d.DHCP4.Enabled) }
func (d *device) has6() bool   { return d.DHCP6 != nil && isTrue(d.DHCP6.Enabled) }
func (d *device) needs4() bool { return d.has4() && !isTrue(d.DHCP4.Optional) }
func (d *device) needs6() bool { return d.has6() && !isTrue(d.DHCP6.Optional) }

// worker makes d a part of something. It has no addresses then.
func (u *unit) worker(d *device) {
	if d.bond != nil {
		u.set("Bond", d.bond)
		u.setIf(d.preferred, "PrimarySlave", "yes")
	} else {
		u.set("Bridge", d.bridge)
	}
	for _, v := range d.vlans {
		u.set("VLAN", v)
	}
	u.set("LinkLocalAddressing", "no")
	u.set("IPv6AcceptRA", "no")
}

// bindable reports whether d is a bond that is there as long as one of its
// devices is, and these have names that are known here.
func (p *plan) bindable(d *device) bool {
	if d.Bond == nil {
		return false
	}
	for _, w := range d.Bond.Interfaces {
		if p.devices[w].Match != nil {
			return false
		}
	}
	return true
}

func (p *plan) addresses(u *unit, d *device) {
	u.set("DHCP", dhcpWord(d))
	// What DHCP gave stays while the program that asked for it is replaced, and no
	// longer: an interface that is described otherwise gives it up.
	u.setIf(d.has4() || d.has6(), "KeepConfiguration", "dhcp-on-stop")
	switch {
	case d.AcceptRA != nil:
		u.set("IPv6AcceptRA", yesNo(*d.AcceptRA))
	case d.has6() || p.Legacy:
		u.set("IPv6AcceptRA", "yes")
	}
	u.setIf(p.Legacy, "IPv6DuplicateAddressDetection", 0)
	for _, a := range d.Addresses {
		u.set("Address", a)
	}
	for _, s := range d.NameServers {
		u.set("DNS", s)
	}
	u.setIf(len(d.SearchList) > 0, "Domains", joined(d.SearchList))
	second := p.primary && !isTrue(d.Primary)
	u.setIf(second && len(d.NameServers) == 0, "DNSDefaultRoute", "no")
	for _, r := range d.Routes {
		u.route(r)
	}
	u.dhcp4(d, second)
	u.dhcp6(d, second, p.Legacy)
	if second {
		u.section("IPv6AcceptRA")
		u.set("UseDNS", "no")
		u.set("UseDomains", "no")
	}
}

func dhcpWord(d *device) string {
	switch {
	case d.has4() && d.has6():
		return "yes"
	case d.has4():
		return "ipv4"
	case d.has6():
		return "ipv6"
	}
	return "no"
}

func (u *unit) route(r network.Route) {
	u.section("Route")
	to := r.To.String()
	if r.To.IsDefault() {
		to = "0.0.0.0/0"
		if r.Is6() {
			to = "::/0"
		}
	}
	u.set("Destination", to)
	if r.Via != nil {
		u.set("Gateway", r.Via)
	}
	if r.From != nil {
		u.set("PreferredSource", r.From)
	}
	if r.RouteMetric != nil {
		u.set("Metric", r.RouteMetric)
	}
}

// dhcp4 says what of a lease counts. The name of the host is the settings'.
func (u *unit) dhcp4(d *device, second bool) {
	if !d.has4() {
		return
	}
	u.section("DHCPv4")
	// Leases are commonly given out by the interface, not by the system on it.
	u.set("ClientIdentifier", "mac")
	u.set("UseHostname", "no")
	u.set("UseMTU", yesNo(d.MTU == nil))
	if d.DHCP4.RouteMetric != nil {
		u.set("RouteMetric", d.DHCP4.RouteMetric)
	}
	u.setIf(second, "UseDNS", "no")
	u.setIf(second, "UseDomains", "no")
}

func (u *unit) dhcp6(d *device, second, legacy bool) {
	if !d.has6() {
		return
	}
	u.section("DHCPv6")
	u.set("UseHostname", "no")
	u.setIf(legacy, "WithoutRA", "solicit")
	u.setIf(second, "UseDNS", "no")
	u.setIf(second, "UseDomains", "no")
}

// listing prints the files one after the other, each below its name.
func listing(files []File) string {
	var b strings.Builder
	for i, f := range files {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("==> " + f.Name + " <==\n" + f.Text)
		if f.Text == "" {
			b.WriteString("(empty: it hides the one of the image)\n")
		}
	}
	return b.String()
}
