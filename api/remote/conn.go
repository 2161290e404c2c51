package remote

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/settings/api"
)

// A conn is a connection of a caller.
type conn struct {
	net.Conn
	gate    *Gate
	front   *front
	address netip.Addr
	serial  uint64        // later ones have a higher one
	closing chan struct{} // closed when nothing more is wanted of it
	retired sync.Once
	closed  sync.Once

	mu     sync.Mutex // guards what follows
	state  http.ConnState
	chain  []*x509.Certificate // that the caller has shown, once a request has come
	policy *policy             // that caller is of
	caller *Caller
}

// Close closes the connection and gives its place to another.
func (c *conn) Close() error {
	defer c.closed.Do(func() { c.gate.leave(c) })
	c.retire()
	return c.Conn.Close()
}

// retire asks for the end of the connection: streams end, the request that is
// under way is finished.
func (c *conn) retire() { c.retired.Do(func() { close(c.closing) }) }

func (c *conn) isRetired() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// note takes the state that the connection has now.
func (c *conn) note(s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

// idle reports whether no request of the connection is under way: none has come
// yet, or all were answered.
func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == http.StateNew || c.state == http.StateIdle
}

// identify returns who the caller is by p. A chain that led to an authority once
// need not do so for ever.
func (c *conn) identify(p *policy, chain []*x509.Certificate, now time.Time) (*Caller, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chain = chain
	if p.config.Anybody {
		return &Caller{Name: "somebody at " + c.address.String(), Address: c.RemoteAddr().String(), conn: c}, nil
	}
	if len(chain) == 0 {
		return nil, errors.New("callers need a certificate")
	}
	if c.policy == p && !now.After(chain[0].NotAfter) {
		return c.caller, nil
	}
	if err := p.verify(chain, now); err != nil {
		return nil, err
	}
	c.policy = p
	c.caller = &Caller{
		Name: nameOf(chain[0]), Address: c.RemoteAddr().String(), Role: p.role(chain[0]),
		key: sha256.Sum256(chain[0].Raw), conn: c,
	}
	return c.caller, nil
}

// review ends the connection when its caller is not trusted by p any more.
func (c *conn) review(p *policy, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chain == nil || p.verify(c.chain, now) == nil {
		return // whoever has shown none is looked at when he asks for something
	}
	c.retire()
	if c.state == http.StateIdle {
		_ = c.Conn.Close() // the server finds out, and closes the rest
	}
}

// verify reports whether chain leads to an authority of p.
func (p *policy) verify(chain []*x509.Certificate, now time.Time) error {
	between := x509.NewCertPool()
	for _, link := range chain[1:] {
		between.AddCert(link)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: p.roots, Intermediates: between, CurrentTime: p.when(chain, now), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("the certificate of %s is not accepted: %w", nameOf(chain[0]), err)
	}
	return nil
}

// rolePrefix begins the organizations that stand for roles.
const rolePrefix = "bulkhead:"

// role returns the highest role that the certificate gives and p allows, or ""
// when there is none.
func (p *policy) role(c *x509.Certificate) api.Role {
	for _, r := range []api.Role{api.Admin, api.Operator, api.Reader} {
		given, allowed := false, false
		for _, o := range c.Subject.Organization {
			given = given || o == rolePrefix+string(r)
		}
		for _, a := range p.config.Roles {
			allowed = allowed || a == r
		}
		if given && allowed {
			return r
		}
	}
	return ""
}

// nameOf returns the subject of c, as it is known in the record. It is of the
// authority's making and still bounded.
func nameOf(c *x509.Certificate) string {
	const most = 200
	s := strings.ToValidUTF8(c.Subject.String(), "\ufffd")
	if s == "" {
		s = "certificate " + c.SerialNumber.String()
	}
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// A Caller is who makes a request.
type Caller struct {
	Name    string   // the subject of the certificate
	Address string   // with the port
	Role    api.Role // "" when there is none
	key     [sha256.Size]byte
	conn    *conn
}

// Closing is closed when the connection is to end: streams end then.
func (c *Caller) Closing() <-chan struct{} { return c.conn.closing }

// Delivered waits until the caller's side has acknowledged all that was sent,
// but not longer than limit.
func (c *Caller) Delivered(limit time.Duration) {
	const look = 2 * time.Millisecond
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for c.conn.unacknowledged() > 0 {
		select {
		case <-deadline.C:
			return
		case <-tick.C:
		}
	}
}

// unacknowledged returns how many bytes are on their way, or 0 when the kernel
// does not say.
func (c *conn) unacknowledged() int {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	err = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err != nil {
		return 0
	}
	return n
}
