package vmnet

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// dialTime is how long a machine may take to accept a connection.
const dialTime = 10 * time.Second

// relay connects conn with the target and ends when both directions have, or
// the network is closed.
func (n *Network) relay(conn net.Conn, target string) {
	if !n.hold(conn) {
		_ = conn.Close()
		return
	}
	defer n.release(conn)
	ctx, cancel := context.WithTimeout(n.ctx, dialTime)
	defer cancel()
	remote, err := n.stack.DialContextTCP(ctx, target)
	if err != nil {
		return // the caller sees that the connection ends
	}
	if !n.hold(remote) {
		_ = remote.Close()
		return
	}
	defer n.release(remote)
	var both sync.WaitGroup
	both.Go(func() { pass(remote, conn) })
	both.Go(func() { pass(conn, remote) })
	both.Wait()
}

// pass copies what comes from one side to the other. An end is passed on as an
// end; after a fault nothing more is worth waiting for.
func pass(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if c, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		if c.CloseWrite() == nil {
			return
		}
	}
	_ = to.Close()
	_ = from.Close()
}
