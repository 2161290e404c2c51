package remote_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

func encode(kind string, der []byte) string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// configOf returns the Config of settings given as TOML below api.remote.
func configOf(t *testing.T, text string) remote.Config {
	t.Helper()
	s := schema.For(settings.Type, "test", []string{"api"})
	in := s.ReadTOML([]byte("[api.remote]\n"+text), schema.Options{})
	if err := in.Report.Err(); err != nil {
		t.Fatal(err)
	}
	var all settings.Settings
	rep := s.Bind(document.Document{}.Apply(in.Patch), &all)
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	return remote.From(all.API.Remote)
}

// What contradicts itself opens nothing by mistake.
func TestFrom(t *testing.T) {
	ca := newAuthority(t, "Callers")
	node, other := ca.issue(t, "node", nil), ca.issue(t, "other", nil)
	pem := func(c tls.Certificate) (cert, key string) {
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		return encode("CERTIFICATE", c.Certificate[0]), encode("PRIVATE KEY", der)
	}
	cert, key := pem(node)
	_, otherKey := pem(other)
	authority := "client-ca = '" + encode("CERTIFICATE", ca.cert.Raw) + "'\n"
	const listen = "listen = ['127.0.0.1:8443', '[::]:8444']\n"
	open := "enabled = true\n" + listen + authority
	tests := []struct {
		name, in string
		listens  int
		shows    bool
	}{
		{"nothing", "allowed-roles = []", 0, false},
		{"all of it", open + "server-certificate = '" + cert + "'\nserver-key = '" + key + "'", 2, true},
		{"own certificate", open, 2, false},
		{"key of another", open + "server-certificate = '" + cert + "'\nserver-key = '" + otherKey + "'", 2, false},
		{"no key", open + "server-certificate = '" + cert + "'", 2, false},
		{"switched off", "enabled = false\n" + listen + authority, 0, false},
		{"no authority", "enabled = true\n" + listen, 0, false},
		{"empty authority", "enabled = true\nclient-ca = ''\n" + listen, 0, false},
		{"no address", "enabled = true\n" + authority, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := configOf(t, tt.in)
			if len(c.Listen) != tt.listens || (c.Certificate != nil) != tt.shows || (len(c.Authorities) > 0) != (tt.listens > 0) {
				t.Errorf("From(%s) = %d addresses, %d authorities, certificate %t, want %d addresses, certificate %t",
					tt.in, len(c.Listen), len(c.Authorities), c.Certificate != nil, tt.listens, tt.shows)
			}
		})
	}
}

// Certificates that end are told of.
func TestFaultsOfCertificates(t *testing.T) {
	ca := newAuthority(t, "Callers") // for a year
	late := func(d time.Duration) func(*remote.Options) {
		return func(o *remote.Options) { o.Now = func() time.Time { return time.Now().Add(d) } }
	}
	for _, tt := range []struct {
		name string
		late time.Duration
		want []report.Severity
	}{
		{"young", 0, nil},
		{"old", 350 * 24 * time.Hour, []report.Severity{report.Info}},
		{"ended", 370 * 24 * time.Hour, []report.Severity{report.Error}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := run(t, hello, late(tt.late))
			p.Configure(remote.Config{Listen: []netip.AddrPort{freePort(t)}, Authorities: []*x509.Certificate{ca.cert}})
			within(t, "the gate", func() bool { return p.status().Fingerprint != "" })
			var got []report.Severity
			for _, f := range p.Faults() {
				got = append(got, f.Severity)
				if f.Code != remote.CodeCertificate || f.Path != "settings.api.remote.client-ca" {
					t.Errorf("fault %+v, want one of client-ca", f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("severities (-want +got):\n%s", diff)
			}
		})
	}
}
