package nsboot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A console is the terminal that a machine writes to.
type console struct {
	path   string
	master *os.File
	slave  *os.File // held open, or reading ends whenever the machine closes it
	done   chan struct{}

	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func openConsole() (*console, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("console: open /dev/ptmx: %w", err)
	}
	// As a file that does not block, a read of it ends when it is closed.
	c := &console{master: os.NewFile(uintptr(fd), "/dev/ptmx"), done: make(chan struct{})}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		c.path = fmt.Sprintf("/dev/pts/%d", number)
		c.slave, err = os.OpenFile(c.path, os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("console: %w", err), c.master.Close())
	}
	go c.read()
	return c, nil
}

func (c *console) read() {
	defer close(c.done)
	buf := make([]byte, 4096)
	for {
		n, err := c.master.Read(buf)
		c.mu.Lock()
		c.b.Write(buf[:n])
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *console) close() error {
	err := errors.Join(c.slave.Close(), c.master.Close())
	<-c.done
	return err
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}
