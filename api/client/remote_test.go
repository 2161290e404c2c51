package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/pki"
)

// A keyring is an authority whose certificates are made at some time.
type keyring struct {
	*pki.Authority
	t *testing.T
}

func newKeyring(t *testing.T, made time.Time) keyring {
	t.Helper()
	a, err := pki.Create(filepath.Join(t.TempDir(), "pki"), "test", false, func() time.Time { return made })
	if err != nil {
		t.Fatal(err)
	}
	return keyring{a, t}
}

// issue returns a certificate with its key as PEM.
func (k keyring) issue(r pki.Request) []byte {
	k.t.Helper()
	c, err := k.Issue(r, true)
	if err != nil {
		k.t.Fatal(err)
	}
	return k.read(c)
}

func (k keyring) read(c pki.Certificate) []byte {
	k.t.Helper()
	data, err := os.ReadFile(c.File)
	if err != nil {
		k.t.Fatal(err)
	}
	return data
}

func (k keyring) admin() []byte { return k.issue(pki.Request{Name: "anna", Role: pki.Admin}) }

func (k keyring) server() []byte {
	return k.issue(pki.Request{Name: "node", Role: pki.Server, Addresses: []string{"127.0.0.1"}})
}

func pair(t *testing.T, text []byte) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(text, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fingerprintOf(t *testing.T, text []byte) string {
	t.Helper()
	return pki.Fingerprint(pair(t, text).Certificate[0])
}

// node serves handler at an address, showing shown and letting in those who
// have a certificate from bundle. It returns the endpoint.
func node(t *testing.T, shown, bundle []byte, handler http.HandlerFunc, change ...func(*tls.Config)) string {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair(t, shown)},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	}
	for _, f := range change {
		f(config)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, handler)
	return l.Addr().String()
}

func serveOn(t *testing.T, l net.Listener, handler http.HandlerFunc) {
	t.Helper()
	s := &http.Server{Handler: handler, ErrorLog: quiet}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) }) // ends with the server
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
}

var quiet = log.New(io.Discard, "", 0)

func healthy(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, `{"status":"ok","version":%q}`, r.TLS.PeerCertificates[0].Subject.CommonName)
}

func ask(t *testing.T, r client.Remote) (client.Health, error) {
	t.Helper()
	c := &client.Client{Remote: &r}
	return c.Health(t.Context())
}

func TestRemote(t *testing.T) {
	k := newKeyring(t, time.Now())
	server, admin := k.server(), k.admin()
	endpoint := node(t, server, k.Bundle(), healthy)
	print := fingerprintOf(t, server)
	block := strings.Index(string(admin), "-----BEGIN PRIVATE")
	tests := []struct {
		name string
		r    client.Remote
	}{
		{"by fingerprint", client.Remote{Fingerprint: print, Certificate: admin}},
		{"by fingerprint with colons", client.Remote{Fingerprint: "SHA256:" + strings.ToUpper(print[:2]+":"+print[2:]), Certificate: admin}},
		{"by authority", client.Remote{CA: k.Bundle(), Certificate: admin}},
		{"by both", client.Remote{CA: k.Bundle(), Fingerprint: print, Certificate: admin}},
		{"key apart", client.Remote{Fingerprint: print, Certificate: admin[:block], Key: admin[block:]}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Endpoint = endpoint
			if h, err := ask(t, tt.r); err != nil || h.Version != "anna" {
				t.Errorf("Health: %+v, %v, want one that names anna", h, err)
			}
		})
	}
}

