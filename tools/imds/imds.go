// Package imds is an instance metadata service like that of EC2, for tests and
// for virtual machines on a developer's computer.
//
// It speaks version 2 of the protocol as AWS documents it: a session begins with
// a token, which a PUT request asks for and every other request shows. Tokens
// end, are refused to requests that came through a proxy, and do not reach who is
// further away than the hop limit. What an instance is, and what goes wrong, is
// up to the test, and may change while the server runs.
package imds

import (
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Addresses at which instances find the service.
const (
	IPv4 = "169.254.169.254:80"
	IPv6 = "[fd00:ec2::254]:80"
)

// Options say what a service tells and how it behaves.
type Options struct {
	UserData []byte // none if empty
	Instance Instance
	// More is metadata besides that of Instance, or in its place: values by their
	// path below meta-data.
	More map[string]string

	Off          bool // switched off for the instance: everything is forbidden
	WithoutToken bool // sessions are optional, as in version 1
	HopLimit     int  // 1 if zero
	// Hops tells how far away an address is; nil where everybody is near.
	Hops func(netip.Addr) int
	// Rate is how many requests a second are answered; 0 for all.
	Rate int
	// Fault is asked first. A status that is not zero is the answer.
	Fault func(*http.Request) int
	Now   func() time.Time // time.Now if nil
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// A Server is the service of one instance.
type Server struct {
	mu     sync.Mutex // guards what follows
	opt    Options
	tree   map[string]string    // values by path
	tokens map[string]time.Time // when each ends
	second int64                // that count belongs to
	count  int
	asked  []string
}

// New returns a service.
func New(opt Options) *Server {
	s := &Server{tokens: map[string]time.Time{}}
	s.opt = opt
	s.tree = opt.tree()
	return s
}

// Change changes what the service tells and how it behaves. Tokens go on.
func (s *Server) Change(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.opt)
	s.tree = s.opt.tree()
}

// Forget makes all tokens invalid, as when an instance moves to another host.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Asked returns method and path of all requests so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// Serve answers who connects to l until that is closed. Only over connections
// of TCP that it accepts itself does it keep the hop limit as packets see it.
func (s *Server) Serve(l net.Listener) error {
	server := &http.Server{Handler: s, ConnContext: withConn, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(l)
}

// state returns what one request is answered from.
func (s *Server) state(r *http.Request) (opt Options, tree map[string]string, tooFast bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	if now := s.opt.now().Unix(); now != s.second {
		s.second, s.count = now, 0
	}
	s.count++
	return s.opt, maps.Clone(s.tree), s.opt.Rate > 0 && s.count > s.opt.Rate
}
