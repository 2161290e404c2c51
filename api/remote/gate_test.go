package remote_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/models/settings/api"
)

// Who comes in, as whom, and who does not.
func TestCallers(t *testing.T) {
	ca, other := newAuthority(t, "Callers"), newAuthority(t, "Others")
	_, at := open(t, hello, ca)
	ended := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	early := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }
	forServers := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	tests := []struct {
		name   string
		caller *caller
		want   string // the answer, or what the error holds
	}{
		{"admin", as(t, ca.admin(t)), "CN=alice,O=bulkhead:admin admin"},
		{"operator", as(t, ca.issue(t, "bob", []string{"bulkhead:operator"})), "CN=bob,O=bulkhead:operator operator"},
		{"several organizations", as(t, ca.issue(t, "eve", []string{"Example", "bulkhead:reader", "bulkhead:operator"})), "CN=eve,O=Example+O=bulkhead:reader+O=bulkhead:operator operator"},
		{"no role", as(t, ca.issue(t, "nil", []string{"admin"})), "CN=nil,O=admin "},
		{"other letter case", as(t, ca.issue(t, "nil", []string{"Bulkhead:admin"})), "CN=nil,O=Bulkhead:admin "},
		{"role in the name", as(t, ca.issue(t, "bulkhead:admin", nil)), "CN=bulkhead:admin "},
		{"no certificate", as(t), "certificate required"},
		{"another authority", as(t, other.admin(t)), "unknown certificate authority"},
		{"ended", as(t, ca.issue(t, "late", []string{"bulkhead:admin"}, ended)), "expired certificate"},
		{"not yet", as(t, ca.issue(t, "early", []string{"bulkhead:admin"}, early)), "expired certificate"},
		{"certificate for servers", as(t, ca.issue(t, "server", []string{"bulkhead:admin"}, forServers)), "bad certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body, err := tt.caller.get(at, "/")
			if err == nil && (status != 200 || body != tt.want) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("GET /: %d %q, %v, want %q", status, body, err, tt.want)
			}
		})
	}
}

// Older protocols, and none at all, are refused.
func TestProtocols(t *testing.T) {
	ca := newAuthority(t, "Callers")
	p, at := open(t, hello, ca)
	old := as(t, ca.admin(t))
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
	if _, body, err := old.get(at, "/"); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("GET / by TLS 1.2: %q, %v, want that the version is refused", body, err)
	}
	res, err := http.Get("http://" + at.String() + "/")
	if err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("GET / without TLS: %s, want a refusal", res.Status)
		}
	}
	within(t, "words in the log about both", func() bool { return strings.Count(p.log.String(), "TLS handshake error") >= 2 })
}

func TestAllowedRoles(t *testing.T) {
	ca := newAuthority(t, "Callers")
	p, at := open(t, hello, ca)
	admin, both := as(t, ca.admin(t)), as(t, ca.issue(t, "both", []string{"bulkhead:admin", "bulkhead:reader"}))
	for _, c := range []*caller{admin, both} {
		if _, body, err := c.get(at, "/"); err != nil || !strings.HasSuffix(body, " admin") {
			t.Fatalf("GET / with all roles allowed: %q, %v, want an admin", body, err)
		}
	}
	p.Configure(remote.Config{Listen: []netip.AddrPort{at}, Authorities: []*x509.Certificate{ca.cert}, Roles: []api.Role{api.Reader}})
	within(t, "end of the role", func() bool {
		_, body, err := admin.get(at, "/")
		return err == nil && strings.HasSuffix(body, "bulkhead:admin ")
	})
	if _, body, err := both.get(at, "/"); err != nil || !strings.HasSuffix(body, " reader") {
		t.Errorf("GET / with readers allowed only: %q, %v, want a reader", body, err)
	}
}

// A held handler answers when it is told to, and tells when it has begun.
type held struct{ begun, finish chan struct{} }

func newHeld() held { return held{make(chan struct{}, 1), make(chan struct{})} }

