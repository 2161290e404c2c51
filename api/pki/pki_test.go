package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/api/pki"
)

var day = 24 * time.Hour

func clock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func create(t *testing.T) (*pki.Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pki")
	a, err := pki.Create(dir, "lab", false, clock)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return a, dir
}

func issue(t *testing.T, a *pki.Authority, r pki.Request) pki.Certificate {
	t.Helper()
	c, err := a.Issue(r, false)
	if err != nil {
		t.Fatalf("Issue(%+v): %v", r, err)
	}
	return c
}

// load reads the file of a certificate as TLS does.
func load(t *testing.T, file string) tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verify checks c as a node does that trusts bundle.
func verify(t *testing.T, c tls.Certificate, bundle []byte, usage x509.ExtKeyUsage) error {
	t.Helper()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		t.Fatalf("there are no certificates in the bundle %q", bundle)
	}
	for _, der := range c.Certificate[1:] {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(cert)
	}
	_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: clock(), KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func TestIssue(t *testing.T) {
	a, dir := create(t)
	c := issue(t, a, pki.Request{Name: "anna", Role: pki.Admin, Lifetime: 30 * day})
	want := pki.Certificate{
		Name: "anna", Role: pki.Admin, File: filepath.Join(dir, "issued", "anna.pem"), Current: true,
		NotBefore: clock().Add(-day), NotAfter: clock().Add(30 * day), Issuer: a.Authorities()[0].Name,
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreFields(c, "Fingerprint")); diff != "" {
		t.Errorf("Issue (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(c.Issuer, "lab 2026-01-02 ") {
		t.Errorf("the authority is called %q, want lab, date and a random part", c.Issuer)
	}
	pair := load(t, c.File)
	if got := pki.Fingerprint(pair.Certificate[0]); got != c.Fingerprint || len(got) != 64 {
		t.Errorf("fingerprint %s, want %s", c.Fingerprint, got)
	}
	if diff := cmp.Diff([]string{"bulkhead:admin"}, pair.Leaf.Subject.Organization); diff != "" {
		t.Errorf("organization (-want +got):\n%s", diff)
	}
	if err := verify(t, pair, a.Bundle(), x509.ExtKeyUsageClientAuth); err != nil {
		t.Errorf("a node refuses the certificate: %v", err)
	}
	if verify(t, pair, a.Bundle(), x509.ExtKeyUsageServerAuth) == nil {
		t.Error("a caller's certificate is good for a server")
	}
	server := issue(t, a, pki.Request{Name: "node-1", Role: pki.Server, Addresses: []string{"node-1.example.org", "192.0.2.1", "2001:db8::1"}})
	sp := load(t, server.File)
	if err := verify(t, sp, a.Bundle(), x509.ExtKeyUsageServerAuth); err != nil {
		t.Errorf("a caller refuses the server's certificate: %v", err)
	}
	for _, host := range server.Addresses {
		if err := sp.Leaf.VerifyHostname(host); err != nil {
			t.Errorf("the server's certificate is not for %s: %v", host, err)
		}
	}
	if got := server.NotAfter.Sub(clock()); got != pki.DefaultLifetime {
		t.Errorf("lifetime %s, want %s", got, pki.DefaultLifetime)
	}
}

// Keys are for their owner alone.
func TestModes(t *testing.T) {
	a, dir := create(t)
	issue(t, a, pki.Request{Name: "anna", Role: pki.Reader})
	want := map[string]os.FileMode{".": 0o700, "authority.pem": 0o600, "ca.crt": 0o644, "issued": 0o700, "issued/anna.pem": 0o600, "lock": 0o600}
	got := map[string]os.FileMode{}
	for name := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = info.Mode().Perm()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	a, dir := create(t)
	tests := []struct {
		name string
		r    pki.Request
		want string
	}{
		{"no name", pki.Request{Role: pki.Admin}, `name "": want 1 to 64 letters, digits, '.', '_', '-' and '@', the first a letter or digit`},
		{"a path", pki.Request{Name: "../x", Role: pki.Admin}, `name "../x": want 1 to 64 letters, digits, '.', '_', '-' and '@', the first a letter or digit`},
		{"no role", pki.Request{Name: "x"}, `role "": want admin, operator, reader or server`},
		{"server without address", pki.Request{Name: "x", Role: pki.Server}, "certificate of x: a server needs the addresses that it is reached at"},
		{"caller with address", pki.Request{Name: "x", Role: pki.Admin, Addresses: []string{"a"}}, "certificate of x: only a server has addresses"},
		{"address with port", pki.Request{Name: "x", Role: pki.Server, Addresses: []string{"a:1"}}, `address "a:1": want a host name or an IP address, without a port`},
		{"in the past", pki.Request{Name: "x", Role: pki.Admin, Lifetime: -day}, "certificate of x: lifetime -24h0m0s: want at least an hour"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := a.Issue(tt.r, true); err == nil || err.Error() != tt.want {
				t.Errorf("Issue(%+v): error %v, want %s", tt.r, err, tt.want)
			}
		})
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "issued")); err == nil {
		t.Errorf("refused requests left %v", entries)
	}
	if _, err := pki.Create(filepath.Join(dir, "b"), "a b", false, clock); err == nil {
		t.Error(`Create with the name "a b": no error, want one`)
	}
}

