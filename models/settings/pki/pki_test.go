package pki_test

import (
	"bytes"
	"crypto/ed25519"
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
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/pki"
)

func TestParseCertificates(t *testing.T) {
	cert, key := certificate(t), block(t, "PRIVATE KEY", []byte("key"))
	der, _ := pem.Decode(cert)
	valuetest.Texts(t, pki.ParseCertificates, []valuetest.Text{
		{Name: "empty", In: ""},
		{Name: "white space", In: " \t\r\n\u00a0"},
		{Name: "one", In: encode(cert)},
		{Name: "two with text between", In: encode(cert, []byte("# the second\n"), cert)},
		{Name: "no final line feed", In: encode(bytes.TrimSpace(cert))},
		{Name: "not base64", In: "-----BEGIN", Want: "certificates: base64 text of 10 bytes: byte 1 is not of the standard alphabet"},
		{Name: "line break in the base64", In: encode(cert) + "\n", Want: "certificates: " + breakFault(encode(cert))},
		{Name: "DER", In: encode(der.Bytes), Want: "certificates: the decoded text holds no PEM block"},
		{Name: "prose", In: encode([]byte("hello")), Want: "certificates: the decoded text holds no PEM block"},
		{Name: "key", In: encode(key), Want: `certificates: PEM block 1 ("PRIVATE KEY") is not a certificate`},
		{Name: "key after a certificate", In: encode(cert, key), Want: `certificates: PEM block 2 ("PRIVATE KEY") is not a certificate`},
		{Name: "no certificate in a CERTIFICATE", In: encode(block(t, "CERTIFICATE", []byte("x"))), Want: `certificates: PEM block 1 ("CERTIFICATE") is not a certificate`},
		{Name: "cut off", In: encode(cert, cert[:len(cert)/2]), Want: "certificates: 1 of 2 PEM blocks are damaged or cut off"},
		{Name: "cut off, then whole", In: encode(cert[:len(cert)/2], []byte("\n"), cert), Want: "certificates: 1 of 2 PEM blocks are damaged or cut off"},
	})
}

func TestCertificatesDecoded(t *testing.T) {
	two := valuetest.Parse[pki.Certificates](t, encode(certificate(t), certificate(t)))
	if got := two.Decoded(); len(got) != 2 || got[0].Subject.CommonName != "Test" {
		t.Errorf("Decoded of two certificates = %v", got)
	}
	none := valuetest.Parse[pki.Certificates](t, " ")
	if got := none.Decoded(); got != nil || !none.IsEmpty() {
		t.Errorf("Decoded of white space = %v, IsEmpty = %t, want none, true", got, none.IsEmpty())
	}
}

func TestCheck(t *testing.T) {
	name := *valuetest.Parse[scalar.Identifier](t, "corporate")
	cert := valuetest.Parse[pki.Certificates](t, encode(certificate(t)))
	none := valuetest.Parse[pki.Certificates](t, "")
	tests := []struct {
		name string
		in   pki.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "trusted", in: pki.Settings{name: {Data: cert, Trusted: new(true)}}},
		{name: "distrusted", in: pki.Settings{name: {Data: cert, Trusted: new(false)}}},
		{name: "disabled", in: pki.Settings{name: {Data: none}}},
		{
			name: "no data", in: pki.Settings{name: {Trusted: new(true)}},
			want: []string{"warning: settings.pki.corporate.data: the bundle has no data, so it has no effect (set data to certificates, or remove the bundle)"},
		},
		{
			name: "neither trusted nor not", in: pki.Settings{name: {Data: cert}},
			want: []string{"warning: settings.pki.corporate.trusted: data holds certificates and trusted is not set, which means false: they are taken out of the trust store (set trusted to true or false)"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "pki")); diff != "" {
				t.Errorf("faults of pki (-want +got):\n%s", diff)
			}
		})
	}
}

// What is accepted decodes, as often as it is asked for.
func FuzzCertificates(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(" "))
	f.Add([]byte("-----BEGIN X-----\n\n-----BEGIN Y-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []string{string(data), encode(data)} {
			if v, err := pki.ParseCertificates(s); err == nil {
				valuetest.PrintsAs(t, v, s)
				if v.IsEmpty() != (len(v.Decoded()) == 0) {
					t.Errorf("IsEmpty of %q = %t, with %d certificates", s, v.IsEmpty(), len(v.Decoded()))
				}
			}
		}
	})
}

// certificate returns a certificate as PEM.
func certificate(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test"}, NotAfter: time.Unix(0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return block(t, "CERTIFICATE", der)
}

func block(t *testing.T, kind string, data []byte) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
}

func encode(parts ...[]byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Join(parts, nil))
}

// breakFault is the fault of s with a line break behind it.
func breakFault(s string) string {
	_, err := scalar.ParseBase64(s + "\n")
	return err.Error()
}
