package remote

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/models/settings/api"
)

// A Config says where to listen and whom to let in. The zero Config listens
// nowhere.
type Config struct {
	Listen      []netip.AddrPort
	Authorities []*x509.Certificate // of callers
	Certificate *tls.Certificate    // to show; nil for one of the gate's own making
	Roles       []api.Role          // that callers may have
	// Anybody lets in callers without a certificate, and nobody else counts for
	// more: they have no role. Whoever handles their requests knows them by another
	// secret.
	Anybody bool
}

// From returns what s asks for. Settings that contradict one another, as those
// that another image stored may, are passed over where the check of them would
// refuse them.
func From(s *api.Remote) Config {
	if s == nil || s.Enabled == nil || !*s.Enabled || s.ClientCA == nil || s.ClientCA.IsEmpty() || s.Listen == nil {
		return Config{}
	}
	c := Config{Authorities: s.ClientCA.Decoded()}
	for _, a := range *s.Listen {
		c.Listen = append(c.Listen, a.AddrPort())
	}
	if s.AllowedRoles != nil {
		c.Roles = *s.AllowedRoles
	}
	if s.ServerCertificate == nil || s.ServerCertificate.IsEmpty() || s.ServerKey == nil {
		return c
	}
	if chain := s.ServerCertificate.Decoded(); s.ServerKey.Reveal().Fits(chain[0]) {
		c.Certificate = certificate(chain, s.ServerKey.Reveal())
	}
	return c
}

func certificate(chain []*x509.Certificate, key api.PrivateKey) *tls.Certificate {
	c := &tls.Certificate{PrivateKey: key.Signer(), Leaf: chain[0]}
	for _, link := range chain {
		c.Certificate = append(c.Certificate, link.Raw)
	}
	return c
}

// fingerprint returns the SHA-256 of the certificate that c shows first, by
// which callers know the node.
func fingerprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// A policy is a Config as connections use it.
type policy struct {
	config      Config
	roots       *x509.CertPool
	tls         *tls.Config
	fingerprint string
}

// newPolicy returns the policy of c, which shows shown and goes by the clock now.
func newPolicy(c Config, shown *tls.Certificate, now func() time.Time) *policy {
	p := &policy{config: c, roots: x509.NewCertPool(), fingerprint: fingerprint(shown)}
	for _, a := range c.Authorities {
		p.roots.AddCert(a)
	}
	p.tls = &tls.Config{
		Time:         now,
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{*shown},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    p.roots,
		// Several requests at a time come over several connections, which can be
		// counted.
		NextProtos: []string{"http/1.1"},
		// A session that is taken up again would be one of the authorities of then.
		SessionTicketsDisabled: true,
	}
	if c.Anybody {
		p.tls.ClientAuth = tls.NoClientCert
	}
	return p
}

// equal reports whether p and o let in the same callers and show them the same
// certificate.
func (p *policy) equal(o *policy) bool {
	same := func(a, b *x509.Certificate) bool { return a.Equal(b) }
	return p.fingerprint == o.fingerprint && p.config.Anybody == o.config.Anybody && slices.Equal(p.config.Roles, o.config.Roles) &&
		slices.EqualFunc(p.config.Authorities, o.config.Authorities, same)
}
