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
	why := g.place(c)
	if why == taken && g.makeRoom(from) {
		why = g.place(c)
	}
	if why != "" {
		g.complain("connection refused", "address", remote, "why", why)
		return nil
	}
	return c
}

// taken is why a connection is refused while all places are taken.
const taken = "too many connections"

// place gives c a place, or returns why there is none.
func (g *Gate) place(c *conn) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.sources[c.address] >= g.opt.Limits.PerAddress:
		return "too many connections from there"
	case len(g.conns) >= g.opt.Limits.Connections:
		return taken
	}
	g.serial++
	c.serial = g.serial
	g.conns[c] = struct{}{}
	g.sources[c.address]++
	return ""
}

// makeRoom closes the oldest connection on which nothing is under way of the
// address that has most, if those are more than from will have: a few hosts that
// keep connections open do not shut out another.
func (g *Gate) makeRoom(from netip.Addr) bool {
	g.mu.Lock()
	most := 0
	var spare *conn
	for c := range g.conns {
		n := g.sources[c.address]
		if n <= g.sources[from]+1 || !c.idle() {
			continue
		}
		if spare == nil || n > most || n == most && c.serial < spare.serial {
			most, spare = n, c
		}
	}
	g.mu.Unlock()
	if spare == nil {
		return false
	}
	_ = spare.Close()
	return true
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
