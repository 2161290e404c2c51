package vmnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newTestNetwork(t *testing.T, hosts ...Host) *Network {
	t.Helper()
	n, err := New(hosts)
	must(t, err)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestNewHost(t *testing.T) {
	for _, tt := range []struct {
		name      string
		i         int
		mac, addr string
	}{
		{"first", 0, "52:54:00:62:6b:0a", "192.168.127.10"},
		{"last", MaxHosts - 1, "52:54:00:62:6b:d1", "192.168.127.209"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHost(tt.i, "x")
			if h.MAC != tt.mac || h.Addr != netip.MustParseAddr(tt.addr) {
				t.Errorf("NewHost(%d) = %v, want %s and %s", tt.i, h, tt.mac, tt.addr)
			}
			if !subnet.Contains(h.Addr) || h.Addr == gateway || h.Addr == hostAddr {
				t.Errorf("NewHost(%d) has address %s, want one of %s that is free", tt.i, h.Addr, subnet)
			}
		})
	}
}

// discover returns a frame that asks for an address, with its length in front.
func discover(mac net.HardwareAddr) []byte {
	question := make([]byte, 244)
	copy(question, []byte{1, 1, 6, 0, 'B', 'u', 'l', 'k'})
	question[10] = 0x80 // answer to everybody
	copy(question[28:], mac)
	copy(question[236:], []byte{99, 130, 83, 99, 53, 1, 1, 255})
	udp := binary.BigEndian.AppendUint16(nil, 68)
	udp = binary.BigEndian.AppendUint16(udp, 67)
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(question)))
	udp = append(append(udp, 0, 0), question...) // without a checksum
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(udp)))
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	frame := append([]byte{255, 255, 255, 255, 255, 255}, mac...)
	frame = append(append(append(frame, 8, 0), ip...), udp...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)
}

func checksum(header []byte) uint16 {
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// offered returns the address in the answer to discover.
func offered(wire net.Conn) (netip.Addr, error) {
	for {
		var length [4]byte
		if _, err := io.ReadFull(wire, length[:]); err != nil {
			return netip.Addr{}, err
		}
		frame := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(wire, frame); err != nil {
			return netip.Addr{}, err
		}
		const dhcp = 14 + 20 + 8
		if len(frame) > dhcp+240 && string(frame[dhcp+4:dhcp+8]) == "Bulk" {
			return netip.AddrFrom4([4]byte(frame[dhcp+16 : dhcp+20])), nil
		}
	}
}

// The address belongs to the card, whoever asks first. A machine that takes
// nothing off its cable holds up nobody.
func TestAddresses(t *testing.T) {
	hosts := []Host{NewHost(0, "a"), NewHost(1, "b"), NewHost(2, "deaf")}
	n := newTestNetwork(t, hosts...)
	_, theirs := net.Pipe()
	n.Plug(theirs) // and nobody reads
	for _, h := range []Host{hosts[1], hosts[0]} {
		mac, err := net.ParseMAC(h.MAC)
		must(t, err)
		ours, theirs := net.Pipe()
		n.Plug(theirs)
		must(t, ours.SetDeadline(time.Now().Add(time.Minute)))
		for range 2 * queued { // all of them go to the deaf one, too
			_, err := ours.Write(discover(mac))
			must(t, err)
			got, err := offered(ours)
			if got != h.Addr || err != nil {
				t.Fatalf("card %s is offered %s, %v, want %s", h.MAC, got, err, h.Addr)
			}
		}
		must(t, ours.Close())
	}
}

// A machine that is switched off is nothing to write about; what else the library
// says is.
func TestQuietEnd(t *testing.T) {
	n := newTestNetwork(t, NewHost(0, "a"))
	said := new(bytes.Buffer)
	logrus.SetOutput(sieve{said})
	defer logrus.SetOutput(sieve{os.Stderr})
	ours, theirs := net.Pipe()
	n.Plug(theirs)
	must(t, ours.Close())
	must(t, n.Close()) // by when the end was noticed
	logrus.Error("something else")
	if got := said.String(); strings.Contains(got, "receive") || !strings.Contains(got, "something else") {
		t.Errorf("the library says %q, want only something else", got)
	}
}

// Frames that a machine does not take are lost, and its end is noticed.
func TestPort(t *testing.T) {
	ours, theirs := net.Pipe()
	p := newPort(theirs)
	frame := []byte("frame")
	for range 3 * queued {
		if n, err := p.Write(frame); n != len(frame) || err != nil {
			t.Fatalf("Write = %d, %v, want %d", n, err, len(frame))
		}
	}
	got := make([]byte, len(frame))
	_, err := io.ReadFull(ours, got)
	must(t, err)
	if diff := cmp.Diff("frame", string(got)); diff != "" {
		t.Errorf("what comes out of the cable (-want +got):\n%s", diff)
	}
	must(t, p.Close())
	must(t, p.Close())
	if _, err := p.Write(frame); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v, want %v", err, net.ErrClosed)
	}
}

// A connection to a machine that is not there ends with the network at the
// latest.
func TestForwardToNobody(t *testing.T) {
	h := NewHost(0, "nobody")
	n := newTestNetwork(t, h)
	addr, err := n.Forward("127.0.0.1:0", h, 8443)
	must(t, err)
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	ended := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(conn)
		ended <- err
	}()
	must(t, n.Close())
	if err := <-ended; errors.Is(err, context.DeadlineExceeded) {
		t.Error("the connection does not end with the network")
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the forwarded port is open after the network is closed")
	}
	if _, err := n.Forward("127.0.0.1:0", h, 1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Forward in a closed network: %v, want %v", err, net.ErrClosed)
	}
	if _, err := newTestNetwork(t, h).Forward("192.0.2.1:1", h, 1); err == nil {
		t.Error("Forward at an address that is not here: no error")
	}
}

// What is served at an address that nobody has reaches machines, and ends with
// the network.
func TestListen(t *testing.T) {
	n, err := New([]Host{NewHost(0, "a")})
	must(t, err)
	l, err := n.Listen("169.254.169.254:80")
	must(t, err)
	if _, err := n.Listen("nonsense"); err == nil {
		t.Error(`Listen("nonsense"): no error`)
	}
	must(t, n.Close())
	if _, err := l.Accept(); err == nil {
		t.Error("Accept after the network was closed: no error")
	}
	if _, err := n.Listen("169.254.169.254:81"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen in a closed network: %v, want %v", err, net.ErrClosed)
	}
}