// What keeps both sides apart is told by the type of the error, and by a text
// that names the endpoint.
func TestRemoteFaults(t *testing.T) {
	now := time.Now()
	k, other := newKeyring(t, now), newKeyring(t, now)
	past, future := newKeyring(t, now.AddDate(-2, 0, 0)), newKeyring(t, now.AddDate(0, 0, 2))
	server, admin := k.server(), k.admin()
	print := fingerprintOf(t, server)
	both := append(append(k.Bundle(), past.Bundle()...), future.Bundle()...)
	usual := node(t, server, both, healthy)
	silent := func(c *tls.Config) { // does not say whom it trusts
		roots := c.ClientCAs
		c.ClientAuth, c.ClientCAs = tls.RequireAnyClientCert, nil
		c.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
			cert, err := x509.ParseCertificate(raw[0])
			if err == nil {
				_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			}
			return err
		}
	}
	ahead := func(c *tls.Config) { c.Time = func() time.Time { return now.AddDate(10, 0, 0) } }
	old := func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }
	elsewhere := k.issue(pki.Request{Name: "far", Role: pki.Server, Addresses: []string{"192.0.2.1", "far.example.org"}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain := l.Addr().String()
	serveOn(t, l, healthy)

	untrusted, rejected, unreachable := new(*client.Untrusted), new(*client.Rejected), new(*client.Unreachable)
	tests := []struct {
		name string
		r    client.Remote
		as   any
		want string // "@" stands for the endpoint
	}{
		{
			"other fingerprint",
			client.Remote{Endpoint: usual, Fingerprint: strings.Repeat("ab", 32), Certificate: admin},
			untrusted,
			"@ shows another certificate than expected: its fingerprint is " + print + ", want " + strings.Repeat("ab", 32),
		},
		{"other authority", client.Remote{Endpoint: usual, CA: other.Bundle(), Certificate: admin}, untrusted, "the certificate of @ is not from the given CA"},
		{
			"right fingerprint, other authority",
			client.Remote{Endpoint: usual, CA: other.Bundle(), Fingerprint: print, Certificate: admin},
			untrusted, "the certificate of @ is not from the given CA",
		},
		{
			"other address",
			client.Remote{Endpoint: node(t, elsewhere, both, healthy), CA: k.Bundle(), Certificate: admin},
			untrusted, "the certificate of @ is not good: x509: certificate is valid for 192.0.2.1, not 127.0.0.1",
		},
		{
			"expired node",
			client.Remote{Endpoint: node(t, past.server(), both, healthy), CA: past.Bundle(), Certificate: admin},
			untrusted, "the certificate of @ is not good: x509: certificate has expired or is not yet valid",
		},
		{
			"expired caller",
			client.Remote{Endpoint: usual, Fingerprint: print, Certificate: past.admin()},
			rejected, "@ does not accept the certificate: it has expired on ",
		},
		{
			"early caller",
			client.Remote{Endpoint: usual, Fingerprint: print, Certificate: future.admin()},
			rejected, "@ does not accept the certificate: it is not valid before ",
		},
		{
			"unknown caller",
			client.Remote{Endpoint: usual, Fingerprint: print, Certificate: other.admin()},
			rejected, `@ does not accept the certificate: the node does not know the CA that issued it: it is from "test `,
		},
		{
			"unknown caller, told by the node",
			client.Remote{Endpoint: node(t, server, both, healthy, silent), Fingerprint: print, Certificate: other.admin()},
			rejected, "@ does not accept the certificate: bad certificate",
		},
		{
			"clock of the node ahead",
			client.Remote{Endpoint: node(t, server, both, healthy, ahead), Fingerprint: print, Certificate: admin},
			rejected, "@ does not accept the certificate: by the clock of the node it is not valid now",
		},
		{
			"a server as caller",
			client.Remote{Endpoint: usual, Fingerprint: print, Certificate: server},
			rejected, "@ does not accept the certificate: bad certificate",
		},
		{
			"older TLS",
			client.Remote{Endpoint: node(t, server, both, healthy, old), Fingerprint: print, Certificate: admin},
			rejected, "@ does not accept the certificate: protocol version not supported",
		},
		{"no TLS", client.Remote{Endpoint: plain, Fingerprint: print, Certificate: admin}, unreachable, "connect to @: what answers there does not speak TLS"},
		{"nobody", client.Remote{Endpoint: "127.0.0.1:1", Fingerprint: print, Certificate: admin}, unreachable, "connect to @: connection refused"},
		{"no trust", client.Remote{Endpoint: usual, Certificate: admin}, nil, "nothing says how to know @: want a fingerprint or a CA"},
		{"no certificate", client.Remote{Endpoint: usual, Fingerprint: print}, nil, "read the certificate to show to @: tls: failed to find any PEM data in certificate input"},
		{"empty authority", client.Remote{Endpoint: usual, CA: []byte("x"), Certificate: admin}, nil, "the CA for @ holds no certificate in PEM form"},
		{"no fingerprint", client.Remote{Endpoint: usual, Fingerprint: "x", Certificate: admin}, nil, `fingerprint "x": want the 64 hexadecimal digits of a SHA-256`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ask(t, tt.r)
			want := "read health: " + strings.ReplaceAll(tt.want, "@", tt.r.Endpoint)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("Health: error %v, want %s", err, want)
			}
			if tt.as != nil && !errors.As(err, tt.as) {
				t.Errorf("Health: error %v is no %T", err, tt.as)
			}
		})
	}
	_, err = ask(t, client.Remote{Endpoint: "127.0.0.1:1", Fingerprint: print, Certificate: admin})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Health where nobody listens: error %v, want one that is ECONNREFUSED", err)
	}
}

