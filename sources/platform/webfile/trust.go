package webfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// tls returns how certificates are looked at. A digest vouches for the text by
// itself: then the dates of a certificate do not count, because the clock of a
// new machine may be years off.
func (s Source) tls(vouched bool) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.Roots != nil {
		c.RootCAs = s.Roots.RootCAs
	}
	now := s.Now
	if now == nil {
		now = time.Now
	}
	c.Time = now
	if !vouched {
		return c
	}
	roots := c.RootCAs
	c.InsecureSkipVerify = true // what follows does it
	c.VerifyConnection = func(state tls.ConnectionState) error {
		return verify(state, roots, now())
	}
	return c
}

// verify is what package crypto/tls does, but for the dates.
func verify(state tls.ConnectionState, roots *x509.CertPool, now time.Time) error {
	leaf := state.PeerCertificates[0]
	opt := x509.VerifyOptions{DNSName: state.ServerName, Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, c := range state.PeerCertificates[1:] {
		opt.Intermediates.AddCert(c)
	}
	_, err := leaf.Verify(opt)
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		opt.CurrentTime = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2) // when all of the chain was good
		_, err = leaf.Verify(opt)
	}
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}
