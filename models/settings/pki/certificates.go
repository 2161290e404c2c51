package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Certificates are X.509 certificates in base64 around PEM, or none. They are
// checked for their form; whether they have expired or lead to one another is
// not looked at.
type Certificates struct{ s string }

// ParseCertificates returns the Certificates written as s. Text that is empty
// or only white space stands for none.
func ParseCertificates(s string) (Certificates, error) {
	if strings.TrimSpace(s) == "" {
		return Certificates{s}, nil
	}
	b, err := scalar.ParseBase64(s)
	if err != nil {
		return Certificates{}, fmt.Errorf("certificates: %w", err)
	}
	if _, err := decode(b.Decoded()); err != nil {
		return Certificates{}, fmt.Errorf("certificates: %w", err)
	}
	return Certificates{s}, nil
}

// decode returns the certificates in data, which has to hold at least one
// block of PEM, all of them certificates.
func decode(data []byte) ([]*x509.Certificate, error) {
	begun := blocksBegun(data)
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		n := len(certs) + 1
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d (%.40q) is not a certificate", n, block.Type)
		}
		certs = append(certs, c)
	}
	if begun == 0 {
		return nil, errors.New("the decoded text holds no PEM block")
	}
	// pem.Decode passes over blocks that it cannot read.
	if len(certs) != begun {
		return nil, fmt.Errorf("%d of %d PEM blocks are damaged or cut off", begun-len(certs), begun)
	}
	return certs, nil
}

// blocksBegun counts the lines that begin a block.
func blocksBegun(data []byte) int {
	n := 0
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("-----BEGIN")) {
			n++
		}
	}
	return n
}

// IsEmpty reports whether there are no certificates.
func (c Certificates) IsEmpty() bool { return strings.TrimSpace(c.s) == "" }

// Decoded returns the certificates.
func (c Certificates) Decoded() []*x509.Certificate {
	if c.IsEmpty() {
		return nil
	}
	b, err := scalar.ParseBase64(c.s)
	if err != nil {
		panic("pki: " + err.Error()) // ParseCertificates has read it before
	}
	certs, err := decode(b.Decoded())
	if err != nil {
		panic("pki: " + err.Error()) // as above
	}
	return certs
}

// String returns the text as it was written.
func (c Certificates) String() string { return c.s }

// MarshalText returns the text as it was written.
func (c Certificates) MarshalText() ([]byte, error) { return []byte(c.s), nil }

// UnmarshalText reads what ParseCertificates accepts.
func (c *Certificates) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCertificates(string(b))
	return err
}

// Rule describes the type.
func (Certificates) Rule() scalar.Rule {
	return scalar.Rule{
		Name: "certificates",
		Want: "base64 of PEM with one or more certificates and nothing else, or empty text",
		// Dialects of regular expressions disagree on what white space is, so it
		// is whatever is not printable ASCII here.
		Pattern: `^([A-Za-z0-9+/]*={0,2}|[^!-~]*)$`,
	}
}
