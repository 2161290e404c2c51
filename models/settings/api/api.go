// Package api holds the settings of the API itself: who may reach it over the
// network, and where.
package api

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/pki"
)

// Settings is the group api.
type Settings struct {
	// The API over the network. On the node itself programs reach it through a
	// socket, whatever is set here.
	Remote *Remote `setting:"remote"`

	// How a node that nobody has given settings gets its first ones.
	Maintenance *Maintenance `setting:"maintenance"`
}

// Maintenance are the settings of the wait for first settings.
type Maintenance struct {
	// Whether a node that has found no valid user data, and never had settings,
	// takes its first ones over the network. It listens where the API over the
	// network would, takes one document from whoever has the code on its console,
	// and closes for good. It counts only as a default of an image: once there are
	// settings, it is too late.
	Enabled *bool `setting:"enabled"`
}

// Remote are the settings of the API over the network. A change of them takes
// effect at once: the answer to the request that makes it comes first, requests
// under way are finished, and nothing is restarted.
type Remote struct {
	// Whether the API is reached over the network. It speaks TLS 1.3, and callers
	// need a certificate of client-ca, which has to be set.
	Enabled *bool `setting:"enabled"`

	// The addresses to listen at, each with its port. "[::]" stands for all
	// addresses of the node, IPv4 included, and "0.0.0.0" for those of IPv4. An
	// address that the node does not have, or that another program uses, is tried
	// again until it can be had, and shown in the health of the node.
	Listen *[]ListenAddress `setting:"listen"`

	// The authorities whose certificates callers identify themselves with, in
	// base64 around PEM. A certificate is accepted from any of them, so that they
	// can be replaced one by one. The role of a caller is an organization in the
	// subject of his certificate: "bulkhead:admin", "bulkhead:operator" or
	// "bulkhead:reader".
	ClientCA *pki.Certificates `setting:"client-ca"`

	// The certificate that the node shows, in base64 around PEM: its own first, then
	// those that lead to its authority. It needs server-key. Without it the node makes one
	// for itself, which it keeps; the console shows its fingerprint.
	ServerCertificate *pki.Certificates `setting:"server-certificate"`

	// The private key of server-certificate, in base64 around PEM.
	ServerKey *scalar.Secret[PrivateKey] `setting:"server-key"`

	// The roles that callers can have over the network. A certificate that gives
	// only others is refused.
	AllowedRoles *[]Role `setting:"allowed-roles"`
}

// A Role says what a caller may do; it is read from his certificate.
type Role string

// The roles, from the one that may do least.
const (
	Reader   Role = "reader"   // see settings, secrets hidden
	Operator Role = "operator" // change settings
	Admin    Role = "admin"    // see secrets, do everything else
)

// Rule lists the roles.
func (Role) Rule() scalar.Rule {
	return scalar.Enum("role", string(Admin), string(Operator), string(Reader))
}

// expiryNotice is how long before its end a certificate is warned of.
const expiryNotice = 30 * 24 * time.Hour

// Check reports what cannot be listened with, and certificates that end soon.
func (s *Settings) Check(p report.Place) { s.check(p, time.Now()) }

func (s *Settings) check(p report.Place, now time.Time) {
	r := s.Remote
	if r == nil {
		return
	}
	p = p.In("remote")
	if r.Enabled != nil && *r.Enabled {
		r.checkEnabled(p)
	}
	r.checkListen(p)
	r.checkClientCA(p, now)
	r.checkServer(p, now)
}

func (r *Remote) checkEnabled(p report.Place) {
	if r.ClientCA == nil || r.ClientCA.IsEmpty() {
		p.Missing("client-ca", "enabled is true and client-ca is not set, so nobody could prove who he is",
			"set client-ca to the certificate of an authority, as apiclient pki init makes one")
	}
	if r.Listen == nil || len(*r.Listen) == 0 {
		p.Missing("listen", "enabled is true and listen names no address", `set listen, for example to ["[::]:8443"]`)
	}
	if r.AllowedRoles != nil && len(*r.AllowedRoles) == 0 {
		p.Warn("allowed-roles", nil, "allowed-roles names no role, so nobody is let in", "name at least one role")
	}
}

func (r *Remote) checkListen(p report.Place) {
	if r.Listen == nil {
		return
	}
	for i, a := range *r.Listen {
		other := slices.IndexFunc((*r.Listen)[:i], func(b ListenAddress) bool { return a.overlaps(b) })
		if other >= 0 {
			p.Conflict("listen", a, fmt.Sprintf("%s and %s stand for the same port of the same address", (*r.Listen)[other], a), "keep one of the two")
		}
	}
}

func (r *Remote) checkClientCA(p report.Place, now time.Time) {
	if r.ClientCA == nil {
		return
	}
	certs := r.ClientCA.Decoded()
	for _, c := range certs {
		if !c.BasicConstraintsValid || !c.IsCA {
			p.Conflict("client-ca", nil, fmt.Sprintf("the certificate of %q is not that of an authority", c.Subject), "give the certificate of the authority that callers' certificates come from")
		}
	}
	warnOfEnd(p, "client-ca", certs, now)
}

func (r *Remote) checkServer(p report.Place, now time.Time) {
	const certificate, key = "server-certificate", "server-key"
	var certs []*x509.Certificate
	if r.ServerCertificate != nil {
		certs = r.ServerCertificate.Decoded()
	}
	hasKey := r.ServerKey != nil && !r.ServerKey.Reveal().IsEmpty()
	switch {
	case len(certs) > 0 && !hasKey:
		p.Missing(key, "server-certificate is set and server-key is not", "set both or neither")
	case len(certs) == 0 && hasKey:
		p.Missing(certificate, "server-key is set and server-certificate is not", "set both or neither")
	case hasKey && !r.ServerKey.Reveal().Fits(certs[0]):
		p.Conflict(key, nil, fmt.Sprintf("server-key is not the key of the first certificate of server-certificate, that of %q", certs[0].Subject),
			"give the key that the certificate was made for, and the node's own certificate first")
	}
	warnOfEnd(p, certificate, certs, now)
}

// warnOfEnd warns of the certificates among certs, the value of member, that
// have ended or will soon.
func warnOfEnd(p report.Place, member string, certs []*x509.Certificate, now time.Time) {
	for _, c := range certs {
		what := "ends"
		if c.NotAfter.Before(now) {
			what = "has ended"
		} else if c.NotAfter.After(now.Add(expiryNotice)) {
			continue
		}
		p.Warn(member, nil, fmt.Sprintf("the certificate of %q %s on %s", c.Subject, what, c.NotAfter.UTC().Format(time.DateOnly)), "replace it")
	}
}
