package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"testing"
)

// What a node may have a certificate for that it serves with.
func TestCheck(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{"192.0.2.1", "2001:db8::1", "one"}
	subject := pkix.Name{CommonName: "system:node:one", Organization: []string{"system:nodes"}}
	elsewhere, _ := url.Parse("spiffe://x")
	tests := []struct {
		name   string
		asked  x509.CertificateRequest
		change func(*signingRequest)
		want   string
	}{
		{"all it has", x509.CertificateRequest{Subject: subject, DNSNames: []string{"one"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")}}, nil, ""},
		{"another address", x509.CertificateRequest{Subject: subject, IPAddresses: []net.IP{net.ParseIP("192.0.2.9")}}, nil, "192.0.2.9 is not one of the node's 192.0.2.1, 2001:db8::1, one"},
		{"another name", x509.CertificateRequest{Subject: subject, DNSNames: []string{"kubernetes"}}, nil, "kubernetes is not one of the node's 192.0.2.1, 2001:db8::1, one"},
		{"nothing", x509.CertificateRequest{Subject: subject}, nil, "it is for no name or address"},
		{"an identity", x509.CertificateRequest{Subject: subject, DNSNames: []string{"one"}, URIs: []*url.URL{elsewhere}}, nil, "it is for more than names and addresses"},
		{
			"another node",
			x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:two", Organization: []string{"system:nodes"}}, DNSNames: []string{"one"}},
			nil,
			"the certificate would be for CN=system:node:two,O=system:nodes, and the request is from system:node:one",
		},
		{"no node", x509.CertificateRequest{Subject: subject, DNSNames: []string{"one"}}, func(r *signingRequest) { r.Spec.Groups = []string{"system:bootstrappers"} }, `user "system:node:one" is no node`},
		{"a client", x509.CertificateRequest{Subject: subject, DNSNames: []string{"one"}}, func(r *signingRequest) { r.Spec.Usages = []string{"client auth"} }, `use "client auth" is not that of a server`},
		{"no request", x509.CertificateRequest{Subject: subject}, func(r *signingRequest) { r.Spec.Request = []byte("x") }, "the request is no PEM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			der, err := x509.CreateCertificateRequest(rand.Reader, &tt.asked, key)
			if err != nil {
				t.Fatal(err)
			}
			var r signingRequest
			r.Spec.Username, r.Spec.Groups, r.Spec.Usages = "system:node:one", []string{"system:nodes", "system:authenticated"}, []string{"digital signature", "server auth"}
			r.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
			if tt.change != nil {
				tt.change(&r)
			}
			got := ""
			if err := r.check(addresses); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("check = %q, want %q", got, tt.want)
			}
		})
	}
}