// Nothing that is there is replaced unless it is asked for.
func TestExists(t *testing.T) {
	a, dir := create(t)
	c := issue(t, a, pki.Request{Name: "anna", Role: pki.Admin})
	_, err := a.Issue(pki.Request{Name: "anna", Role: pki.Reader}, false)
	if e, ok := errors.AsType[*pki.Exists](err); !ok || e.Path != c.File {
		t.Errorf("Issue of a name that is there: error %v, want an Exists for %s", err, c.File)
	}
	again, err := a.Issue(pki.Request{Name: "anna", Role: pki.Reader}, true)
	if err != nil || again.Role != pki.Reader || again.Fingerprint == c.Fingerprint {
		t.Errorf("Issue with force: %+v, %v, want another certificate for a reader", again, err)
	}
	_, err = pki.Create(dir, "lab", false, clock)
	if e, ok := errors.AsType[*pki.Exists](err); !ok || e.Path != filepath.Join(dir, "authority.pem") {
		t.Errorf("Create where one is: error %v, want an Exists", err)
	}
	old := a.Bundle()
	b, err := pki.Create(dir, "lab", true, clock)
	if err != nil {
		t.Fatal(err)
	}
	pair := load(t, c.File)
	if err := verify(t, pair, b.Bundle(), x509.ExtKeyUsageClientAuth); err != nil {
		t.Errorf("after a new beginning the certificate is refused: %v", err)
	}
	if verify(t, pair, old, x509.ExtKeyUsageClientAuth) == nil {
		t.Error("after a new beginning the certificate is good for the forgotten authority")
	}
}

