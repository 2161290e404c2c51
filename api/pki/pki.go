// Package pki makes the certificates with which people, programs and nodes know
// each other on the remote API.
//
// A directory holds one authority and what it issued. Its certificate is what a
// node is told to trust (settings.api.remote.client-ca); the certificate of a
// caller says in the organization of its subject which role he has, as
// bulkhead:admin. Authorities take turns without a gap: the new one is signed by
// the old as well, and every certificate comes with that signature, so that it
// is good for nodes that know either.
//
// Keys are ECDSA on P-256: everything that speaks TLS knows them, hardware
// tokens, browsers and libraries that are restricted to what FIPS approves
// included, which cannot be said of Ed25519.
//
// The file authority.pem is the whole state of the authority, and replacing it
// is the one point at which a change happens. What the other files lack after
// an interruption is made up for by the next change.
package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/api/internal/durable"
)

// An Exists error says that something is there that was not to be replaced.
type Exists struct {
	Path string
}

// Error names the file.
func (e *Exists) Error() string { return e.Path + " exists already" }

// A Certificate is one that the authority issued, or that of an authority.
type Certificate struct {
	Name        string    `json:"name"`
	Role        Role      `json:"role,omitempty"` // none for authorities
	Addresses   []string  `json:"addresses,omitempty"`
	File        string    `json:"file"`
	Fingerprint string    `json:"fingerprint"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Issuer      string    `json:"issuer"`
	Current     bool      `json:"current"` // issued by the current authority; of authorities, that it is the current one
}

// An Authority issues certificates. It may not be shared between goroutines;
// several programs may use the same directory.
type Authority struct {
	dir  string
	now  func() time.Time
	root pair // its chain is the other authorities: first the signatures of older ones, then those older ones
}

func (a *Authority) path(elem ...string) string {
	return filepath.Join(append([]string{a.dir}, elem...)...)
}

// Create makes an authority called name in the directory dir, which may not
// hold one. With force it may: that one is forgotten, and what it issued is
// issued anew. Now tells the time; nil means time.Now.
func Create(dir, name string, force bool, now func() time.Time) (*Authority, error) {
	if !ValidName(name) {
		return nil, fmt.Errorf("name %q: want letters, digits, '.', '_', '-' and '@', the first a letter or digit", name)
	}
	a := newAuthority(dir, now)
	unlock, err := durable.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Lstat(a.path(authorityFile)); !errors.Is(err, fs.ErrNotExist) && !force {
		return nil, &Exists{a.path(authorityFile)}
	}
	if a.root, err = newRoot(name, a.now()); err != nil {
		return nil, err
	}
	if err := a.commit(); err != nil {
		return nil, err
	}
	return a, a.settle()
}

// Open reads the authority in the directory dir.
func Open(dir string, now func() time.Time) (*Authority, error) {
	a := newAuthority(dir, now)
	return a, a.read()
}

func newAuthority(dir string, now func() time.Time) *Authority {
	if now == nil {
		now = time.Now
	}
	return &Authority{dir: dir, now: now}
}

// The files of a directory, beside those in issuedDir.
const (
	authorityFile = "authority.pem" // key and certificate, and the certificates of older ones
	bundleFile    = "ca.crt"        // the certificates alone, newest first
	issuedDir     = "issued"
)

func (a *Authority) read() error {
	data, err := os.ReadFile(a.path(authorityFile))
	if err != nil {
		return fmt.Errorf("read the authority: %w", err)
	}
	a.root, err = decode(data)
	if err == nil && (!a.root.cert.IsCA || len(a.root.cert.Subject.Organization) != 1) {
		err = errors.New("the first certificate is not one of an authority that was made by this program")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.path(authorityFile), err)
	}
	return nil
}

func (a *Authority) commit() error {
	data, err := a.root.encode()
	if err != nil {
		return err
	}
	return durable.Write(a.path(authorityFile), data, 0o600)
}

// change runs f while no other program changes the directory.
func (a *Authority) change(f func() error) error {
	unlock, err := durable.Lock(a.dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := a.read(); err != nil { // another program may have changed it
		return err
	}
	return f()
}

// roots returns the certificates of the authorities, newest first.
func (a *Authority) roots() []*x509.Certificate {
	out := []*x509.Certificate{a.root.cert}
	for _, c := range a.root.chain {
		if isRoot(c) {
			out = append(out, c)
		}
	}
	return out
}

func isRoot(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// signer returns the current authority with the signatures of older ones.
func (a *Authority) signer() pair {
	p := pair{cert: a.root.cert, key: a.root.key}
	for _, c := range a.root.chain {
		if !isRoot(c) {
			p.chain = append(p.chain, c)
		}
	}
	return p
}

// Bundle returns what to trust: the certificates of the authorities, newest
// first, as PEM.
func (a *Authority) Bundle() []byte { return encodeAll(a.roots()) }

// BundleFile returns the path of the file that holds Bundle.
func (a *Authority) BundleFile() string { return a.path(bundleFile) }

// Rotate makes a new authority that takes the place of the current one, which
// stays in the bundle, and issues every certificate anew.
func (a *Authority) Rotate() error {
	return a.change(func() error {
		next, err := newRoot(a.root.cert.Subject.Organization[0], a.now())
		if err != nil {
			return err
		}
		signed, err := cross(next, a.root)
		if err != nil {
			return err
		}
		older := a.signer()
		next.chain = slices.Concat([]*x509.Certificate{signed}, older.chain, a.roots())
		a.root = next
		if err := a.commit(); err != nil {
			return err
		}
		return a.settle()
	})
}

// Retire takes the older authorities out of the bundle, and their signatures
// off the certificates. It returns how many authorities that were.
func (a *Authority) Retire() (int, error) {
	var retired int
	err := a.change(func() error {
		retired = len(a.roots()) - 1
		a.root.chain = nil
		if err := a.commit(); err != nil {
			return err
		}
		return a.settle()
	})
	return retired, err
}

// settle makes the other files agree with authority.pem.
func (a *Authority) settle() error {
	bundle := a.Bundle()
	if old, err := os.ReadFile(a.path(bundleFile)); err != nil || !bytes.Equal(old, bundle) {
		if err := durable.Write(a.path(bundleFile), bundle, 0o644); err != nil {
			return err
		}
	}
	pairs, err := a.issued()
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if a.agrees(p) {
			continue
		}
		if _, err := a.issue(requestOf(p.cert)); err != nil {
			return err
		}
	}
	return nil
}

// agrees reports whether p is as it would be issued today.
func (a *Authority) agrees(p pair) bool {
	return p.cert.CheckSignatureFrom(a.root.cert) == nil && slices.EqualFunc(p.chain, a.signer().chain, (*x509.Certificate).Equal)
}
