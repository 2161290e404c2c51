package networkconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/settings/network"
)

// A Config is the network that a node is to have.
type Config struct {
	network.Settings
	Source string // where it was found

	// Legacy is how the kernel command line has always been understood: router
	// advertisements count, and addresses of IPv6 are used without being probed.
	Legacy bool
}

// A File is one that systemd-networkd reads.
type File struct{ Name, Text string }

// fallback is the file of the image that gives every device addresses. Without
// contents, one of the same name in a directory that counts more hides it.
const fallback = "80-wired.network"

// linkMonitorMS is how often the links of a bond are looked at when nothing else
// is said: a bond that nobody watches never changes devices.
const linkMonitorMS = 100

// Files returns the files that make a network of c, in the order of their names.
func Files(c Config) []File {
	p := newPlan(c)
	files := []File{{Name: fallback}}
	for _, name := range slices.SortedFunc(maps.Keys(p.devices), network.InterfaceName.Compare) {
		d := p.devices[name]
		if d.IsVirtual() {
			files = append(files, File{fileName(name, "netdev"), p.netdev(d)})
		}
		files = append(files, File{fileName(name, "network"), p.network(d)})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// filePrefix is what all but the fallback begin with.
const filePrefix = "10-"

func fileName(name network.InterfaceName, ext string) string {
	return filePrefix + name.String() + "." + ext
}

// A device is an interface with what others say about it.
type device struct {
	network.Interface
	name      network.InterfaceName
	bond      *network.InterfaceName // that it is part of
	preferred bool                   // by that bond
	bridge    *network.InterfaceName
	vlans     []network.InterfaceName // that are made on it
}

// A plan is all devices of a configuration, also those that only others name.
type plan struct {
	Config
	devices map[network.InterfaceName]*device
	primary bool // whether one is
}

func newPlan(c Config) *plan {
	p := &plan{Config: c, devices: map[network.InterfaceName]*device{}}
	for name, i := range c.Interfaces {
		p.devices[name] = &device{Interface: i, name: name}
		p.primary = p.primary || isTrue(i.Primary)
	}
	for _, name := range c.Names() {
		i := c.Interfaces[name]
		for n, w := range i.Workers() {
			d := p.device(w)
			if i.Bond == nil {
				d.bridge = &name
				continue
			}
			d.bond = &name
			d.preferred = hasPreferred(i.Bond) && (i.Bond.Preferred == nil && n == 0 || i.Bond.Preferred != nil && *i.Bond.Preferred == w)
		}
		if i.VLAN != nil {
			d := p.device(*i.VLAN.Device)
			d.vlans = append(d.vlans, name)
		}
	}
	return p
}

// hasPreferred reports whether the mode of b knows a device to prefer.
func hasPreferred(b *network.Bond) bool {
	return b.Mode != nil && slices.Contains([]network.BondMode{network.ActiveBackup, network.BalanceTLB, network.BalanceALB}, *b.Mode)
}

func (p *plan) device(name network.InterfaceName) *device {
	if p.devices[name] == nil {
		p.devices[name] = &device{name: name}
	}
	return p.devices[name]
}

// A unit is a file in the making.
type unit struct {
	strings.Builder
	pending string // a section that has no line yet
}

func (p *plan) unit() *unit {
	u := &unit{}
	fmt.Fprintf(u, "# Written by network-config, from %s.\n", p.Source)
	return u
}

func (u *unit) section(name string) { u.pending = name }

func (u *unit) set(key string, value any) {
	if u.pending != "" {
		fmt.Fprintf(u, "\n[%s]\n", u.pending)
		u.pending = ""
	}
	fmt.Fprintf(u, "%s=%v\n", key, value)
}

func (u *unit) setIf(is bool, key string, value any) {
	if is {
		u.set(key, value)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func isTrue(b *bool) bool { return b != nil && *b }

func (p *plan) netdev(d *device) string {
	u := p.unit()
	u.section("NetDev")
	u.set("Name", d.name)
	switch {
	case d.Bond != nil:
		u.set("Kind", "bond")
		// Its address is that of a device, as servers of DHCP know it.
		u.set("MACAddress", "none")
		u.bond(d.Bond)
	case d.VLAN != nil:
		u.set("Kind", "vlan")
		u.section("VLAN")
		u.set("Id", d.VLAN.ID)
	case d.Bridge != nil:
		u.set("Kind", "bridge")
		u.set("MACAddress", "none")
		u.section("Bridge")
		u.set("STP", yesNo(isTrue(d.Bridge.STP)))
	}
	return u.String()
}

// bond writes times with their unit: a number alone is one of seconds.
func (u *unit) bond(b *network.Bond) {
	u.section("Bond")
	u.set("Mode", *b.Mode)
	if b.MinLinks != nil {
		u.set("MinLinks", b.MinLinks)
	}
	if b.LACPRate != nil {
		u.set("LACPTransmitRate", *b.LACPRate)
	}
	if b.TransmitHashPolicy != nil {
		u.set("TransmitHashPolicy", *b.TransmitHashPolicy)
	}
	if b.ARPIntervalMS != nil {
		u.set("ARPIntervalSec", b.ARPIntervalMS.String()+"ms")
		if b.ARPValidate != nil {
			u.set("ARPValidate", *b.ARPValidate)
		}
		u.set("ARPIPTargets", joined(b.ARPTargets))
		u.set("ARPAllTargets", "any")
		return
	}
	every := fmt.Sprint(linkMonitorMS)
	if b.MIIMonitorMS != nil {
		every = b.MIIMonitorMS.String()
	}
	u.set("MIIMonitorSec", every+"ms")
	if b.UpDelayMS != nil {
		u.set("UpDelaySec", b.UpDelayMS.String()+"ms")
	}
	if b.DownDelayMS != nil {
		u.set("DownDelaySec", b.DownDelayMS.String()+"ms")
	}
}

func joined[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return strings.Join(words, " ")
}
