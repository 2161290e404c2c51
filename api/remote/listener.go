package remote

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"

	"golang.org/x/time/rate"
)

// A listener takes connections within the limits of its gate. Those beyond are
// closed: an answer would take a handshake, which is what is to be spared.
type listener struct {
	net.Listener
	gate  *Gate
	front *front
}

// Accept waits for a connection for which there is room.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.gate.enter(raw, l.front); c != nil {
			return c, nil
		}
		_ = raw.Close()
	}
}

// enter makes room for raw, or returns nil.
func (g *Gate) enter(raw net.Conn, f *front) *conn {
	remote, ok := raw.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	from := subnet(remote.AddrPort().Addr())
	if !g.handshakes.allow(from, g.opt.Now()) {
		g.complain("connection refused", "address", remote, "why", "too many connections a second from there")
		return nil
	}
	c := &conn{Conn: raw, gate: g, front: f, address: from, closing: make(chan struct{})}
	g.mu.Lock()
	full, many := len(g.conns) >= g.opt.Limits.Connections, g.sources[from] >= g.opt.Limits.PerAddress
	if !full && !many {
		g.conns[c] = struct{}{}
		g.sources[from]++
	}
	g.mu.Unlock()
	switch {
	case many:
		g.complain("connection refused", "address", remote, "why", "too many connections from there")
		return nil
	case full:
		g.complain("connection refused", "address", remote, "why", "too many connections")
		return nil
	}
	return c
}

// leave gives the place of c to another.
func (g *Gate) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	if g.sources[c.address]--; g.sources[c.address] <= 0 {
		delete(g.sources, c.address)
	}
}

// complain logs a connection that came to nothing. Callers decide how many
// there are, so that not all are logged.
func (g *Gate) complain(message string, args ...any) {
	if g.complaints.Allow() {
		g.opt.Log.Warn(message, args...)
	}
}

// A complainer passes on as many records as its limit lets it.
type complainer struct {
	slog.Handler
	limit *rate.Limiter
}

// Handle passes r on or drops it.
func (c complainer) Handle(ctx context.Context, r slog.Record) error {
	if !c.limit.Allow() {
		return nil
	}
	return c.Handler.Handle(ctx, r)
}

type (
	connKey   struct{}
	callerKey struct{}
)

// withConn notes in the context of a connection which it is.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c.(*tls.Conn).NetConn())
}

func connFrom(ctx context.Context) *conn { return ctx.Value(connKey{}).(*conn) }

// noteState takes the state of a connection. One that is to end does so when
// its last answer is out.
func noteState(c net.Conn, s http.ConnState) {
	own := c.(*tls.Conn).NetConn().(*conn)
	own.note(s)
	if s == http.StateIdle && own.isRetired() {
		_ = c.Close()
	}
}

// CallerFrom returns who makes the request of ctx, or nil when it has not come
// through a gate.
func CallerFrom(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

func portOf(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
