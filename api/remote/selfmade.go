package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// selfMadeFile holds the certificate of the gate's own making, and its key.
const selfMadeFile = "self-made.pem"

// A selfMade is a certificate of the gate's own making.
type selfMade struct {
	shown *tls.Certificate
	file  []byte // as it is kept; nil when it is not to be
	fault error  // why it is not kept
}

// loadSelfMade returns the certificate that is kept in dir, or makes one in the
// place of one that is not there or damaged.
func loadSelfMade(dir string) *selfMade {
	path := filepath.Join(dir, selfMadeFile)
	data, err := os.ReadFile(path)
	if err == nil {
		if kept, err := tls.X509KeyPair(data, data); err == nil {
			return &selfMade{shown: &kept}
		}
	}
	s := new(selfMade)
	s.shown, s.file = makeCertificate()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.file, s.fault = nil, err // the one that is there may be readable later
		return s
	}
	s.keep(dir)
	return s
}

// keep writes the certificate to the file in dir so that a power cut leaves all
// of it or nothing.
func (s *selfMade) keep(dir string) {
	if s.fault = os.MkdirAll(dir, 0o700); s.fault == nil {
		s.fault = replace(dir, selfMadeFile, s.file, 0o600)
	}
}

// The times of a certificate that nobody checks them of: callers know it by its
// fingerprint, and the clock of a node may be wrong when it is made.
var (
	selfMadeStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	selfMadeEnd   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// makeCertificate returns a new certificate, and as it is kept.
func makeCertificate() (*tls.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("remote: " + err.Error()) // the kernel always has random numbers
	}
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] &= 0x7f
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: "Bulkhead node"},
		NotBefore: selfMadeStart, NotAfter: selfMadeEnd,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic("remote: " + err.Error()) // the template is always the same
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic("remote: " + err.Error())
	}
	kept := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, kept
}

// replace gives the file called name in dir the contents data, for good.
func replace(dir, name string, data []byte, mode fs.FileMode) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := renameio.WriteFile(name, data, mode, renameio.WithRoot(root), renameio.IgnoreUmask()); err != nil {
		return err
	}
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
