// Package remote lets callers on the network use an API.
//
// A Gate listens where it is told, speaks TLS 1.3, and lets in whoever has a
// certificate of an authority that it was told of. All of this can change while
// it runs: who is connected stays so as long as he would be let in again, and
// requests under way are finished in any case.
package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

// Options are what a gate is made of. Handler and Dir are needed.
type Options struct {
	Handler http.Handler // CallerFrom says who makes a request
	Dir     string       // keeps the certificate of the gate's own making
	Report  string       // file that says where the gate listens and by which certificate it is known; none
	Limits  Limits
	Times   Times
	Stop    time.Duration // for requests under way, when Run ends; 10 s
	Drain   time.Duration // for those of an address that is given up; 1 min
	Log     *slog.Logger  // none
	Now     func() time.Time
}

// Times are how long the gate waits for callers; 0 stands for ever.
type Times struct {
	Header time.Duration // for the handshake, and for the header of a request
	Read   time.Duration // for header and body together
	Write  time.Duration // from the header to the end of the answer
	Idle   time.Duration // for the next request of a connection
}

// maxHeader is how long the header of a request may be.
const maxHeader = 64 << 10

// A Gate listens for callers. It is safe for concurrent use.
type Gate struct {
	opt        Options
	policy     atomic.Pointer[policy] // nil while nobody is let in
	handshakes *buckets[netip.Addr]
	requests   *buckets[[32]byte]
	complaints *rate.Limiter // of connections that came to nothing
	wake       chan struct{} // has a value when wanted has changed
	own        *selfMade     // of the gate's own making; Run's

	fronts map[netip.AddrPort]*front // where it listens; Run's
	ending sync.WaitGroup            // for fronts that are given up

	mu       sync.Mutex // guards what follows
	wanted   Config
	failures map[netip.AddrPort]error // of addresses that cannot be listened at
	unkept   error                    // why the certificate of its own is not kept
	conns    map[*conn]struct{}
	sources  map[netip.Addr]int // how many of conns come from there
	serial   uint64             // of the last connection
}

// New returns a gate that listens nowhere.
func New(opt Options) *Gate {
	opt.Limits = opt.Limits.usual()
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Stop == 0 {
		opt.Stop = 10 * time.Second
	}
	if opt.Drain == 0 {
		opt.Drain = time.Minute
	}
	return &Gate{
		opt: opt, wake: make(chan struct{}, 1), fronts: map[netip.AddrPort]*front{},
		handshakes: newBuckets[netip.Addr](opt.Limits.Handshakes), requests: newBuckets[[32]byte](opt.Limits.Requests),
		complaints: rate.NewLimiter(1, 10), failures: map[netip.AddrPort]error{},
		conns: map[*conn]struct{}{}, sources: map[netip.Addr]int{},
	}
}

// Configure makes c what the gate goes by from soon on.
func (g *Gate) Configure(c Config) {
	g.mu.Lock()
	g.wanted = c
	g.mu.Unlock()
	g.rouse()
}

func (g *Gate) rouse() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// How long an address that cannot be listened at is left alone.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Run listens, as Configure says, until ctx ends. It then finishes the requests
// under way.
func (g *Gate) Run(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	pause := firstRetry
	for {
		select {
		case <-ctx.Done():
			g.end()
			return
		case <-g.wake:
			pause = firstRetry
		case <-retry.C:
		}
		g.mu.Lock()
		c := g.wanted
		g.mu.Unlock()
		if g.follow(c) {
			continue
		}
		retry.Reset(pause)
		pause = min(2*pause, lastRetry)
	}
}

// follow makes the gate what c says. It reports false when something has to be
// tried again.
func (g *Gate) follow(c Config) bool {
	g.usePolicy(c)
	for at, f := range g.fronts {
		if !slices.Contains(c.Listen, at) || f.ended() {
			delete(g.fronts, at)
			g.close(f, g.opt.Drain)
		}
	}
	failures := map[netip.AddrPort]error{}
	for _, at := range c.Listen {
		if g.fronts[at] != nil {
			continue
		}
		f, err := g.open(at)
		if err != nil {
			failures[at] = err
			continue
		}
		g.fronts[at] = f
		g.opt.Log.Info("listening", "address", at)
	}
	g.fail(failures)
	return g.report() && len(failures) == 0
}

// usePolicy makes c the rule for connections, new and old.
func (g *Gate) usePolicy(c Config) {
	if len(c.Listen) == 0 {
		g.policy.Store(nil)
		return
	}
	shown := c.Certificate
	if shown == nil {
		shown = g.ownCertificate()
	}
	old := g.policy.Load()
	p := newPolicy(c, shown, g.opt.Now)
	if old != nil && old.equal(p) {
		return
	}
	g.policy.Store(p)
	g.opt.Log.Info("remote access", "fingerprint", p.fingerprint, "authorities", len(c.Authorities), "roles", c.Roles)
	g.mu.Lock()
	conns := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		c.review(p, g.opt.Now())
	}
}

