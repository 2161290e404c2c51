package remote_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/models/settings/api"
)

// An authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns a certificate for a caller with the given organizations; each
// of change may change it first.
func (a authority) issue(t *testing.T, name string, organizations []string, change ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name, Organization: organizations},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 6, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a authority) admin(t *testing.T) tls.Certificate {
	t.Helper()
	return a.issue(t, "alice", []string{"bulkhead:admin"})
}

// A logBuffer is a log that a test reads while the gate writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A place is a gate that runs.
type place struct {
	*remote.Gate
	t      *testing.T
	dir    string
	report string
	log    *logBuffer
	stop   func()
}

var everyRole = []api.Role{api.Admin, api.Operator, api.Reader}

// hello tells who the caller is.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	c := remote.CallerFrom(r.Context())
	fmt.Fprintf(w, "%s %s", c.Name, c.Role)
})

// run starts a gate; each of change may change how.
func run(t *testing.T, h http.Handler, change ...func(*remote.Options)) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), log: new(logBuffer)}
	p.report = filepath.Join(p.dir, "remote.json")
	opt := remote.Options{
		Handler: h, Dir: filepath.Join(p.dir, "state"), Report: p.report, Log: slog.New(slog.NewTextHandler(p.log, nil)),
		Times: remote.Times{Header: 10 * time.Second, Read: 10 * time.Second, Write: 10 * time.Second, Idle: time.Minute},
	}
	for _, f := range change {
		f(&opt)
	}
	p.Gate = remote.New(opt)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	p.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("log of the gate:\n%s", p.log)
		}
	})
	return p
}

// open starts a gate that listens for callers of ca, and returns the address.
func open(t *testing.T, h http.Handler, ca authority, change ...func(*remote.Options)) (*place, netip.AddrPort) {
	t.Helper()
	p := run(t, h, change...)
	at := freePort(t)
	p.Configure(remote.Config{Listen: []netip.AddrPort{at}, Authorities: []*x509.Certificate{ca.cert}, Roles: everyRole})
	p.awaitListening(at)
	return p, at
}

// freePort returns an address that nobody listens at.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func (p *place) status() (s remote.Status) {
	data, err := os.ReadFile(p.report)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return remote.Status{}
	}
	return s
}

// awaitListening waits until the gate listens at exactly these addresses.
func (p *place) awaitListening(at ...netip.AddrPort) {
	p.t.Helper()
	within(p.t, fmt.Sprintf("listening at %v", at), func() bool {
		got := p.status().Listen
		if len(got) != len(at) {
			return false
		}
		for i := range at {
			if got[i] != at[i].String() {
				return false
			}
		}
		return true
	})
}

// A caller makes requests.
type caller struct{ http.Client }

// as returns a caller who shows certs, and takes whatever the node shows.
func as(t *testing.T, certs ...tls.Certificate) *caller {
	t.Helper()
	c := &caller{}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(certs) == 0 {
				return new(tls.Certificate), nil
			}
			return &certs[0], nil // also when it is not what the node asks for
		},
	}}
	c.Client = http.Client{Transport: transport, Timeout: 60 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// get makes a request and returns status and body.
func (c *caller) get(at netip.AddrPort, path string) (int, string, error) {
	res, err := c.Get("https://" + at.String() + path)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

// within polls until ok, for at most ten seconds.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}
