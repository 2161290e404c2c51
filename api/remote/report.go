package remote

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Status is what the file named Options.Report says.
type Status struct {
	Listen      []string `json:"listen"`
	Fingerprint string   `json:"fingerprint"` // SHA-256 of the certificate, in hexadecimal
}

// report writes where the gate listens, for programs of the node. There is no
// file while it listens nowhere. It reports whether that is done.
func (g *Gate) report() bool {
	if g.opt.Report == "" {
		return true
	}
	err := g.writeReport()
	if err != nil {
		g.opt.Log.Warn("file about remote access not written", "err", err)
	}
	return err == nil
}

func (g *Gate) writeReport() error {
	p := g.policy.Load()
	if len(g.fronts) == 0 || p == nil {
		if err := os.Remove(g.opt.Report); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	s := Status{Fingerprint: p.fingerprint}
	for _, at := range slices.SortedFunc(maps.Keys(g.fronts), netip.AddrPort.Compare) {
		s.Listen = append(s.Listen, at.String())
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if old, err := os.ReadFile(g.opt.Report); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(g.opt.Report), 0o755); err != nil {
		return err
	}
	return replace(filepath.Dir(g.opt.Report), filepath.Base(g.opt.Report), data, 0o644)
}

// The codes of faults of a gate.
const (
	CodeListen      report.Code = "not-listening"        // an address cannot be listened at
	CodeNotKept     report.Code = "certificate-not-kept" // the node's own certificate will be another after a restart
	CodeCertificate report.Code = "certificate-ends"     // a certificate has ended, or will soon
)

const (
	settingsPath = "settings.api.remote."
	expiryNotice = 30 * 24 * time.Hour
)

// Faults returns what is wrong with the access from the network.
func (g *Gate) Faults() []report.Fault {
	g.mu.Lock()
	failures, unkept, c := g.failures, g.unkept, g.wanted
	g.mu.Unlock()
	var out []report.Fault
	for _, at := range slices.SortedFunc(maps.Keys(failures), netip.AddrPort.Compare) {
		out = append(out, report.Fault{
			Severity: report.Error, Path: settingsPath + "listen", Value: at.String(), Code: CodeListen,
			Detail: fmt.Sprintf("the API cannot be reached at %s: %v; it is tried again", at, failures[at]),
			Hint:   "give the node this address, end what uses the port, or listen elsewhere",
		})
	}
	if unkept != nil && c.Certificate == nil && len(c.Listen) > 0 {
		out = append(out, report.Fault{
			Severity: report.Warning, Code: CodeNotKept, Detail: "the certificate that the node made for itself is not kept: " + unkept.Error(),
			Hint: "its fingerprint is another one after a restart",
		})
	}
	out = append(out, endingSoon("client-ca", c.Authorities, g.opt.Now())...)
	if c.Certificate != nil && c.Certificate.Leaf != nil {
		out = append(out, endingSoon("server-certificate", []*x509.Certificate{c.Certificate.Leaf}, g.opt.Now())...)
	}
	return out
}

// endingSoon tells of the certificates that have ended, or will. The latter is no
// reason to take the node for ill.
func endingSoon(setting string, certs []*x509.Certificate, now time.Time) []report.Fault {
	var out []report.Fault
	for _, c := range certs {
		f := report.Fault{Severity: report.Info, Path: settingsPath + setting, Code: CodeCertificate, Hint: "replace it"}
		switch left := c.NotAfter.Sub(now); {
		case left < 0:
			f.Severity, f.Detail = report.Error, fmt.Sprintf("the certificate of %q has ended on %s", c.Subject, c.NotAfter.UTC().Format(time.DateOnly))
		case left < expiryNotice:
			f.Detail = fmt.Sprintf("the certificate of %q ends on %s", c.Subject, c.NotAfter.UTC().Format(time.DateOnly))
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}
