package remote

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// A node whose clock is years behind, as that of a board without a battery is,
// would let nobody in until it has asked a time server: the certificates of its
// callers are from its future. When the clock is wrong for sure, it does not matter
// when a certificate begins. Nobody gains by that: a certificate is made for
// whoever has its key, and its end counts as before.

// behind reports whether a clock that says now is wrong for sure: it shows a time
// before the certificate of the node was made, or before any authority was.
func (p *policy) behind(now time.Time) bool {
	begun := len(p.config.Authorities) == 0
	for _, a := range p.config.Authorities {
		begun = begun || !now.Before(a.NotBefore)
	}
	return !begun || p.config.Certificate != nil && now.Before(p.config.Certificate.Leaf.NotBefore)
}

// when returns the time at which chain is looked at.
func (p *policy) when(chain []*x509.Certificate, now time.Time) time.Time {
	if !p.behind(now) {
		return now
	}
	for _, c := range chain {
		if now.Before(c.NotBefore) {
			now = c.NotBefore
		}
	}
	return now
}

// handshake returns how a caller is greeted at the time now.
func (p *policy) handshake(now time.Time) *tls.Config {
	if p.config.Anybody || !p.behind(now) {
		return p.tls
	}
	c := p.tls.Clone()
	c.ClientAuth = tls.RequireAnyClientCert
	c.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
		chain := make([]*x509.Certificate, len(raw))
		for i, der := range raw {
			var err error
			if chain[i], err = x509.ParseCertificate(der); err != nil {
				return err
			}
		}
		return p.verify(chain, now)
	}
	return c
}