// From one authority to the next, every certificate is good for a node that
// knows either, and afterwards only for one that knows the newer.
func TestRotate(t *testing.T) {
	a, dir := create(t)
	c := issue(t, a, pki.Request{Name: "anna", Role: pki.Operator, Lifetime: 30 * day})
	s := issue(t, a, pki.Request{Name: "node", Role: pki.Server, Addresses: []string{"node", "192.0.2.1"}})
	before, was := a.Bundle(), load(t, c.File)
	for range 2 {
		if err := a.Rotate(); err != nil {
			t.Fatalf("Rotate: %v", err)
		}
	}
	between := a.Bundle()
	if got := strings.Count(string(between), "BEGIN CERTIFICATE"); got != 3 {
		t.Errorf("the bundle has %d certificates, want 3", got)
	}
	if onDisk, err := os.ReadFile(a.BundleFile()); err != nil || string(onDisk) != string(between) {
		t.Errorf("%s holds %q, %v, want the bundle", a.BundleFile(), onDisk, err)
	}
	now := load(t, c.File)
	for name, bundle := range map[string][]byte{"the old bundle": before, "the new bundle": between} {
		for who, pair := range map[string]tls.Certificate{"the old certificate": was, "the new certificate": now} {
			if err := verify(t, pair, bundle, x509.ExtKeyUsageClientAuth); err != nil {
				t.Errorf("%s is refused by who knows %s: %v", who, name, err)
			}
		}
	}
	n, err := a.Retire()
	if err != nil || n != 2 {
		t.Errorf("Retire = %d, %v, want 2", n, err)
	}
	if err := verify(t, load(t, c.File), a.Bundle(), x509.ExtKeyUsageClientAuth); err != nil {
		t.Errorf("after Retire the new certificate is refused: %v", err)
	}
	if verify(t, was, a.Bundle(), x509.ExtKeyUsageClientAuth) == nil {
		t.Error("after Retire the old certificate is not refused")
	}
	if verify(t, load(t, c.File), before, x509.ExtKeyUsageClientAuth) == nil {
		t.Error("after Retire the certificate carries an old signature")
	}
	b, err := pki.Open(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Issued()
	if err != nil {
		t.Fatal(err)
	}
	want := []pki.Certificate{c, s} // the same but for who signed
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(c, "Fingerprint", "Issuer")); diff != "" {
		t.Errorf("Issued after Rotate (-want +got):\n%s", diff)
	}
}

// A rotation that is cut off after its point of commitment is completed by the
// next change.
func TestRotateCutOff(t *testing.T) {
	a, dir := create(t)
	c := issue(t, a, pki.Request{Name: "anna", Role: pki.Admin})
	stale := map[string][]byte{}
	for _, name := range []string{"issued/anna.pem", "ca.crt"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		stale[name] = data
	}
	if err := a.Rotate(); err != nil {
		t.Fatal(err)
	}
	for name, data := range stale {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := pki.Open(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Issued(); err != nil || got[0].Current {
		t.Errorf("Issued = %+v, %v, want a certificate that is not current", got, err)
	}
	issue(t, b, pki.Request{Name: "bert", Role: pki.Reader})
	got, err := b.Issued()
	if err != nil || !got[0].Current || got[0].Fingerprint == c.Fingerprint {
		t.Errorf("Issued = %+v, %v, want a current certificate of anna", got, err)
	}
	if onDisk, err := os.ReadFile(b.BundleFile()); err != nil || string(onDisk) != string(b.Bundle()) {
		t.Errorf("the bundle on the disk is not the current one: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	a, dir := create(t)
	c := issue(t, a, pki.Request{Name: "anna", Role: pki.Admin})
	good, err := os.ReadFile(filepath.Join(dir, "authority.pem"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(c.File)
	if err != nil {
		t.Fatal(err)
	}
	key := good[strings.Index(string(good), "-----BEGIN PRIVATE"):]
	tests := []struct{ name, text, want string }{
		{"empty", "", "holds no certificate"},
		{"no key", string(good[:len(good)-len(key)]), "holds no key"},
		{"another key", string(other[:strings.Index(string(other), "-----BEGIN PRIVATE")]) + string(key), "the key is not that of the first certificate"},
		{"no authority", string(other), "the first certificate is not one of an authority that was made by this program"},
		{"two keys", string(good) + string(key), "holds a key of type *ecdsa.PrivateKey, want one ECDSA key"},
		{"other block", "-----BEGIN X-----\n-----END X-----\n", `holds a block "X", want certificates and a key`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, "authority.pem")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := pki.Open(dir, clock); err == nil || err.Error() != path+": "+tt.want {
				t.Errorf("Open: error %v, want %s: %s", err, path, tt.want)
			}
		})
	}
	if _, err := pki.Open(t.TempDir(), clock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of an empty directory: error %v, want one that nothing is there", err)
	}
}
