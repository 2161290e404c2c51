package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// DefaultPort is where nodes serve the remote API unless told otherwise.
const DefaultPort = "8443"

const (
	connectTime   = 10 * time.Second
	handshakeTime = 10 * time.Second
)

// A Remote says where a node serves the API over the network, and how both
// sides know each other. The node is trusted by Fingerprint or by CA, and if
// both are given it must satisfy both; there is no other way.
type Remote struct {
	Endpoint    string // host:port
	Fingerprint string // of the node's certificate: SHA-256 in hexadecimal
	CA          []byte // PEM of authorities whose certificates nodes may have
	Certificate []byte // PEM of the caller's certificate, and of those between it and what nodes know
	Key         []byte // PEM; empty if Certificate holds it
	// Anonymous shows no certificate. Only a node that waits for its first settings
	// lets in such a caller.
	Anonymous bool
}

// ParseEndpoint returns s as host:port, with DefaultPort if it has none.
func ParseEndpoint(s string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return net.JoinHostPort(ip.String(), DefaultPort), nil
	}
	host, port := s, DefaultPort
	if strings.Contains(s, ":") {
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			return "", fmt.Errorf("endpoint %q: want HOST:PORT", s)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("endpoint %q: port %q: want 1 to 65535", s, port)
	}
	if host == "" || strings.ContainsAny(host, "/@?#[] \t\r\n") {
		return "", fmt.Errorf("endpoint %q: want HOST:PORT, as node.example.org:%s or [2001:db8::1]:%s", s, DefaultPort, DefaultPort)
	}
	return net.JoinHostPort(host, port), nil
}

// ParseFingerprint returns s, 64 hexadecimal digits, in lower case. It may have
// "sha256:" in front and colons between the bytes, as other programs print it.
func ParseFingerprint(s string) (string, error) {
	t := strings.ToLower(s)
	t = strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(t, "sha256:"), "sha-256:"), ":", "")
	if b, err := hex.DecodeString(t); err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("fingerprint %q: want the 64 hexadecimal digits of a SHA-256", s)
	}
	return t, nil
}

// Check returns what is wrong with r as it stands, without asking the node.
func (r *Remote) Check() error {
	_, err := r.config()
	return err
}

// config returns what TLS needs to know.
func (r *Remote) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	host, _, err := net.SplitHostPort(r.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: want HOST:PORT", r.Endpoint)
	}
	c.ServerName = host
	if err := r.trust(c); err != nil {
		return nil, err
	}
	if r.Anonymous {
		return c, nil
	}
	key := r.Key
	if len(key) == 0 {
		key = r.Certificate
	}
	own, err := tls.X509KeyPair(r.Certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate to show to %s: %w", r.Endpoint, err)
	}
	c.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &own, r.presentable(&own, asked)
	}
	return c, nil
}

// trust tells c which nodes to trust. All is checked here, and TLS's own check
// is off: it looks at the name before it looks at who vouches for it, so that a
// node that made its certificate itself would seem to have the wrong name.
func (r *Remote) trust(c *tls.Config) error {
	if r.Fingerprint == "" && len(r.CA) == 0 {
		return fmt.Errorf("nothing says how to know %s: want a fingerprint or a CA", r.Endpoint)
	}
	var want string
	if r.Fingerprint != "" {
		var err error
		if want, err = ParseFingerprint(r.Fingerprint); err != nil {
			return err
		}
	}
	var roots *x509.CertPool
	if len(r.CA) > 0 {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(r.CA) {
			return fmt.Errorf("the CA for %s holds no certificate in PEM form", r.Endpoint)
		}
	}
	host := c.ServerName
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(s tls.ConnectionState) error {
		var err error
		if want != "" {
			err = verifyFingerprint(s.PeerCertificates[0], want)
		}
		if err == nil && roots != nil {
			err = verifyChain(s.PeerCertificates, roots, host)
		}
		if err != nil {
			return &Untrusted{r.Endpoint, err}
		}
		return nil
	}
	return nil
}

func verifyFingerprint(cert *x509.Certificate, want string) error {
	sum := sha256.Sum256(cert.Raw)
	if got := hex.EncodeToString(sum[:]); got != want {
		return &OtherFingerprint{Want: want, Got: got}
	}
	return nil
}

// verifyChain reports whether the first of certs leads to one of roots, and is
// for host.
func verifyChain(certs []*x509.Certificate, roots *x509.CertPool, host string) error {
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	if _, err := certs[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return err
	}
	return certs[0].VerifyHostname(host)
}

// presentable returns an error if a node that asks as it does would refuse own.
// The node would say so after the handshake, in one word and not always in time.
func (r *Remote) presentable(own *tls.Certificate, asked *tls.CertificateRequestInfo) error {
	now := time.Now()
	switch leaf := own.Leaf; {
	case now.After(leaf.NotAfter):
		return &Rejected{r.Endpoint, fmt.Errorf("%w on %s", ErrExpired, leaf.NotAfter.UTC().Format(time.RFC3339))}
	case now.Before(leaf.NotBefore):
		return &Rejected{r.Endpoint, fmt.Errorf("it is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))}
	case !issuedByAny(own, asked.AcceptableCAs):
		return &Rejected{r.Endpoint, fmt.Errorf("%w: it is from %q", ErrUnknownIssuer, leaf.Issuer.CommonName)}
	}
	return nil
}

// issuedByAny reports whether own leads to one of the authorities. None named
// means that the node does not say.
func issuedByAny(own *tls.Certificate, authorities [][]byte) bool {
	if len(authorities) == 0 {
		return true
	}
	for _, der := range own.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return false
		}
		for _, name := range authorities {
			if bytes.Equal(cert.RawIssuer, name) {
				return true
			}
		}
	}
	return false
}

// dial connects to the node and makes sure of it.
func (r *Remote) dial(ctx context.Context, config *tls.Config) (net.Conn, error) {
	d := net.Dialer{
		Timeout: connectTime,
		// A node that is switched off is noticed within half a minute.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	plain, err := d.DialContext(ctx, "tcp", r.Endpoint)
	if err != nil {
		return nil, &Unreachable{Endpoint: r.Endpoint, Err: bare(err)}
	}
	conn := tls.Client(plain, config)
	shake, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	if err := conn.HandshakeContext(shake); err != nil {
		plain.Close()
		return nil, r.handshakeError(err)
	}
	return conn, nil
}

// handshakeError says what went wrong when both sides introduced themselves.
func (r *Remote) handshakeError(err error) error {
	if rejected, ok := errors.AsType[*Rejected](err); ok {
		return rejected
	}
	if untrusted, ok := errors.AsType[*Untrusted](err); ok {
		return untrusted
	}
	if alert, ok := alertIn(err); ok {
		return &Rejected{r.Endpoint, alert}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return &Unreachable{Endpoint: r.Endpoint, Err: fmt.Errorf("what answers there does not speak TLS%w", hidden{err})}
	}
	return &Unreachable{Endpoint: r.Endpoint, Err: fmt.Errorf("TLS handshake: %w", bare(err))}
}

// alertIn finds what the other side said before it broke a connection off.
func alertIn(err error) (error, bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return nil, false
	}
	switch text := strings.TrimPrefix(op.Err.Error(), "tls: "); text {
	case "unknown certificate authority":
		return ErrUnknownIssuer, true
	case "expired certificate":
		return ErrOtherTime, true // by this computer's it is, or it would not have been shown
	default:
		return errors.New(text), true
	}
}
