package vm

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// cables are what connects an emulator with this program.
type cables struct {
	monitor net.Conn
	wires   []net.Conn // of the network cards
	input   *os.File

	keyboard *os.File   // the emulator's end of input
	files    []*os.File // its ends of monitor and wires
}

// firstWire is the descriptor at which the emulator finds the first wire: behind
// the monitor's.
const firstWire = 4

func connect(cards int) (*cables, error) {
	c := &cables{}
	var err error
	if c.keyboard, c.input, err = os.Pipe(); err != nil {
		return nil, err
	}
	var theirs *os.File
	if c.monitor, theirs, err = socketPair("monitor"); err != nil {
		return nil, errors.Join(err, c.handOver(), c.close())
	}
	c.files = append(c.files, theirs)
	for range cards {
		wire, theirs, err := socketPair("wire")
		if err != nil {
			return nil, errors.Join(err, c.handOver(), c.close())
		}
		c.wires, c.files = append(c.wires, wire), append(c.files, theirs)
	}
	return c, nil
}

// handOver closes the emulator's ends.
func (c *cables) handOver() error {
	err := c.keyboard.Close()
	for _, f := range c.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// close closes the ends of this program.
func (c *cables) close() error {
	err := c.input.Close()
	if c.monitor != nil {
		err = errors.Join(err, c.monitor.Close())
	}
	for _, wire := range c.wires {
		err = errors.Join(err, wire.Close())
	}
	return err
}

// socketPair returns the two ends of a connection, one of them for a child.
func socketPair(name string) (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name)
	defer ours.Close() // FileConn has a copy of it
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}
