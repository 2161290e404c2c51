package api

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/pki"
)

func TestParseListenAddress(t *testing.T) {
	valuetest.Texts(t, ParseListenAddress, []valuetest.Text{
		{Name: "all", In: "[::]:8443"},
		{Name: "IPv4", In: "192.0.2.1:1024"},
		{Name: "IPv6", In: "[2001:db8::1]:65535"},
		{Name: "no address", In: ":8443", Want: `listen address ":8443" has no address before the port`},
		{Name: "name", In: "localhost:8443", Want: `listen address "localhost:8443" is not an IP address with a port`},
		{Name: "no port", In: "192.0.2.1", Want: `listen address "192.0.2.1" is not an IP address with a port`},
		{Name: "port of root", In: "192.0.2.1:443", Want: `listen address "192.0.2.1:443" has port 443, which only root may listen at`},
		{Name: "port beyond all", In: "192.0.2.1:65536", Want: `listen address "192.0.2.1:65536" is not an IP address with a port`},
		{Name: "zone", In: "[fe80::1%eth0]:8443", Want: `listen address "[fe80::1%eth0]:8443" has a zone`},
		{Name: "IPv4 in IPv6", In: "[::ffff:192.0.2.1]:8443", Want: `listen address "[::ffff:192.0.2.1]:8443" has an IPv4 address in the form of IPv6`},
		{Name: "empty", In: "", Want: `listen address "" is not an IP address with a port`},
	})
}

func FuzzListenAddress(f *testing.F) {
	for _, s := range []string{"[::]:8443", "1.2.3.4:5", "[fe80::1%a]:9000", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseListenAddress(s); err == nil {
			valuetest.PrintsAs(t, v, s)
		}
	})
}

// A pair is a certificate with its key.
type pair struct {
	cert []byte // PEM
	key  crypto.Signer
}

func makePair(t *testing.T, name string, authority bool, end time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: end,
		IsCA: authority, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key}
}

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestParsePrivateKey(t *testing.T) {
	p := makePair(t, "x", false, time.Unix(0, 0))
	ec, err := x509.MarshalECPrivateKey(p.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
	}
	valuetest.Texts(t, ParsePrivateKey, []valuetest.Text{
		{Name: "none", In: ""},
		{Name: "PKCS #8", In: encode(pkcs8(t, p.key))},
		{Name: "Ed25519", In: encode(pkcs8(t, edwards))},
		{Name: "SEC 1 behind parameters", In: encode(append(block("EC PARAMETERS", []byte{6, 1, 1}), block("EC PRIVATE KEY", ec)...))},
		{Name: "not base64", In: "-----BEGIN", Want: "private key: base64 text of 10 bytes: byte 1 is not of the standard alphabet"},
		{Name: "certificate", In: encode(p.cert), Want: "private key: the decoded text holds no private key in PEM"},
		{Name: "damaged", In: encode(block("PRIVATE KEY", []byte("x"))), Want: "private key: the PEM block does not hold an ECDSA, Ed25519 or RSA key"},
		{Name: "protected", In: encode(block("ENCRYPTED PRIVATE KEY", []byte("x"))), Want: "private key: it is protected by a passphrase, which nobody could enter"},
	})
}

func TestCheck(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	later := now.AddDate(1, 0, 0)
	ca, node := makePair(t, "Root", true, later), makePair(t, "node", false, later)
	stranger := makePair(t, "other", false, later)
	certs := func(c []byte) *pki.Certificates { return valuetest.Parse[pki.Certificates](t, encode(c)) }
	key := func(p pair) *scalar.Secret[PrivateKey] {
		s := scalar.NewSecret(*valuetest.Parse[PrivateKey](t, encode(pkcs8(t, p.key))))
		return &s
	}
	listen := func(addresses ...string) *[]ListenAddress {
		out := []ListenAddress{}
		for _, a := range addresses {
			out = append(out, *valuetest.Parse[ListenAddress](t, a))
		}
		return &out
	}
	yes := new(true)
	all := listen("[::]:8443")
	tests := []struct {
		name string
		in   Remote
		want []string
	}{
		{name: "nothing"},
		{name: "complete", in: Remote{Enabled: yes, Listen: all, ClientCA: certs(ca.cert), ServerCertificate: certs(node.cert), ServerKey: key(node)}},
		{
			name: "nobody can come", in: Remote{Enabled: yes, ClientCA: certs(ca.cert), AllowedRoles: &[]Role{}},
			want: []string{
				`settings.api.remote.listen: enabled is true and listen names no address (set listen, for example to ["[::]:8443"])`,
				"warning: settings.api.remote.allowed-roles: allowed-roles names no role, so nobody is let in (name at least one role)",
			},
		},
		{
			name: "no authority", in: Remote{Enabled: yes, Listen: all, ClientCA: valuetest.Parse[pki.Certificates](t, "")},
			want: []string{"settings.api.remote.client-ca: enabled is true and client-ca is not set, so nobody could prove who he is (set client-ca to the certificate of an authority, as apiclient pki init makes one)"},
		},
		{
			name: "certificate that is no authority", in: Remote{ClientCA: certs(node.cert)},
			want: []string{`settings.api.remote.client-ca: the certificate of "CN=node" is not that of an authority (give the certificate of the authority that callers' certificates come from)`},
		},
		{
			name: "certificate alone", in: Remote{ServerCertificate: certs(node.cert)},
			want: []string{"settings.api.remote.server-key: server-certificate is set and server-key is not (set both or neither)"},
		},
		{
			name: "key alone", in: Remote{ServerKey: key(node)},
			want: []string{"settings.api.remote.server-certificate: server-key is set and server-certificate is not (set both or neither)"},
		},
		{
			name: "key of another", in: Remote{ServerCertificate: certs(node.cert), ServerKey: key(stranger)},
			want: []string{`settings.api.remote.server-key: server-key is not the key of the first certificate of server-certificate, that of "CN=node" (give the key that the certificate was made for, and the node's own certificate first)`},
		},
		{
			name: "ended and ending", in: Remote{ClientCA: certs(append(makePair(t, "old", true, now.AddDate(0, 0, -1)).cert, makePair(t, "soon", true, now.AddDate(0, 0, 29)).cert...))},
			want: []string{
				`warning: settings.api.remote.client-ca: the certificate of "CN=old" has ended on 2025-12-31 (replace it)`,
				`warning: settings.api.remote.client-ca: the certificate of "CN=soon" ends on 2026-01-30 (replace it)`,
			},
		},
		{name: "two ports, two families", in: Remote{Listen: listen("[::]:8443", "0.0.0.0:8444", "[2001:db8::1]:8444")}},
		{
			name: "all of them and one", in: Remote{Listen: listen("192.0.2.1:8443", "[::]:8443")},
			want: []string{"settings.api.remote.listen: 192.0.2.1:8443 and [::]:8443 stand for the same port of the same address (keep one of the two)"},
		},
		{
			name: "all of IPv4 and one", in: Remote{Listen: listen("0.0.0.0:8443", "[2001:db8::1]:8443", "192.0.2.1:8443")},
			want: []string{"settings.api.remote.listen: 0.0.0.0:8443 and 192.0.2.1:8443 stand for the same port of the same address (keep one of the two)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Settings{Remote: &tt.in}
			check := func(p report.Place) { s.check(p, now) }
			if diff := cmp.Diff(tt.want, valuetest.Faults(check, "api")); diff != "" {
				t.Errorf("faults of api (-want +got):\n%s", diff)
			}
		})
	}
}
