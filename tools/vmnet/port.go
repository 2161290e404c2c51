package vmnet

import (
	"net"
	"sync"
)

// queued is how many frames wait for a machine that does not take them.
const queued = 512

// A port is where a cable is plugged into the switch.
//
// The switch writes to all its cables in turn. A machine that restarts takes
// nothing from its cable; what is written to it would fill the cable and then
// hold up everybody else. As with a real switch, frames that do not fit are lost.
type port struct {
	net.Conn
	frames chan []byte
	once   sync.Once
	ended  chan struct{}
	done   chan struct{} // closed when nobody writes to the cable any more
}

func newPort(wire net.Conn) *port {
	p := &port{Conn: wire, frames: make(chan []byte, queued), ended: make(chan struct{}), done: make(chan struct{})}
	go p.send()
	return p
}

// Write takes one frame with its length, whole as the switch hands it out.
func (p *port) Write(frame []byte) (int, error) {
	select {
	case <-p.ended:
		return 0, net.ErrClosed
	default:
	}
	select {
	case p.frames <- append([]byte(nil), frame...):
	default: // lost
	}
	return len(frame), nil
}

func (p *port) send() {
	defer close(p.done)
	for {
		select {
		case frame := <-p.frames:
			if _, err := p.Conn.Write(frame); err != nil {
				return // the reader sees it, too
			}
		case <-p.ended:
			return
		}
	}
}

// Close takes the cable off.
func (p *port) Close() error {
	var err error
	p.once.Do(func() {
		close(p.ended)
		err = p.Conn.Close()
		<-p.done
	})
	return err
}