func (h held) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/held" {
		h.begun <- struct{}{}
		<-h.finish
	}
	hello(w, r)
}

type answer struct {
	body string
	err  error
}

func (c *caller) begin(at netip.AddrPort, path string) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		_, body, err := c.get(at, path)
		out <- answer{body, err}
	}()
	return out
}

// Another authority takes effect at once, for those who are connected too. What
// is under way is finished.
func TestAuthorityIsReplaced(t *testing.T) {
	first, second := newAuthority(t, "First"), newAuthority(t, "Second")
	h := newHeld()
	p, at := open(t, h, first)
	old, both := as(t, first.admin(t)), as(t, second.admin(t))
	under := old.begin(at, "/held")
	<-h.begun
	config := func(cas ...authority) remote.Config {
		c := remote.Config{Listen: []netip.AddrPort{at}, Roles: everyRole}
		for _, ca := range cas {
			c.Authorities = append(c.Authorities, ca.cert)
		}
		return c
	}
	p.Configure(config(first, second))
	within(t, "callers of the second authority", func() bool { _, _, err := both.get(at, "/"); return err == nil })
	kept := as(t, first.admin(t))
	if _, _, err := kept.get(at, "/"); err != nil { // keeps its connection
		t.Errorf("GET / of the first authority while both count: %v", err)
	}
	p.Configure(config(second))
	within(t, "end of the first authority", func() bool { _, _, err := kept.get(at, "/"); return err != nil })
	close(h.finish)
	if a := <-under; a.err != nil || !strings.HasSuffix(a.body, "admin") {
		t.Errorf("request under way while its authority goes: %q, %v, want an answer", a.body, a.err)
	}
	if _, body, err := old.get(at, "/"); err == nil {
		t.Errorf("GET / on the connection of that request: %q, want a refusal", body)
	}
	if _, _, err := both.get(at, "/"); err != nil {
		t.Errorf("GET / of the second authority: %v", err)
	}
}

// A connection whose caller's certificate ends meanwhile is worth nothing.
func TestCertificateEndsMeanwhile(t *testing.T) {
	ca := newAuthority(t, "Callers")
	var late time.Duration
	now := make(chan time.Duration, 1)
	now <- 0
	clock := func() time.Time {
		late = <-now
		now <- late
		return time.Now().Add(late)
	}
	_, at := open(t, hello, ca, func(o *remote.Options) { o.Now = clock })
	c := as(t, ca.admin(t))
	if _, _, err := c.get(at, "/"); err != nil {
		t.Fatal(err)
	}
	<-now
	now <- 300 * 24 * time.Hour
	status, body, err := c.get(at, "/")
	if status != http.StatusForbidden || !strings.Contains(body, "CN=alice,O=bulkhead:admin is not accepted") {
		t.Errorf("GET / after the end of the certificate: %d %q, %v, want 403", status, body, err)
	}
}

