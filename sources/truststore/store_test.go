package truststore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

var now = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// made returns a certificate that is valid for a year from begin on.
func made(t *testing.T, subject pkix.Name, begin time.Time) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: subject, NotBefore: begin, NotAfter: begin.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func named(t *testing.T, name string) []byte {
	return made(t, pkix.Name{CommonName: name}, now.AddDate(0, -1, 0))
}

func TestAssemble(t *testing.T) {
	one, two, own, old, future := named(t, "one"), named(t, "two"), named(t, "own"),
		made(t, pkix.Name{CommonName: "old"}, now.AddDate(-3, 0, 0)), made(t, pkix.Name{CommonName: "future"}, now.AddDate(1, 0, 0))
	section := made(t, pkix.Name{Organization: []string{"an organization"}}, now.AddDate(0, -1, 0))
	odd := made(t, pkix.Name{CommonName: "a\nb"}, now.AddDate(0, -1, 0))
	image := append(bytes.Clone(one), two...)
	tests := []struct {
		name    string
		bundles []Bundle
		want    []string // the lines that name certificates
		faults  []string
	}{
		{name: "nothing", want: []string{"one", "two"}},
		{name: "added", bundles: []Bundle{{"a", true, own}}, want: []string{"one", "two", "own"}},
		{name: "added twice, and there already", bundles: []Bundle{{"a", true, own}, {"b", true, own}, {"c", true, one}}, want: []string{"one", "two", "own"}},
		{name: "taken out", bundles: []Bundle{{"a", false, two}}, want: []string{"one"}},
		{name: "distrust counts more", bundles: []Bundle{{"a", true, own}, {"b", false, own}}, want: []string{"one", "two"}},
		{name: "named by its organization", bundles: []Bundle{{"a", true, section}}, want: []string{"one", "two", "an organization"}},
		{name: "name on two lines", bundles: []Bundle{{"a", true, odd}}, want: []string{"one", "two", "a?b"}},
		{
			name: "expired", bundles: []Bundle{{"a", true, old}}, want: []string{"one", "two", "old"},
			faults: []string{"settings.pki.a: old has expired on 2024-01-02"},
		},
		{
			name: "not valid yet", bundles: []Bundle{{"a", true, future}}, want: []string{"one", "two", "future"},
			faults: []string{"settings.pki.a: future is valid from 2027-01-02 on, and the clock says 2026-01-02"},
		},
		{
			name: "damaged", bundles: []Bundle{{"a", true, append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), own...)}}, want: []string{"one", "two", "own"},
			faults: []string{"settings.pki.a: PEM block 1 is not a certificate"},
		},
		{name: "no certificate", bundles: []Bundle{{"a", true, []byte("hello")}}, want: []string{"one", "two"}, faults: []string{"settings.pki.a: there is no certificate in it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Assemble(image, tt.bundles, now)
			var names, faults []string
			for line := range strings.Lines(string(s.Text)) {
				if name, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
					names = append(names, name)
				}
			}
			for _, f := range s.Faults {
				faults = append(faults, fmt.Sprintf("%s: %s", f.Path, f.Detail))
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("Assemble: certificates (-want +got):\n%s", diff)
			}
			begins := func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
			if diff := cmp.Diff(tt.faults, faults, cmpopts.EquateEmpty(), cmp.Comparer(begins)); diff != "" {
				t.Errorf("Assemble: faults (-want +got):\n%s", diff)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(s.Text) {
				t.Errorf("Assemble: %s is no trust store", s.Text)
			}
			if certs, _ := certificates(s.Text); len(certs) != s.Certificates {
				t.Errorf("Assemble: counts %d certificates, has %d", s.Certificates, len(certs))
			}
		})
	}
}

// A run writes the store and what is wrong; a run that cannot leaves the store
// that was there.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	opt := options{
		settings: filepath.Join(dir, "settings.toml"), image: filepath.Join(dir, "image"),
		output: filepath.Join(dir, "ca-certificates.crt"), health: filepath.Join(dir, "health"),
	}
	put := func(file string, text []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	put(filepath.Join(opt.image, "one.crt"), named(t, "one"))
	put(filepath.Join(opt.image, "README"), []byte("no certificate"))
	if err := run(opt, now, log); err != nil {
		t.Fatalf("run without settings: %v", err)
	}
	put(opt.settings, fmt.Appendf(nil, "[bundles.own]\ntrusted = true\ndata = %q\n[bundles.off]\ndata = \" \"\n[bundles.bad]\ntrusted = true\ndata = \"%%\"\n",
		base64.StdEncoding.EncodeToString(named(t, "own"))))
	if err := run(opt, now, log); err != nil {
		t.Fatalf("run with settings: %v", err)
	}
	text, err := os.ReadFile(opt.output)
	if err != nil || !strings.Contains(string(text), "# own\n") || !strings.Contains(string(text), "# one\n") {
		t.Errorf("the store is %s, %v, want one and own in it", text, err)
	}
	if info, err := os.Stat(opt.output); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode of the store: %v, %v, want 0644", info.Mode(), err)
	}
	faults, err := healthfile.ReadAll(opt.health)
	if err != nil || len(faults) != 1 || faults[0].Path != "settings.pki.bad" {
		t.Errorf("faults %v, %v, want one of settings.pki.bad", faults, err)
	}

	if err := os.Remove(filepath.Join(opt.image, "one.crt")); err != nil {
		t.Fatal(err)
	}
	if err := run(opt, now, log); err == nil || !strings.Contains(err.Error(), "holds no certificates") {
		t.Errorf("run without certificates of the image: %v, want that there are none", err)
	}
	if after, err := os.ReadFile(opt.output); err != nil || !bytes.Equal(after, text) {
		t.Errorf("the store after a run that failed: %s, %v, want the one before", after, err)
	}
}
