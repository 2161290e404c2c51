package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// What keeps a node from being reached is told with what to do about it.
func TestConnectionErrors(t *testing.T) {
	const at = "node:8443"
	unreachable := func(err error) error {
		return fmt.Errorf("read health: %w", &client.Unreachable{Endpoint: at, Err: err})
	}
	untrusted := func(err error) error { return &client.Untrusted{Endpoint: at, Err: err} }
	rejected := func(err error) error { return &client.Rejected{Endpoint: at, Err: err} }
	tests := []struct {
		name string
		err  error
		want string // two lines, of which the second may go on
	}{
		{"refused", unreachable(syscall.ECONNREFUSED), "read health: connect to node:8443: connection refused\nhint: nothing listens there: settings.api.remote.enabled"},
		{"no answer", unreachable(fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)), "read health: connect to node:8443: no answer in time: context deadline exceeded\nhint: the node may be off"},
		{"forwarded to nobody", unreachable(syscall.ECONNRESET), "read health: connect to node:8443: connection reset by peer\nhint: the node may be off, or has only just started"},
		{"unknown name", unreachable(&net.DNSError{Err: "no such host", Name: "node", IsNotFound: true}), "read health: connect to node:8443: lookup node: no such host\nhint: the name of the endpoint is not known here"},
		{"something else", unreachable(errors.New("odd")), "read health: connect to node:8443: odd\nhint: settings.api.remote.enabled and listen say"},
		{"another certificate", untrusted(&client.OtherFingerprint{Want: "a", Got: "b"}), "node:8443 shows another certificate than expected: its fingerprint is b, want a\nhint: compare with the fingerprint on the console"},
		{"another authority", untrusted(x509.UnknownAuthorityError{}), "the certificate of node:8443 is not from the given CA\nhint: give the CA"},
		{"another name", untrusted(x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"a"}}, Host: "b"}), "the certificate of node:8443 is not good: x509: certificate is valid for a, not b\nhint: the certificate is for other addresses"},
		{"expired", untrusted(x509.CertificateInvalidError{Reason: x509.Expired}), "the certificate of node:8443 is not good: x509: certificate has expired or is not yet valid: \nhint: is the clock of this machine right?"},
		{"unusable", untrusted(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}), "the certificate of node:8443 is not good: x509: certificate specifies an incompatible key usage\nhint: give the node another certificate"},
		{"other time", rejected(client.ErrOtherTime), "node:8443 does not accept the certificate: by the clock of the node it is not valid now\nhint: the clock of the node is wrong, or that of this machine; a node with network sets its own within minutes"},
		{"caller expired", rejected(client.ErrExpired), "node:8443 does not accept the certificate: it has expired\nhint: issue a new one with: apiclient pki issue"},
		{"caller unknown", rejected(client.ErrUnknownIssuer), "node:8443 does not accept the certificate: the node does not know the CA that issued it\nhint: the node trusts those in settings.api.remote.client-ca"},
		{"caller refused", rejected(errors.New("bad certificate")), "node:8443 does not accept the certificate: bad certificate\nhint: see what is wrong with it: apiclient pki show"},
		{"role", &client.Problem{Endpoint: at, Status: 403, Detail: "no"}, "no\nhint: the role in the certificate does not allow that"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			WriteError(&b, tt.err)
			want := "apiclient: " + tt.want
			if got := b.String(); !strings.HasPrefix(got, want) {
				t.Errorf("WriteError (-want +got):\n%s", cmp.Diff(want, got))
			}
			if got := ExitCode(tt.err); got != 1 {
				t.Errorf("ExitCode(%v) = %d, want 1", tt.err, got)
			}
		})
	}
	if got := ExitCode(&exitStatus{exitStarting}); got != 4 {
		t.Errorf("ExitCode for a node that is starting = %d, want 4", got)
	}
}
