package apply

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// A remote is what the API over the network needs, and other forms of it, for
// settings that are accepted only when they fit together.
type remote struct {
	clientCA, certificate, key string // in base64 around PEM
	others                     []string
}

func newRemote(t *testing.T) remote {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	sec1, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	certificate, authority := certify(t, key, false), certify(t, key, true)
	return remote{
		clientCA: base64.StdEncoding.EncodeToString(authority), certificate: base64.StdEncoding.EncodeToString(certificate),
		key: encodeKey("PRIVATE KEY", pkcs8),
		others: []string{
			encodeKey("EC PRIVATE KEY", sec1),
			base64.StdEncoding.EncodeToString(append(certificate, authority...)),
			base64.StdEncoding.EncodeToString(certify(t, key, true)),
		},
	}
}

// certify makes a certificate of key in PEM.
func certify(t *testing.T, key *ecdsa.PrivateKey, authority bool) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node.example.org"}, NotAfter: time.Now().AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: authority,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "node.example.org"}}, &key.PublicKey, key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(kind string, der []byte) string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// settings returns the pairs that set the API over the network.
func (r remote) settings() []string {
	const group = "api.remote."
	return []string{group + "client-ca=" + r.clientCA, group + "server-certificate=" + r.certificate, group + "server-key=" + r.key}
}
