package controlplane

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ports are those that the programs listen at. They are taken before the
// programs start and given back when those have ended, so that nobody else gets
// them: a socket that is bound and does not listen is beside the one of the
// program, which shares the port.
type ports struct {
	api, etcd, peer int
	sockets         []int
}

func reserve(api int) (*ports, error) {
	p := &ports{api: api}
	for _, port := range []*int{&p.api, &p.etcd, &p.peer} {
		if err := p.take(port); err != nil {
			p.release()
			return nil, err
		}
	}
	return p, nil
}

// take reserves a port, any where it is 0.
func (p *ports) take(port *int) error {
	if *port != 0 {
		// Shared with us it could be by others, too, so it is tried alone before.
		s, _, err := bind(*port, unix.SO_REUSEADDR)
		if err != nil {
			return err
		}
		if err := unix.Close(s); err != nil {
			return err
		}
	}
	s, got, err := bind(*port, unix.SO_REUSEPORT)
	if err != nil {
		return err
	}
	p.sockets = append(p.sockets, s)
	*port = got
	return nil
}

// bind returns a socket with a port of the loopback address. Connections of the
// last program that listened there may linger: with SO_REUSEADDR, as Go has it, the
// port is free all the same. With SO_REUSEPORT it is shared with programs that ask
// for that, and taken for those that ask for the other.
func bind(port, option int) (socket, got int, err error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, err
	}
	fault := func(err error) (int, int, error) {
		return -1, 0, errors.Join(fmt.Errorf("take port %d of 127.0.0.1: %w", port, err), unix.Close(s))
	}
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, option, 1); err != nil {
		return fault(err)
	}
	if err := unix.Bind(s, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fault(err)
	}
	name, err := unix.Getsockname(s)
	if err != nil {
		return fault(err)
	}
	return s, name.(*unix.SockaddrInet4).Port, nil
}

func (p *ports) release() {
	for _, s := range p.sockets {
		_ = unix.Close(s) // nothing was written to it
	}
	p.sockets = nil
}