// Another certificate of the node is shown to those who come; who is there
// stays connected.
func TestServerCertificateIsReplaced(t *testing.T) {
	ca, own := newAuthority(t, "Callers"), newAuthority(t, "Nodes")
	p, at := open(t, hello, ca)
	made := p.status().Fingerprint
	before := as(t, ca.admin(t))
	if _, _, err := before.get(at, "/"); err != nil {
		t.Fatal(err)
	}
	shown := own.issue(t, "node", nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	leaf, err := x509.ParseCertificate(shown.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	shown.Leaf = leaf
	config := remote.Config{Listen: []netip.AddrPort{at}, Authorities: []*x509.Certificate{ca.cert}, Roles: everyRole, Certificate: &shown}
	p.Configure(config)
	within(t, "another fingerprint", func() bool { f := p.status().Fingerprint; return f != "" && f != made })
	after := as(t, ca.admin(t))
	res, err := after.Get("https://" + at.String())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.TLS.PeerCertificates[0]; !got.Equal(leaf) {
		t.Errorf("the node shows the certificate of %s, want its new one", got.Subject)
	}
	reused := false
	req, err := http.NewRequestWithContext(withReuse(t.Context(), &reused), http.MethodGet, "https://"+at.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err = before.Do(req); err != nil || !reused {
		t.Fatalf("GET / on the old connection: %v, reused: %t, want it to go on", err, reused)
	}
	res.Body.Close()
	config.Certificate = nil
	p.Configure(config)
	within(t, "the node's own certificate again", func() bool { return p.status().Fingerprint == made })
}

// The certificate that the node makes for itself is kept, for itself alone.
func TestSelfMadeCertificate(t *testing.T) {
	ca := newAuthority(t, "Callers")
	p, _ := open(t, hello, ca)
	made := p.status().Fingerprint
	file := filepath.Join(p.dir, "state", "self-made.pem")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file of the certificate: %v, %v, want mode 0600", info, err)
	}
	if info, err := os.Stat(p.report); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("file about the gate: %v, %v, want mode 0644", info, err)
	}
	p.stop()
	same := func(o *remote.Options) { o.Dir = filepath.Join(p.dir, "state") }
	second, _ := open(t, hello, ca, same)
	if got := second.status().Fingerprint; got != made || len(made) != 64 {
		t.Errorf("fingerprint after a restart: %q, want %q, 64 digits", got, made)
	}
	second.stop()
	if err := os.WriteFile(file, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	third, at := open(t, hello, ca, same)
	if got := third.status().Fingerprint; got == made || got == "" {
		t.Errorf("fingerprint after the file was damaged: %q, want a new one", got)
	}
	if _, _, err := as(t, ca.admin(t)).get(at, "/"); err != nil {
		t.Errorf("GET / with the new certificate: %v", err)
	}
}

// Where the certificate cannot be kept the gate opens all the same.
func TestCertificateIsNotKept(t *testing.T) {
	ca := newAuthority(t, "Callers")
	p, at := open(t, hello, ca, func(o *remote.Options) { o.Dir = filepath.Join(os.Args[0], "state") })
	if _, _, err := as(t, ca.admin(t)).get(at, "/"); err != nil {
		t.Errorf("GET /: %v", err)
	}
	faults := p.Faults()
	if len(faults) != 1 || faults[0].Code != remote.CodeNotKept {
		t.Errorf("Faults() = %v, want one that the certificate is not kept", faults)
	}
}

// An address that another program has is reported, and listened at as soon as
// it is free. The others are not concerned.
func TestAddressInUse(t *testing.T) {
	ca := newAuthority(t, "Callers")
	p, good := open(t, hello, ca)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := netip.MustParseAddrPort(l.Addr().String())
	p.Configure(remote.Config{Listen: []netip.AddrPort{good, taken}, Authorities: []*x509.Certificate{ca.cert}, Roles: everyRole})
	within(t, "a fault", func() bool { return len(p.Faults()) == 1 })
	f := p.Faults()[0]
	want := fmt.Sprintf("settings.api.remote.listen: the API cannot be reached at %s: bind: address already in use; it is tried again (give the node this address, end what uses the port, or listen elsewhere)", taken)
	if diff := cmp.Diff(want, f.String()); diff != "" || f.Code != remote.CodeListen {
		t.Errorf("fault %s (-want +got):\n%s", f.Code, diff)
	}
	if _, _, err := as(t, ca.admin(t)).get(good, "/"); err != nil {
		t.Errorf("GET / at the other address: %v", err)
	}
	l.Close()
	within(t, "the address", func() bool { _, _, err := as(t, ca.admin(t)).get(taken, "/"); return err == nil })
	if faults := p.Faults(); len(faults) != 0 {
		t.Errorf("Faults() = %v, want none", faults)
	}
}

// A request that moves or closes the place it came by is answered first, and
// its connection is then closed.
func TestAnswerComesFirst(t *testing.T) {
	for name, moved := range map[string]bool{"moved": true, "closed": false} {
		t.Run(name, func(t *testing.T) {
			ca := newAuthority(t, "Callers")
			h := newHeld()
			p, at := open(t, h, ca)
			c := as(t, ca.admin(t))
			under := c.begin(at, "/held")
			<-h.begun
			next := freePort(t)
			var config remote.Config
			if moved {
				config = remote.Config{Listen: []netip.AddrPort{next}, Authorities: []*x509.Certificate{ca.cert}, Roles: everyRole}
			}
			p.Configure(config)
			p.awaitListening(config.Listen...)
			if _, err := net.Dial("tcp", at.String()); err == nil {
				t.Error("the old address still takes connections")
			}
			close(h.finish)
			if a := <-under; a.err != nil || !strings.HasSuffix(a.body, "admin") {
				t.Errorf("answer to the request under way: %q, %v", a.body, a.err)
			}
			if _, _, err := c.get(at, "/"); err == nil {
				t.Error("the old connection still takes requests")
			}
			if !moved {
				return
			}
			if _, _, err := c.get(next, "/"); err != nil {
				t.Errorf("GET / at the new address: %v", err)
			}
		})
	}
}

// Streams end when their connection is to end.
func TestStreamsEnd(t *testing.T) {
	ca := newAuthority(t, "Callers")
	begun := make(chan struct{})
	p, at := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-remote.CallerFrom(r.Context()).Closing()
		fmt.Fprint(w, "end")
	}), ca)
	under := as(t, ca.admin(t)).begin(at, "/")
	<-begun
	p.Configure(remote.Config{})
	if a := <-under; a.err != nil || a.body != "end" {
		t.Errorf("stream while its address is given up: %q, %v, want its end", a.body, a.err)
	}
	within(t, "end of the file about the gate", func() bool { return p.status().Fingerprint == "" })
}

