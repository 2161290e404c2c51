// Package vmnet is a network for virtual machines that takes no privileges.
//
// It is a switch with a gateway, all inside this process: the gateway gives each
// machine the address that belongs to its card, answers for the names of the
// machines, and carries what they send elsewhere over this computer's own
// connections. From outside, machines are reached through ports of the loopback
// address that are forwarded to them.
package vmnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/containers/gvisor-tap-vsock/pkg/types"
	"github.com/containers/gvisor-tap-vsock/pkg/virtualnetwork"
)

// Domain is what the names of machines end in.
const Domain = "vm.internal"

// HostName is the name by which machines reach this computer's loopback address.
const HostName = "host"

// mtu is the size of a frame's content that all networks carry.
const mtu = 1500

var (
	subnet     = netip.MustParsePrefix("192.168.127.0/24")
	gateway    = netip.MustParseAddr("192.168.127.1")
	hostAddr   = netip.MustParseAddr("192.168.127.254")
	gatewayMAC = "52:54:00:62:6b:01"
)

// MaxHosts is how many machines fit into a network.
const MaxHosts = 200

// A Host is a machine in the network.
type Host struct {
	Name string
	MAC  string
	Addr netip.Addr
}

// NewHost returns the machine with number i, from 0 to below MaxHosts. Its card
// and its address depend on nothing else, so that they stay from start to start.
func NewHost(i int, name string) Host {
	if i < 0 || i >= MaxHosts {
		panic(fmt.Sprintf("vmnet: host %d of %d", i, MaxHosts))
	}
	a := subnet.Addr().As4()
	a[3] = byte(10 + i)
	return Host{Name: name, MAC: fmt.Sprintf("52:54:00:62:6b:%02x", a[3]), Addr: netip.AddrFrom4(a)}
}

// A Network connects machines. Its Close must be called.
type Network struct {
	stack *virtualnetwork.VirtualNetwork
	ctx   context.Context // of all that goes on in the network; ended by Close
	end   context.CancelFunc

	mu       sync.Mutex // guards what follows
	closed   bool
	open     map[closer]struct{} // what Close has to close
	underway sync.WaitGroup
}

type closer interface{ Close() error }

// New makes a network for the hosts.
func New(hosts []Host) (*Network, error) {
	hush()
	leases := map[string]string{}
	records := []types.Record{
		{Name: "gateway", IP: gateway.AsSlice()},
		{Name: HostName, IP: hostAddr.AsSlice()},
	}
	for _, h := range hosts {
		leases[h.Addr.String()] = h.MAC
		records = append(records, types.Record{Name: h.Name, IP: h.Addr.AsSlice()})
	}
	stack, err := virtualnetwork.New(&types.Configuration{
		MTU: mtu, Subnet: subnet.String(), GatewayIP: gateway.String(), GatewayMacAddress: gatewayMAC,
		DNS:               []types.Zone{{Name: Domain + ".", Records: records}},
		DNSSearchDomains:  []string{Domain},
		NAT:               map[string]string{hostAddr.String(): "127.0.0.1"},
		GatewayVirtualIPs: []string{hostAddr.String()},
		DHCPStaticLeases:  leases,
	})
	if err != nil {
		return nil, fmt.Errorf("virtual network: %w", err)
	}
	n := &Network{stack: stack, open: map[closer]struct{}{}}
	n.ctx, n.end = context.WithCancel(context.Background())
	return n, nil
}

// Plug connects a machine by its cable, which is closed when the machine or the
// network ends. It does not wait.
func (n *Network) Plug(wire net.Conn) {
	p := newPort(wire)
	if !n.hold(p) {
		_ = p.Close()
		return
	}
	n.underway.Go(func() {
		defer n.release(p)
		// It ends when the machine does, and says how: which is of no interest.
		_ = n.stack.AcceptQemu(n.ctx, p)
	})
}

// Forward forwards what comes to the address of this computer, such as
// 127.0.0.1:0, to a port of the host. It returns the address that it listens on.
// It lasts until the network is closed.
func (n *Network) Forward(listen string, to Host, port uint16) (string, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("forward to %s: %w", to.Name, err)
	}
	if !n.hold(l) {
		return "", errors.Join(net.ErrClosed, l.Close())
	}
	target := netip.AddrPortFrom(to.Addr, port).String()
	n.underway.Go(func() {
		defer n.release(l)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.underway.Go(func() { n.relay(conn, target) })
		}
	})
	return l.Addr().String(), nil
}

// Listen returns what machines connect to at an address of IPv4 that is not
// theirs, wherever it may be: 169.254.169.254:80. It lasts until the network is
// closed.
func (n *Network) Listen(address string) (net.Listener, error) {
	l, err := n.stack.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen at %s in the virtual network: %w", address, err)
	}
	if !n.hold(l) {
		return nil, errors.Join(net.ErrClosed, l.Close())
	}
	return l, nil
}

// Gateway is the address at which machines reach what listens on this computer's
// loopback address.
func Gateway() netip.Addr { return hostAddr }

// Dial connects to a port of a machine, as another machine would.
func (n *Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := n.stack.DialContextTCP(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s in the virtual network: %w", address, err)
	}
	return conn, nil
}

// Close ends the network and waits until nothing of it is left but what the
// library keeps for its gateway.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	open := n.open
	n.open = nil
	n.mu.Unlock()
	n.end()
	for c := range open {
		_ = c.Close() // which ends who waits for it
	}
	n.underway.Wait()
	return nil
}

// hold notes what is to be closed with the network. It reports false when that
// has been closed.
func (n *Network) hold(c closer) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.open[c] = struct{}{}
	}
	return !n.closed
}

func (n *Network) release(c closer) {
	n.mu.Lock()
	delete(n.open, c)
	n.mu.Unlock()
	_ = c.Close() // it may be closed already
}
