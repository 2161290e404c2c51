package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api/internal/durable"
)

// DefaultLifetime is how long a certificate is valid unless it is said.
const DefaultLifetime = 365 * 24 * time.Hour

// A Request describes a certificate.
type Request struct {
	Name      string
	Role      Role
	Lifetime  time.Duration // DefaultLifetime if zero; at most that of the authority
	Addresses []string      // of a server: host names and IP addresses
}

// Check returns what is wrong with r, and gives it the usual lifetime if it has
// none.
func (r *Request) Check() error {
	if r.Lifetime == 0 {
		r.Lifetime = DefaultLifetime
	}
	switch {
	case !ValidName(r.Name):
		return fmt.Errorf("name %q: want 1 to 64 letters, digits, '.', '_', '-' and '@', the first a letter or digit", r.Name)
	case !slices.Contains(Roles, r.Role):
		return fmt.Errorf("role %q: want admin, operator, reader or server", r.Role)
	case r.Role == Server && len(r.Addresses) == 0:
		return fmt.Errorf("certificate of %s: a server needs the addresses that it is reached at", r.Name)
	case r.Role != Server && len(r.Addresses) > 0:
		return fmt.Errorf("certificate of %s: only a server has addresses", r.Name)
	case r.Lifetime < time.Hour:
		return fmt.Errorf("certificate of %s: lifetime %s: want at least an hour", r.Name, r.Lifetime)
	}
	for _, a := range r.Addresses {
		if _, err := netip.ParseAddr(a); err != nil && !ValidName(a) {
			return fmt.Errorf("address %q: want a host name or an IP address, without a port", a)
		}
	}
	return nil
}

// ValidName reports whether s may be the name of an authority, of a holder of a
// certificate, or of another thing that has a file of its own.
func ValidName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return s != "" && len(s) <= 64 && strings.Trim(s, letters+"._-@") == "" && strings.IndexByte(letters, s[0]) >= 0
}

// Issue makes the certificate that r describes and writes it, with its key, to
// a file of its own. One of that name is replaced only with force.
func (a *Authority) Issue(r Request, force bool) (Certificate, error) {
	if err := r.Check(); err != nil {
		return Certificate{}, err
	}
	var c Certificate
	err := a.change(func() error {
		if err := a.settle(); err != nil {
			return err
		}
		if _, err := os.Lstat(a.file(r.Name)); !errors.Is(err, fs.ErrNotExist) && !force {
			return &Exists{a.file(r.Name)}
		}
		var err error
		c, err = a.issue(r)
		return err
	})
	return c, err
}

func (a *Authority) file(name string) string { return a.path(issuedDir, name+".pem") }

func (a *Authority) issue(r Request) (Certificate, error) {
	p, err := leaf(r, a.signer(), a.now())
	if err != nil {
		return Certificate{}, err
	}
	data, err := p.encode()
	if err != nil {
		return Certificate{}, err
	}
	if err := os.MkdirAll(a.path(issuedDir), 0o700); err != nil {
		return Certificate{}, fmt.Errorf("make a directory: %w", err)
	}
	return a.describe(p.cert, a.file(r.Name)), durable.Write(a.file(r.Name), data, 0o600)
}

// issued reads what was issued, in the order of names.
func (a *Authority) issued() ([]pair, error) {
	entries, err := os.ReadDir(a.path(issuedDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read what was issued: %w", err)
	}
	var out []pair
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".pem")
		if !ok || !ValidName(name) {
			continue
		}
		data, err := os.ReadFile(a.file(name))
		if err != nil {
			return nil, fmt.Errorf("read what was issued: %w", err)
		}
		p, err := decode(data)
		if err == nil && p.cert.Subject.CommonName != name {
			err = fmt.Errorf("holds the certificate of %q", p.cert.Subject.CommonName)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.file(name), err)
		}
		out = append(out, p)
	}
	return out, nil
}

func (a *Authority) describe(cert *x509.Certificate, file string) Certificate {
	r := requestOf(cert)
	c := Certificate{
		Name: r.Name, Role: r.Role, Addresses: r.Addresses, File: file, Fingerprint: Fingerprint(cert.Raw),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Issuer: cert.Issuer.CommonName,
		Current: cert.CheckSignatureFrom(a.root.cert) == nil,
	}
	if cert.IsCA {
		c.Role, c.Current = "", cert.Equal(a.root.cert)
	}
	return c
}

// Authorities tells of the authorities in the bundle, newest first.
func (a *Authority) Authorities() []Certificate {
	var out []Certificate
	for _, c := range a.roots() {
		out = append(out, a.describe(c, a.path(bundleFile)))
	}
	return out
}

// Issued tells of the certificates that were issued, in the order of names.
func (a *Authority) Issued() ([]Certificate, error) {
	pairs, err := a.issued()
	if err != nil {
		return nil, err
	}
	var out []Certificate
	for _, p := range pairs {
		out = append(out, a.describe(p.cert, a.file(p.cert.Subject.CommonName)))
	}
	return out, nil
}

// Parts returns the certificate of name, with those that lead to authorities,
// and its key, each as PEM.
func (a *Authority) Parts(name string) (chain, key []byte, err error) {
	if !ValidName(name) {
		return nil, nil, fmt.Errorf("name %q is not one of a certificate", name)
	}
	data, err := os.ReadFile(a.file(name))
	if err != nil {
		return nil, nil, fmt.Errorf("read what was issued: %w", err)
	}
	p, err := decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", a.file(name), err)
	}
	key, err = p.encodeKey()
	return p.encodeChain(), key, err
}