// A certificate that makes too many requests, and an address with too many
// connections, are kept from taking the node up.
func TestLimits(t *testing.T) {
	ca := newAuthority(t, "Callers")
	hour := func() time.Time { return time.Now().Truncate(time.Hour) } // nothing is given back
	t.Run("requests", func(t *testing.T) {
		_, at := open(t, hello, ca, func(o *remote.Options) { o.Limits.Requests = 2; o.Now = hour })
		greedy, other := as(t, ca.admin(t)), as(t, ca.issue(t, "bob", []string{"bulkhead:reader"}))
		for i := range 10 {
			if status, _, err := greedy.get(at, "/"); status != 200 {
				t.Fatalf("request %d: %d, %v, want 200", i+1, status, err)
			}
		}
		res, err := greedy.Get("https://" + at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != 429 || res.Header.Get("Retry-After") != "1" || !strings.Contains(string(body), "CN=alice,O=bulkhead:admin makes more than 2 requests a second") {
			t.Errorf("request 11: %d %v %s, %v, want 429", res.StatusCode, res.Header, body, err)
		}
		if status, _, err := other.get(at, "/"); status != 200 {
			t.Errorf("request of another: %d, %v, want 200", status, err)
		}
	})
	t.Run("new connections", func(t *testing.T) {
		_, at := open(t, hello, ca, func(o *remote.Options) { o.Limits.Handshakes = 1; o.Now = hour })
		cert := ca.admin(t)
		for i := range 5 {
			if _, _, err := as(t, cert).get(at, "/"); err != nil {
				t.Fatalf("connection %d: %v", i+1, err)
			}
		}
		if _, _, err := as(t, cert).get(at, "/"); err == nil {
			t.Error("connection 6 is let in, want it refused")
		}
	})
	for name, limits := range map[string]remote.Limits{"connections": {Connections: 2}, "connections of an address": {PerAddress: 2}} {
		t.Run(name, func(t *testing.T) {
			_, at := open(t, hello, ca, func(o *remote.Options) { o.Limits = limits })
			idle := make([]net.Conn, 2)
			for i := range idle { // that say nothing
				c, err := net.Dial("tcp", at.String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				idle[i] = c
			}
			c := as(t, ca.admin(t))
			if _, _, err := c.get(at, "/"); err == nil {
				t.Error("a third connection is let in, want it refused")
			}
			idle[0].Close()
			within(t, "room for another", func() bool { _, _, err := c.get(at, "/"); return err == nil })
		})
	}
}

// dialFrom connects to at from an address of this computer's own.
func dialFrom(t *testing.T, from string, at netip.AddrPort) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A few hosts that take all places and keep them do not shut out another, and do
// not break off what is under way.
func TestRoomForOthers(t *testing.T) {
	ca := newAuthority(t, "Callers")
	_, at := open(t, hello, ca, func(o *remote.Options) { o.Times.Header = 10 * time.Minute }) // none ends by itself
	hosts := []string{"127.0.0.2", "127.0.0.3"}
	var silent []net.Conn
	for i := range 64 {
		silent = append(silent, dialFrom(t, hosts[i%2], at))
	}
	alice := as(t, ca.admin(t))
	for range 2 { // the second time over the same connection
		if _, _, err := alice.get(at, "/"); err != nil {
			t.Fatalf("GET / while two hosts hold 64 connections: %v", err)
		}
	}
	// One of them has made room, no more, and it is the oldest of its host.
	ended := make(chan int, len(silent))
	for i, c := range silent[:4] {
		go func() {
			_, _ = c.Read(make([]byte, 1))
			ended <- i
		}()
	}
	if i := <-ended; i > 1 {
		t.Errorf("connection %d has made room, want the oldest of one of the hosts", i)
	}
	select {
	case i := <-ended:
		t.Errorf("connection %d has made room, too", i)
	default:
	}
}

// Whoever has a request under way is not sent away for another.
func TestRoomIsNotTakenFromTheBusy(t *testing.T) {
	ca := newAuthority(t, "Callers")
	h := newHeld()
	_, at := open(t, h, ca, func(o *remote.Options) { o.Limits.Connections = 2 })
	busy := as(t, ca.admin(t))
	answers := make(chan answer, 2)
	for range 2 {
		under := busy.begin(at, "/held")
		<-h.begun
		go func() { answers <- <-under }()
	}
	other := dialFrom(t, "127.0.0.2", at)
	if err := other.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a third connection is let in, want it refused")
	}
	close(h.finish)
	for range 2 {
		if a := <-answers; a.err != nil {
			t.Errorf("request under way while another wants a place: %v", a.err)
		}
	}
}

// Who says nothing is dropped.
func TestSilentCaller(t *testing.T) {
	ca := newAuthority(t, "Callers")
	_, at := open(t, hello, ca, func(o *remote.Options) { o.Times.Header = 50 * time.Millisecond })
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadByte(); err != io.EOF {
		t.Errorf("a connection without a handshake: %v, want its end", err)
	}
}

// Requests under way are finished at the end, but not waited for for ever.
func TestEnd(t *testing.T) {
	ca := newAuthority(t, "Callers")
	for name, finishes := range map[string]bool{"finished": true, "cut off": false} {
		t.Run(name, func(t *testing.T) {
			h := newHeld()
			p, at := open(t, h, ca, func(o *remote.Options) {
				if !finishes {
					o.Stop = 50 * time.Millisecond
				}
			})
			under := as(t, ca.admin(t)).begin(at, "/held")
			<-h.begun
			stopped := make(chan struct{})
			go func() { p.stop(); close(stopped) }()
			within(t, "end of listening", func() bool {
				c, err := net.Dial("tcp", at.String())
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			if finishes {
				close(h.finish)
			}
			if a := <-under; (a.err == nil) != finishes {
				t.Errorf("request under way at the end: %q, %v, want an answer: %t", a.body, a.err, finishes)
			}
			<-stopped
			if !finishes {
				close(h.finish)
			}
		})
	}
}
