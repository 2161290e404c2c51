package containernet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inside is the name of the interface that a container has.
const inside = "eth0"

// vethPeer is the attribute with what is at the other end of a pair.
const vethPeer = 1

// link returns the head of a message about an interface.
func link(index int, flags uint32) []byte {
	b := []byte{unix.AF_UNSPEC, 0, 0, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, flags) // which of them change
}

func up(name string, index int) message {
	return message{what: "switch on " + name, kind: unix.RTM_NEWLINK, body: link(index, unix.IFF_UP)}
}

func addAddress(name string, index int, p netip.Prefix) message {
	b := []byte{unix.AF_INET, byte(p.Bits()), 0, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	address := p.Addr().AsSlice()
	return message{
		what: fmt.Sprintf("give %s the address %s", name, p), kind: unix.RTM_NEWADDR, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL,
		body: append(b, attributes(attribute{unix.IFA_LOCAL, address}, attribute{unix.IFA_ADDRESS, address})...), fine: []unix.Errno{unix.EEXIST},
	}
}

// makeBridge makes the bridge with the address of the node on it, where it is
// not there.
func makeBridge(c conn, gateway netip.Prefix) (int, error) {
	body := append(link(0, 0), attributes(text(unix.IFLA_IFNAME, Bridge), nested(unix.IFLA_LINKINFO, text(unix.IFLA_INFO_KIND, "bridge")))...)
	err := c.do(message{
		what: "make the bridge " + Bridge, kind: unix.RTM_NEWLINK, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL,
		body: body, fine: []unix.Errno{unix.EEXIST},
	})
	if err != nil {
		return 0, err
	}
	bridge, err := net.InterfaceByName(Bridge)
	if err != nil {
		return 0, err
	}
	return bridge.Index, c.do(addAddress(Bridge, bridge.Index, gateway), up(Bridge, bridge.Index))
}

// plug makes a pair of interfaces, of which one is at the bridge and the other in
// the namespace of process pid.
func plug(c conn, bridge int, name string, pid int) error {
	peer := append(link(0, 0), attributes(text(unix.IFLA_IFNAME, inside), number(unix.IFLA_NET_NS_PID, uint32(pid)))...)
	return c.do(message{
		what: "connect " + name, kind: unix.RTM_NEWLINK, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL,
		body: append(link(0, unix.IFF_UP), attributes(
			text(unix.IFLA_IFNAME, name), number(unix.IFLA_MASTER, uint32(bridge)),
			nested(unix.IFLA_LINKINFO, text(unix.IFLA_INFO_KIND, "veth"), nested(unix.IFLA_INFO_DATA, attribute{vethPeer, peer})))...),
	})
}

// unplug removes the interface called name and the one it is connected with. It
// may have gone with its namespace.
func unplug(c conn, name string) error {
	return c.do(message{
		what: "remove " + name, kind: unix.RTM_DELLINK, fine: []unix.Errno{unix.ENODEV},
		body: append(link(0, 0), attributes(text(unix.IFLA_IFNAME, name))...),
	})
}

// within calls f on a thread that is in the network namespace of process pid. The
// thread ends with it.
func within(pid int, f func() error) error {
	space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer space.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is of no use to others
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network of process %d: %w", pid, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// configure gives the interface of a container its address and a way out.
func configure(pid int, address netip.Prefix, gateway netip.Addr) error {
	return within(pid, func() error {
		c, err := open(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer c.close()
		loop, err := net.InterfaceByName("lo")
		if err != nil {
			return err
		}
		own, err := net.InterfaceByName(inside)
		if err != nil {
			return err
		}
		route := []byte{unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0}
		return c.do(up("lo", loop.Index), addAddress(inside, own.Index, address), up(inside, own.Index), message{
			what: "set the way out by " + gateway.String(), kind: unix.RTM_NEWROUTE, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL,
			body: append(route, attributes(attribute{unix.RTA_GATEWAY, gateway.AsSlice()})...),
		})
	})
}

// check returns an error where somebody on the node listens at p: what arrives
// there is his, and would be forwarded past him.
func (p Port) check() error {
	at := net.JoinHostPort("", fmt.Sprint(p.Host))
	var err error
	if p.Protocol == "udp" {
		var l net.PacketConn
		if l, err = net.ListenPacket("udp", at); err == nil {
			return l.Close()
		}
	} else {
		var l net.Listener
		if l, err = net.Listen("tcp", at); err == nil {
			return l.Close()
		}
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return fmt.Errorf("port %d of the node for %s: %w", p.Host, p.Protocol, ErrTaken)
	}
	return err
}