// ownCertificate returns the certificate of the gate's own making. One that
// could not be kept is tried to be kept again.
func (g *Gate) ownCertificate() *tls.Certificate {
	switch {
	case g.own == nil:
		g.own = loadSelfMade(g.opt.Dir)
	case g.own.fault != nil && g.own.file != nil:
		g.own.keep(g.opt.Dir)
	default:
		return g.own.shown
	}
	if err := g.own.fault; err != nil {
		g.opt.Log.Warn("certificate is not kept", "err", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unkept = g.own.fault
	return g.own.shown
}

// fail notes which addresses cannot be listened at, and logs what is new.
func (g *Gate) fail(failures map[netip.AddrPort]error) {
	g.mu.Lock()
	old := g.failures
	g.failures = failures
	g.mu.Unlock()
	for at, err := range failures {
		if before := old[at]; before == nil || before.Error() != err.Error() {
			g.opt.Log.Warn("not listening", "address", at, "err", err)
		}
	}
}

// end gives everything up.
func (g *Gate) end() {
	for at, f := range g.fronts {
		delete(g.fronts, at)
		g.close(f, g.opt.Stop)
	}
	// Those of fronts given up before have had their time, too.
	g.mu.Lock()
	for c := range g.conns {
		c.retire()
	}
	g.mu.Unlock()
	done := make(chan struct{})
	go func() { g.ending.Wait(); close(done) }()
	cut := time.NewTimer(g.opt.Stop)
	defer cut.Stop()
	select {
	case <-done:
		return
	case <-cut.C:
	}
	g.mu.Lock()
	left := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		left = append(left, c)
	}
	g.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
	<-done
}

// A front is an address that is listened at.
type front struct {
	at       netip.AddrPort
	listener net.Listener
	server   *http.Server
	served   chan struct{} // closed when no more connections are taken
}

func (f *front) ended() bool {
	select {
	case <-f.served:
		return true
	default:
		return false
	}
}

// open listens at at.
func (g *Gate) open(at netip.AddrPort) (*front, error) {
	network, address := "tcp", at.String()
	switch {
	case at.Addr().Is4():
		network = "tcp4"
	case at.Addr().IsUnspecified():
		address = net.JoinHostPort("", portOf(at)) // all addresses, also where there is no IPv6
	}
	l, err := net.Listen(network, address)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok { // the address is told beside it
			err = op.Err
		}
		return nil, err
	}
	times := g.opt.Times
	f := &front{at: at, listener: l, served: make(chan struct{})}
	f.server = &http.Server{
		Handler: http.HandlerFunc(g.serve), ConnContext: withConn, ConnState: noteState,
		ReadHeaderTimeout: times.Header, ReadTimeout: times.Read, WriteTimeout: times.Write, IdleTimeout: times.Idle,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(complainer{g.opt.Log.Handler(), g.complaints}, slog.LevelWarn),
	}
	config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if p := g.policy.Load(); p != nil {
			return p.handshake(g.opt.Now()), nil
		}
		return nil, errors.New("the API is not open to the network any more")
	}}
	go func() {
		defer close(f.served)
		err := f.server.Serve(tls.NewListener(&listener{Listener: l, gate: g, front: f}, config))
		if !errors.Is(err, net.ErrClosed) {
			g.opt.Log.Error("no more connections are taken", "address", at, "err", err)
			g.rouse() // to listen anew
		}
	}()
	return f, nil
}

// close gives f up. The address is free at once; requests under way have limit
// to be finished.
func (g *Gate) close(f *front, limit time.Duration) {
	_ = f.listener.Close()
	<-f.served
	g.mu.Lock()
	for c := range g.conns {
		if c.front == f {
			c.retire()
		}
	}
	g.mu.Unlock()
	g.ending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := f.server.Shutdown(ctx); err != nil {
			g.opt.Log.Warn("requests were cut off", "address", f.at, "err", err)
			_ = f.server.Close()
		}
	})
}

// serve passes a request on with its caller, unless he is not let in any more.
func (g *Gate) serve(w http.ResponseWriter, r *http.Request) {
	c := connFrom(r.Context())
	p := g.policy.Load()
	var caller *Caller
	err := errors.New("the API is not open to the network any more")
	if p != nil {
		caller, err = c.identify(p, r.TLS.PeerCertificates, g.opt.Now())
	}
	if err != nil || c.isRetired() {
		w.Header().Set("Connection", "close")
	}
	switch {
	case err != nil:
		g.opt.Log.Warn("caller refused", "address", c.address, "err", err)
		problem.Write(w, problem.New(problem.Forbidden, "%v", err))
	case !g.requests.allow(caller.key, g.opt.Now()):
		w.Header().Set("Retry-After", "1")
		problem.Write(w, problem.New(problem.TooManyRequests, "%s makes more than %v requests a second", caller.Name, g.opt.Limits.Requests))
	default:
		g.opt.Handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
	}
}
