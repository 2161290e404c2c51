package containernet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// An attribute is a part of a message to the kernel: a type, and bytes that may
// be attributes themselves.
type attribute struct {
	kind  uint16
	value []byte
}

// bytes returns the attributes as the kernel reads them.
func attributes(list ...attribute) []byte {
	var b []byte
	for _, a := range list {
		b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(a.value)))
		b = binary.NativeEndian.AppendUint16(b, a.kind)
		b = pad(append(b, a.value...))
	}
	return b
}

// pad fills b up to the border on which attributes and messages begin.
func pad(b []byte) []byte { return append(b, make([]byte, -len(b)&(unix.NLMSG_ALIGNTO-1))...) }

func text(kind uint16, s string) attribute { return attribute{kind, append([]byte(s), 0)} }

func nested(kind uint16, list ...attribute) attribute {
	return attribute{kind | unix.NLA_F_NESTED, attributes(list...)}
}

// number and network are numbers in the order of the machine and of the network.
func number(kind uint16, n uint32) attribute {
	return attribute{kind, binary.NativeEndian.AppendUint32(nil, n)}
}

func network(kind uint16, n uint32) attribute {
	return attribute{kind, binary.BigEndian.AppendUint32(nil, n)}
}

// A message is what the kernel is asked to do.
type message struct {
	what  string // for people, when it fails
	kind  uint16
	flags uint16
	body  []byte
	fine  []unix.Errno // errors that mean that it is as it should be
}

func (m message) bytes(sequence uint32) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(m.body)))
	b = binary.NativeEndian.AppendUint16(b, m.kind)
	b = binary.NativeEndian.AppendUint16(b, m.flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 0)
	return pad(append(b, m.body...))
}

// A conn is a way to a part of the kernel, in the network namespace of the thread
// that opened it.
type conn struct{ fd int }

func open(family int) (conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, family)
	if err != nil {
		return conn{}, fmt.Errorf("ask the kernel about its network: %w", err)
	}
	return conn{fd}, nil
}

func (c conn) close() { unix.Close(c.fd) }

// do sends messages one after the other, and stops at the first that fails.
func (c conn) do(list ...message) error {
	for i, m := range list {
		m.flags |= unix.NLM_F_ACK
		if err := unix.Sendto(c.fd, m.bytes(uint32(i+1)), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
		answers, err := c.receive()
		if err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
		for _, a := range answers {
			if a.errno != 0 && !slices.Contains(m.fine, a.errno) {
				return fmt.Errorf("%s: %w", m.what, a.errno)
			}
		}
	}
	return nil
}

// together sends messages of which all or none take effect: the last one asks
// for an answer, and the kernel answers each that is wrong.
func (c conn) together(list []message) error {
	var b []byte
	for i, m := range list {
		b = append(b, m.bytes(uint32(i+1))...)
	}
	if err := unix.Sendto(c.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for {
		answers, err := c.receive()
		if err != nil {
			return err
		}
		for _, a := range answers {
			if a.errno != 0 {
				what := "forward ports"
				if n := int(a.sequence); n >= 1 && n <= len(list) {
					what = list[n-1].what
				}
				return fmt.Errorf("%s: %w", what, a.errno)
			}
			if int(a.sequence) == len(list)-1 {
				return nil // the last one before the end of the batch
			}
		}
	}
}

type answer struct {
	sequence uint32
	errno    unix.Errno
}

// receive returns the answers that the kernel gave in one piece. It answers
// before the call that asked returns, so that this does not wait.
func (c conn) receive() ([]answer, error) {
	buf := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(c.fd, buf, unix.MSG_DONTWAIT)
	if err != nil {
		return nil, err
	}
	var list []answer
	for b := buf[:n]; len(b) >= unix.NLMSG_HDRLEN; {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN+4 || size > len(b) {
			return nil, errors.New("the kernel answers with something else")
		}
		if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
			code := int32(binary.NativeEndian.Uint32(b[unix.NLMSG_HDRLEN:]))
			list = append(list, answer{binary.NativeEndian.Uint32(b[8:]), unix.Errno(-code)})
		}
		b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return list, nil
}