// A node that accepts connections and says nothing is given up.
func TestRemoteSilence(t *testing.T) {
	k := newKeyring(t, time.Now())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c := &client.Client{Remote: &client.Remote{Endpoint: l.Addr().String(), Fingerprint: strings.Repeat("0", 64), Certificate: k.admin()}}
	_, err = c.Health(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Health: error %v, want one that is DeadlineExceeded", err)
	}
}

// In a rotation, old and new certificates open nodes that know the old, the new
// or both authorities.
func TestRemoteRotation(t *testing.T) {
	k := newKeyring(t, time.Now())
	server := k.server()
	before, old := k.Bundle(), k.admin()
	if err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	issued, err := k.Issued()
	if err != nil {
		t.Fatal(err)
	}
	renewed := k.read(issued[0])
	for name, bundle := range map[string][]byte{"old": before, "both": k.Bundle()} {
		endpoint := node(t, server, bundle, healthy)
		for who, cert := range map[string][]byte{"old": old, "new": renewed} {
			if _, err := ask(t, client.Remote{Endpoint: endpoint, CA: before, Certificate: cert}); err != nil {
				t.Errorf("%s certificate at a node that knows %s: %v", who, name, err)
			}
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	tests := []struct{ in, want, fault string }{
		{in: "node.example.org:443", want: "node.example.org:443"},
		{in: "node", want: "node:8443"},
		{in: "192.0.2.1", want: "192.0.2.1:8443"},
		{in: "2001:db8::1", want: "[2001:db8::1]:8443"},
		{in: "[2001:db8::1]", want: "[2001:db8::1]:8443"},
		{in: "[2001:db8::1]:9", want: "[2001:db8::1]:9"},
		{in: "", fault: `endpoint "": want HOST:PORT, as node.example.org:8443 or [2001:db8::1]:8443`},
		{in: ":8443", fault: `endpoint ":8443": want HOST:PORT, as node.example.org:8443 or [2001:db8::1]:8443`},
		{in: "node:", fault: `endpoint "node:": port "": want 1 to 65535`},
		{in: "node:0", fault: `endpoint "node:0": port "0": want 1 to 65535`},
		{in: "node:http", fault: `endpoint "node:http": port "http": want 1 to 65535`},
		{in: "https://node:8443", fault: `endpoint "https://node:8443": want HOST:PORT`},
		{in: "a/b:1", fault: `endpoint "a/b:1": want HOST:PORT, as node.example.org:8443 or [2001:db8::1]:8443`},
	}
	for _, tt := range tests {
		got, err := client.ParseEndpoint(tt.in)
		if got != tt.want || text(err) != tt.fault {
			t.Errorf("ParseEndpoint(%q) = %q, %v, want %q, %s", tt.in, got, err, tt.want, tt.fault)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestBroken(t *testing.T) {
	want := errors.New("no")
	c := client.Broken(want)
	if _, err := c.Do(t.Context(), client.Request{URI: "/"}); !errors.Is(err, want) {
		t.Errorf("Do: error %v, want %v", err, want)
	}
	if _, err := c.Logs(t.Context(), client.LogsRequest{}, nil); !errors.Is(err, want) {
		t.Errorf("Logs: error %v, want %v", err, want)
	}
}

// A refusal from the network is told from one of the socket.
func TestRemoteProblem(t *testing.T) {
	k := newKeyring(t, time.Now())
	server := k.server()
	endpoint := node(t, server, k.Bundle(), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	})
	_, err := ask(t, client.Remote{Endpoint: endpoint, CA: k.Bundle(), Certificate: k.admin()})
	p, ok := errors.AsType[*client.Problem](err)
	if diff := cmp.Diff(endpoint, p.Endpoint); !ok || diff != "" {
		t.Errorf("Health: %v, endpoint (-want +got):\n%s", err, diff)
	}
}
