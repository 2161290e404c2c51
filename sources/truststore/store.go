package truststore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Codes of what can be wrong with the trust store of a node.
const (
	codeStore   report.Code = "trust-store"
	codeBundle  report.Code = "certificate-unreadable"
	codeExpired report.Code = "certificate-not-valid"
	codeLeaf    report.Code = "certificate-of-no-authority"
)

// A Bundle is one entry of settings.pki.
type Bundle struct {
	Name    string
	Trusted bool
	PEM     []byte
}

// A Store is what is trusted.
type Store struct {
	Text         []byte // PEM, each certificate below a line that names it
	Certificates int
	Added        int // that do not come with the image
	Removed      int // that would otherwise be there
	Faults       []report.Fault
}

// A digest stands for a certificate.
type digest [sha256.Size]byte

// Assemble returns the certificates of image and of the trusted bundles without
// those of the others: that somebody distrusts a certificate counts more than
// that somebody trusts it.
func Assemble(image []byte, bundles []Bundle, now time.Time) Store {
	var s Store
	out, seen := map[digest]bool{}, map[digest]bool{}
	fromImage, _ := certificates(image)
	known := map[digest]bool{}
	for _, c := range fromImage {
		known[sha256.Sum256(c.Raw)] = true
	}
	var trusted []*x509.Certificate
	for _, b := range bundles {
		certs, err := certificates(b.PEM)
		if err != nil {
			s.fault(report.Error, codeBundle, b, err.Error(), "set data to base64 of PEM with certificates and nothing else")
		}
		for _, c := range certs {
			if b.Trusted {
				s.judge(b, c, now)
				trusted = append(trusted, c)
			} else {
				out[sha256.Sum256(c.Raw)] = true
			}
		}
	}
	var text bytes.Buffer
	for _, c := range append(fromImage, trusted...) {
		d := digest(sha256.Sum256(c.Raw))
		switch {
		case seen[d]:
			continue
		case out[d]:
			s.Removed++
		default:
			fmt.Fprintf(&text, "# %s\n", subject(c))
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a buffer takes all
			s.Certificates++
			if !known[d] {
				s.Added++
			}
		}
		seen[d] = true
	}
	s.Text = text.Bytes()
	return s
}

// judge reports what keeps c, which was added, from being of use.
func (s *Store) judge(b Bundle, c *x509.Certificate, now time.Time) {
	switch {
	case now.After(c.NotAfter):
		s.fault(report.Warning, codeExpired, b, fmt.Sprintf("%s has expired on %s", subject(c), day(c.NotAfter)), "replace it, or remove it from the bundle; programs do not accept it")
	case now.Before(c.NotBefore):
		s.fault(report.Warning, codeExpired, b, fmt.Sprintf("%s is valid from %s on, and the clock says %s", subject(c), day(c.NotBefore), day(now)), "see whether the clock of the node is right")
	case c.BasicConstraintsValid && !c.IsCA:
		s.fault(report.Info, codeLeaf, b, subject(c)+" is not of an authority", "what it has signed is not accepted; it is accepted itself")
	}
}

func (s *Store) fault(severity report.Severity, code report.Code, b Bundle, detail, hint string) {
	s.Faults = append(s.Faults, report.Fault{Severity: severity, Code: code, Path: "settings.pki." + b.Name, Detail: detail, Hint: hint})
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// subject names c for people, on one line.
func subject(c *x509.Certificate) string {
	name := c.Subject.CommonName
	for _, other := range [][]string{c.Subject.OrganizationalUnit, c.Subject.Organization} {
		if name == "" && len(other) > 0 {
			name = other[0]
		}
	}
	if name == "" {
		name = "certificate without a name, serial number " + c.SerialNumber.String()
	}
	clean := func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}
	return strings.Map(clean, name)
}

// certificates returns those in data that can be read, and what is wrong with
// the first that cannot.
func certificates(data []byte) (out []*x509.Certificate, fault error) {
	for n := 1; ; n++ {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		c, err := x509.ParseCertificate(block.Bytes)
		if err == nil {
			out = append(out, c)
		} else if fault == nil {
			fault = fmt.Errorf("PEM block %d is not a certificate: %w", n, err)
		}
	}
	if len(out) == 0 && fault == nil && len(bytes.TrimSpace(data)) > 0 {
		fault = fmt.Errorf("there is no certificate in it")
	}
	return out, fault
}

// parseBundles reads the file that the settings are rendered to.
func parseBundles(data []byte, source string) ([]Bundle, []report.Fault) {
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	if root == nil || rep.HasErrors() {
		for i := range rep.Faults {
			rep.Faults[i].Source = source
		}
		return nil, rep.Faults
	}
	all := root.Field("bundles")
	if all == nil {
		return nil, nil
	}
	var out []Bundle
	var faults []report.Fault
	for _, f := range all.Fields {
		b := Bundle{Name: f.Name}
		if t := f.Value.Field("trusted"); t != nil {
			b.Trusted = t.Text == "true"
		}
		text := f.Value.Field("data")
		if text == nil || strings.TrimSpace(text.Text) == "" {
			continue // disabled
		}
		decoded, err := scalar.ParseBase64(text.Text)
		if err != nil {
			faults = append(faults, report.Fault{Severity: report.Error, Code: codeBundle, Path: "settings.pki." + b.Name, Detail: err.Error(), Hint: "set data to base64 of PEM"})
			continue
		}
		b.PEM = decoded.Decoded()
		out = append(out, b)
	}
	return out, faults
}
