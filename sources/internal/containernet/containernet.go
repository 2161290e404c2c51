// Package containernet connects containers with the network of the node by a
// bridge.
//
// Each container has an address on the bridge. What it sends leaves the node with
// the address of the node; what arrives at a port of the node that is forwarded
// reaches it; nothing else from outside does. All of this is in the kernel: its
// interfaces, and a table of its filter, which is made anew as a whole whenever a
// container comes or goes.
package containernet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// Bridge is the interface of the node that containers are connected to.
const Bridge = "containers"

// Dir is where a node keeps which container has which address, until it is
// switched off.
const Dir = "/run/bulkhead/container-network"

// ErrTaken says that a port of the node is in use.
var ErrTaken = errors.New("it is in use on the node")

// subnets are the networks of containers to choose from: the first that the node
// is not part of.
var subnets = []netip.Prefix{netip.MustParsePrefix("10.88.0.0/24"), netip.MustParsePrefix("172.29.88.0/24"), netip.MustParsePrefix("192.168.88.0/24")}

// The places of containers in their network. The node has the first.
const (
	nodeIndex  = 1
	firstIndex = 2
	lastIndex  = 254
)

// A Port is a port of the node and that of a container to which it is forwarded.
type Port struct {
	Host      uint16 `json:"host"`
	Container uint16 `json:"container"`
	Protocol  string `json:"protocol"` // tcp or udp
}

// A Lease is what a container has of the network.
type Lease struct {
	Index   int // of the container, 2 to 254, no other has it at the same time
	Address netip.Prefix
	Gateway netip.Addr
}

// A Network is a bridge with containers. Programs that have the same directory
// have the same network, and take turns.
type Network struct{ Dir string }

// lease is a Lease as it is kept.
type lease struct {
	Index int    `json:"index"`
	Ports []Port `json:"ports,omitempty"`
}

// state is all that is kept.
type state struct {
	Subnet netip.Prefix     `json:"subnet"`
	Leases map[string]lease `json:"leases"`
}

func (s state) names() []string { return slices.Sorted(maps.Keys(s.Leases)) }

// address returns the address with the index in the network.
func (s state) address(index int) netip.Addr {
	b := s.Subnet.Addr().As4()
	b[3] = byte(index)
	return netip.AddrFrom4(b)
}

func (s state) lease(name string) Lease {
	index := s.Leases[name].Index
	return Lease{index, netip.PrefixFrom(s.address(index), s.Subnet.Bits()), s.address(nodeIndex)}
}

// veth is the name of the interface at the bridge for the index.
func veth(index int) string { return fmt.Sprintf("container%d", index) }

// Reserve returns the place of the container called name, which it keeps until it
// is released.
func (n Network) Reserve(name string) (Lease, error) {
	var out Lease
	err := n.change(func(s *state) error {
		if _, ok := s.Leases[name]; !ok {
			index, err := s.free()
			if err != nil {
				return err
			}
			s.Leases[name] = lease{Index: index}
		}
		out = s.lease(name)
		return nil
	})
	return out, err
}

func (s state) free() (int, error) {
	taken := map[int]bool{}
	for _, l := range s.Leases {
		taken[l.Index] = true
	}
	for i := firstIndex; i <= lastIndex; i++ {
		if !taken[i] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("all %d addresses of %s are in use", lastIndex-firstIndex+1, s.Subnet)
}

// Connect connects the namespace of process pid, in which the container called
// name begins, and forwards ports to it. Its place is reserved.
func (n Network) Connect(name string, pid int, ports []Port) error {
	for _, p := range ports {
		if err := p.check(); err != nil {
			return err
		}
	}
	return n.change(func(s *state) error {
		kept, ok := s.Leases[name]
		if !ok {
			return fmt.Errorf("container %s has no address", name)
		}
		l := s.lease(name)
		c, err := open(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer c.close()
		bridge, err := makeBridge(c, netip.PrefixFrom(l.Gateway, s.Subnet.Bits()))
		if err != nil {
			return err
		}
		// One from before may be on its way out.
		if err := errors.Join(unplug(c, veth(l.Index)), plug(c, bridge, veth(l.Index), pid)); err != nil {
			return err
		}
		if err := configure(pid, l.Address, l.Gateway); err != nil {
			return err
		}
		kept.Ports = ports
		s.Leases[name] = kept
		return s.filter()
	})
}

// Release takes the container called name out of the network. That it is not in
// it is no error.
func (n Network) Release(name string) error {
	if _, err := os.Stat(n.file()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return n.change(func(s *state) error {
		l, ok := s.Leases[name]
		if !ok {
			return nil
		}
		delete(s.Leases, name)
		c, err := open(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer c.close()
		if err := unplug(c, veth(l.Index)); err != nil || len(l.Ports) == 0 {
			return err
		}
		return s.filter()
	})
}

// Address returns the address of the container called name, if it has one.
func (n Network) Address(name string) (netip.Addr, bool, error) {
	s, err := n.read()
	if err != nil {
		return netip.Addr{}, false, err
	}
	if _, ok := s.Leases[name]; !ok {
		return netip.Addr{}, false, nil
	}
	return s.lease(name).Address.Addr(), true, nil
}

func (n Network) file() string { return filepath.Join(n.Dir, "state.json") }

func (n Network) read() (state, error) {
	s := state{Leases: map[string]lease{}}
	data, err := os.ReadFile(n.file())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", n.file(), err)
	}
	return s, nil
}

// change calls f with the state, which nobody else changes meanwhile, and keeps
// what f makes of it unless that fails.
func (n Network) change(f func(*state) error) error {
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(n.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	lock, err := root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("wait for the network of containers: %w", err)
	}
	s, err := n.read()
	if err != nil {
		return err
	}
	if !s.Subnet.IsValid() {
		if s.Subnet, err = choose(); err != nil {
			return err
		}
	}
	if err := f(&s); err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return atomicfile.Replace(root, "state.json", data, atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1})
}

// choose returns the network for containers.
func choose() (netip.Prefix, error) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Prefix{}, err
	}
	return firstFree(own), nil
}

// firstFree returns the first network that none of own is part of, or else the
// first.
func firstFree(own []net.Addr) netip.Prefix {
	for _, subnet := range subnets {
		if !slices.ContainsFunc(own, func(a net.Addr) bool {
			p, err := netip.ParsePrefix(a.String())
			return err == nil && p.Overlaps(subnet)
		}) {
			return subnet
		}
	}
	return subnets[0]
}
