package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	// backdated is how long before its making a certificate is valid: the
	// clock of a node may be behind before it has asked a time server.
	backdated = 24 * time.Hour
)

// RolePrefix stands before the role in the organization of a certificate's
// subject.
const RolePrefix = "bulkhead:"

// A Role is what a certificate is for.
type Role string

// The roles. Server is for nodes, the others say what callers may do.
const (
	Admin    Role = "admin"
	Operator Role = "operator"
	Reader   Role = "reader"
	Server   Role = "server"
)

// Roles are all of them.
var Roles = []Role{Admin, Operator, Reader, Server}

// Fingerprint returns the SHA-256 of the certificate der in hexadecimal.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// A pair is a certificate with its key, and the certificates between it and
// authorities that others may know.
type pair struct {
	cert  *x509.Certificate
	chain []*x509.Certificate
	key   *ecdsa.PrivateKey
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// sign makes the certificate that template describes, for key, signed by
// signer.
func sign(template *x509.Certificate, key *ecdsa.PrivateKey, signer pair) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

// newRoot makes an authority. Its name is unique, so that a node that names the
// authorities it knows means this one.
func newRoot(name string, now time.Time) (pair, error) {
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	var id [4]byte
	rand.Read(id[:]) // never fails
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: fmt.Sprintf("%s %s %x", name, now.UTC().Format(time.DateOnly), id), Organization: []string{name}},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLifetime),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	cert, err := sign(template, key, pair{cert: template, key: key})
	return pair{cert: cert, key: key}, err
}

// cross makes a certificate for the authority root that old signs: who knows
// only old trusts what root signs.
func cross(root, old pair) (*x509.Certificate, error) {
	template := &x509.Certificate{
		Subject: root.cert.Subject, SubjectKeyId: root.cert.SubjectKeyId,
		NotBefore: root.cert.NotBefore, NotAfter: earlier(root.cert.NotAfter, old.cert.NotAfter),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	return sign(template, root.key, old)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// leaf makes the certificate that r describes.
func leaf(r Request, signer pair, now time.Time) (pair, error) {
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: r.Name},
		NotBefore: now.Add(-backdated), NotAfter: earlier(now.Add(r.Lifetime), signer.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if r.Role == Server {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		template.DNSNames, template.IPAddresses = split(r.Addresses)
	} else {
		template.Subject.Organization = []string{RolePrefix + string(r.Role)}
	}
	cert, err := sign(template, key, signer)
	return pair{cert: cert, chain: signer.chain, key: key}, err
}

// split divides addresses into names and IP addresses.
func split(addresses []string) (names []string, ips []net.IP) {
	for _, a := range addresses {
		if ip := net.ParseIP(a); ip != nil {
			ips = append(ips, ip)
			continue
		}
		names = append(names, a)
	}
	return names, ips
}

// requestOf returns what was asked for when cert was made.
func requestOf(cert *x509.Certificate) Request {
	r := Request{Name: cert.Subject.CommonName, Role: Server, Lifetime: cert.NotAfter.Sub(cert.NotBefore) - backdated}
	for _, o := range cert.Subject.Organization {
		if role, ok := strings.CutPrefix(o, RolePrefix); ok {
			r.Role = Role(role)
		}
	}
	r.Addresses = append(r.Addresses, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		r.Addresses = append(r.Addresses, ip.String())
	}
	return r
}

// encode returns p as text: certificate, chain, key.
func (p pair) encode() ([]byte, error) {
	key, err := p.encodeKey()
	return append(p.encodeChain(), key...), err
}

func (p pair) encodeChain() []byte {
	return encodeAll(append([]*x509.Certificate{p.cert}, p.chain...))
}

func (p pair) encodeKey() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of %s: %w", p.cert.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encodeAll(certs []*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// decode reads what encode wrote: the first certificate is that of the key.
func decode(data []byte) (pair, error) {
	var p pair
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if err := p.add(block); err != nil {
			return pair{}, err
		}
	}
	switch {
	case p.cert == nil:
		return pair{}, errors.New("holds no certificate")
	case p.key == nil:
		return pair{}, errors.New("holds no key")
	case !p.key.PublicKey.Equal(p.cert.PublicKey):
		return pair{}, errors.New("the key is not that of the first certificate")
	}
	return p, nil
}

func (p *pair) add(block *pem.Block) error {
	switch block.Type {
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("read a certificate: %w", err)
		}
		if p.cert == nil {
			p.cert = c
			return nil
		}
		p.chain = append(p.chain, c)
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("read the key: %w", err)
		}
		ec, ok := key.(*ecdsa.PrivateKey)
		if !ok || p.key != nil {
			return fmt.Errorf("holds a key of type %T, want one ECDSA key", key)
		}
		p.key = ec
	default:
		return fmt.Errorf("holds a block %q, want certificates and a key", block.Type)
	}
	return nil
}
