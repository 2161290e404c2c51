// Package kubepki makes the certificates and keys of a Kubernetes control plane.
//
// Three authorities and one key pair are the whole state of it: that of the
// cluster, that of requests which the API server passes on, that of etcd, and the
// keys that tokens of service accounts are signed with. All other certificates
// are made of them anew whenever a control plane starts, so that none of them is
// ever old.
package kubepki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 365 * 24 * time.Hour
	// backdated is how long before its making a certificate is valid: the clock of
	// a node may be behind.
	backdated = time.Hour
)

// Names of the authorities, and of the keys that sign tokens. Their files are
// NAME.crt and NAME.key, and sa.pub.
const (
	Cluster    = "ca"
	FrontProxy = "front-proxy-ca"
	Etcd       = "etcd-ca"
	Accounts   = "sa"
)

// A PKI is a directory with the authorities of a cluster.
type PKI struct {
	dir         string
	authorities map[string]pair
}

type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Open returns the PKI in dir. What is not there yet is made.
func Open(dir string, now time.Time) (*PKI, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &PKI{dir: dir, authorities: map[string]pair{}}
	for _, name := range []string{Cluster, FrontProxy, Etcd} {
		a, err := p.authority(name, now)
		if err != nil {
			return nil, fmt.Errorf("authority %s: %w", name, err)
		}
		p.authorities[name] = a
	}
	return p, p.accounts()
}

// Path returns the path of a file such as ca.crt.
func (p *PKI) Path(file string) string { return filepath.Join(p.dir, file) }

// Bundle returns the certificate of an authority as PEM.
func (p *PKI) Bundle(authority string) []byte { return encode(p.authorities[authority].cert) }

// authority reads an authority, or makes it. The certificate is written last: an
// authority without one was never used.
func (p *PKI) authority(name string, now time.Time) (pair, error) {
	cert, err := os.ReadFile(p.Path(name + ".crt"))
	if err == nil {
		key, err := os.ReadFile(p.Path(name + ".key"))
		if err != nil {
			return pair{}, err
		}
		return decode(cert, key)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return pair{}, err
	}
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "kubernetes-" + name}, NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLifetime),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	a, err := sign(template, key, pair{template, key})
	if err != nil {
		return pair{}, err
	}
	return a, p.write(name, a)
}

// accounts makes the keys that tokens are signed with, unless they are there.
func (p *PKI) accounts() error {
	_, err := os.Stat(p.Path(Accounts + ".pub"))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := renameio.WriteFile(p.Path(Accounts+".key"), private, 0o600); err != nil {
		return err
	}
	return renameio.WriteFile(p.Path(Accounts+".pub"), public, 0o644)
}

// A Leaf says what a certificate is for.
type Leaf struct {
	Authority string
	Name      string   // whom it names
	Groups    []string // of the API's users
	Server    bool     // it is shown to those who connect
	Client    bool     // it is shown to those who are connected to
	Addresses []string // names and IP addresses of a server
}

// Issue makes a certificate and returns it with its key, both as PEM.
func (p *PKI) Issue(l Leaf, now time.Time) (cert, key []byte, err error) {
	made, err := p.issue(l, now)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(made.key)
	return encode(made.cert), key, err
}

// IssueFile makes a certificate and puts it into FILE.crt and FILE.key, in place
// of those that are there.
func (p *PKI) IssueFile(file string, l Leaf, now time.Time) error {
	made, err := p.issue(l, now)
	if err != nil {
		return err
	}
	return p.write(file, made)
}

func (p *PKI) issue(l Leaf, now time.Time) (pair, error) {
	signer, ok := p.authorities[l.Authority]
	if !ok {
		return pair{}, fmt.Errorf("certificate of %s: there is no authority %q", l.Name, l.Authority)
	}
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: l.Name, Organization: l.Groups},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(leafLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if template.NotAfter.After(signer.cert.NotAfter) {
		template.NotAfter = signer.cert.NotAfter
	}
	if l.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if l.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	for _, a := range l.Addresses {
		if ip := net.ParseIP(a); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, a)
		}
	}
	return sign(template, key, signer)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func sign(template *x509.Certificate, key *ecdsa.PrivateKey, signer pair) (pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	return pair{cert, key}, err
}

func (p *PKI) write(file string, made pair) error {
	key, err := encodeKey(made.key)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(p.Path(file+".key"), key, 0o600); err != nil {
		return err
	}
	return renameio.WriteFile(p.Path(file+".crt"), encode(made.cert), 0o644)
}

func encode(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func decode(cert, key []byte) (pair, error) {
	certBlock, _ := pem.Decode(cert)
	keyBlock, _ := pem.Decode(key)
	if certBlock == nil || keyBlock == nil {
		return pair{}, errors.New("its files hold no PEM")
	}
	c, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return pair{}, err
	}
	k, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return pair{}, err
	}
	private, ok := k.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(c.PublicKey) {
		return pair{}, errors.New("its key does not belong to its certificate")
	}
	return pair{c, private}, nil
}
