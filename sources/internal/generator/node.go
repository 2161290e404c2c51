package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// Facts of every node.
const (
	Random       Fact = "a random number"
	MachineID    Fact = "the machine id"
	PlatformName Fact = "the host name that the platform has"
	OfferedName  Fact = "the host name that DHCP offers"
	ReverseName  Fact = "the host name that DNS has for the address"
	AddressV4    Fact = "the IPv4 address"
	AddressV6    Fact = "the IPv6 address"
	AdminImage   Fact = "the image of the admin container"
	ControlImage Fact = "the image of the control container"
)

// reverseLimit is how long DNS may take to name an address.
const reverseLimit = 5 * time.Second

// A Node is the source of facts about the node whose root is Root.
type Node struct {
	Root string
	// Addresses returns those of an interface; nil for the kernel's own.
	Addresses func(device string) ([]netip.Addr, error)
	// Names asks DNS for those of an address; nil for the usual resolver.
	Names func(ctx context.Context, address string) ([]string, error)
}

// Fact finds a fact.
func (n Node) Fact(ctx context.Context, name Fact, _ Settings) (string, error) {
	switch name {
	case Random:
		return strconv.FormatUint(rand.Uint64(), 10), nil
	case MachineID:
		return n.line("etc/machine-id")
	case PlatformName:
		return n.platformName()
	case OfferedName:
		return n.offered()
	case ReverseName:
		return n.reverse(ctx)
	case AddressV4:
		return n.address("proc/net/route", netip.Addr.Is4)
	case AddressV6:
		return n.address("proc/net/ipv6_route", netip.Addr.Is6)
	case AdminImage:
		return imageSource("admin")
	case ControlImage:
		return imageSource("control")
	}
	return "", ErrUnknown
}

func (n Node) path(name string) string { return filepath.Join(n.Root, name) }

// line returns the first line of a file.
func (n Node) line(name string) (string, error) {
	data, err := os.ReadFile(n.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrUnknown
	}
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimSpace(line); line == "" || line == "uninitialized" {
		return "", ErrUnknown
	}
	return line, nil
}

// machineFile is what provision tells about the machine.
const machineFile = "run/bulkhead/provision/machine.json"

// platformName returns what user data or its source calls the machine.
func (n Node) platformName() (string, error) {
	data, err := os.ReadFile(n.path(machineFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrUnknown
	}
	var m struct {
		Hostname string `json:"hostname"`
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err == nil && m.Hostname == "" {
		err = ErrUnknown
	}
	return m.Hostname, err
}

// offered returns the name in the first lease that has one.
func (n Node) offered() (string, error) {
	leases, err := filepath.Glob(n.path("run/systemd/netif/leases/*"))
	if err != nil {
		return "", err
	}
	slices.Sort(leases)
	for _, name := range leases {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // it has just been given up
		}
		for line := range strings.Lines(string(data)) {
			if host, ok := strings.CutPrefix(strings.TrimSpace(line), "HOSTNAME="); ok && host != "" {
				return host, nil
			}
		}
	}
	return "", ErrUnknown
}

// reverse asks DNS for the name of the node's address.
func (n Node) reverse(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, reverseLimit)
	defer cancel()
	names := n.Names
	if names == nil {
		names = net.DefaultResolver.LookupAddr
	}
	for _, family := range []Fact{AddressV4, AddressV6} {
		address, err := n.Fact(ctx, family, Settings{})
		if err != nil {
			continue
		}
		found, err := names(ctx, address)
		if err == nil && len(found) > 0 {
			return strings.TrimSuffix(found[0], "."), nil
		}
	}
	return "", ErrUnknown // that DNS does not answer is no fault of the node
}

// address returns the address by which the node reaches the world: the first
// one of the interface of the default route that others can use.
func (n Node) address(routes string, family func(netip.Addr) bool) (string, error) {
	data, err := os.ReadFile(n.path(routes))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrUnknown
	}
	if err != nil {
		return "", err
	}
	device := defaultDevice(string(data))
	if device == "" {
		return "", ErrUnknown
	}
	addresses := n.Addresses
	if addresses == nil {
		addresses = addressesOf
	}
	all, err := addresses(device)
	if err != nil {
		return "", fmt.Errorf("addresses of %s: %w", device, err)
	}
	for _, a := range all {
		if a = a.Unmap(); family(a) && a.IsGlobalUnicast() {
			return a.String(), nil
		}
	}
	return "", ErrUnknown
}

// defaultDevice returns the interface of the best default route in a table of
// the kernel, whose form tells IPv4 from IPv6.
func defaultDevice(table string) string {
	best, device := uint64(1<<63), ""
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		var name, metric string
		base := 10
		switch {
		case len(f) == 11 && f[1] == "00000000" && f[7] == "00000000":
			name, metric = f[0], f[6]
		case len(f) == 10 && f[1] == "00" && strings.Trim(f[0], "0") == "":
			name, metric, base = f[9], f[5], 16
		}
		if name == "" || name == "lo" {
			continue
		}
		if m, err := strconv.ParseUint(metric, base, 64); err == nil && m < best {
			best, device = m, name
		}
	}
	return device
}

func addressesOf(device string) ([]netip.Addr, error) {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return nil, err
	}
	all, err := i.Addrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr())
		}
	}
	return out, nil
}

// withContainers is a variant that defines the host containers.
const withContainers = "qemu-dev"

// imageSource returns the image of a host container that belongs to this
// version, as a variant has it that defines the container.
func imageSource(name string) (string, error) {
	v, err := variant.Load(variants.Files, withContainers)
	if err != nil {
		return "", err
	}
	if s := SettingsOf(v.Defaults).Text("host-containers." + name + ".source"); s != "" {
		return s, nil
	}
	return "", ErrUnknown
}
