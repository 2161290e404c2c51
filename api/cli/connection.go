package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// connectionHint tells what to do about a node that could not be talked to; it
// is empty for other errors.
func connectionHint(err error) string {
	if e, ok := errors.AsType[*client.Unreachable](err); ok {
		if e.Endpoint != "" {
			return endpointHint(e)
		}
		return unreachableHint(e)
	}
	if e, ok := errors.AsType[*client.Untrusted](err); ok {
		return untrustedHint(e)
	}
	if e, ok := errors.AsType[*client.Rejected](err); ok {
		return rejectedHint(e)
	}
	return ""
}

func endpointHint(e *client.Unreachable) string {
	const open = "settings.api.remote.enabled and listen say whether and where the node serves the remote API"
	_, noName := errors.AsType[*net.DNSError](e)
	_, noTLS := errors.AsType[tls.RecordHeaderError](e)
	switch {
	case noName:
		return "the name of the endpoint is not known here; is it written as it should be?"
	case errors.Is(e, syscall.ECONNREFUSED):
		return "nothing listens there: " + open
	case errors.Is(e, syscall.ECONNRESET), errors.Is(e, io.EOF): // by what stands before it, or by itself
		return "the node may be off, or has only just started; " + open
	case errors.Is(e, os.ErrDeadlineExceeded), isTimeout(e):
		return "the node may be off, or something between lets nothing through; " + open
	case noTLS:
		return "is it the right port? " + open
	}
	return open
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

func untrustedHint(e *client.Untrusted) string {
	_, foreign := errors.AsType[x509.UnknownAuthorityError](e)
	_, name := errors.AsType[x509.HostnameError](e)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](e)
	switch {
	case errors.As(e, new(*client.OtherFingerprint)):
		return "compare with the fingerprint on the console of the node: if that is the new one, the node has a new certificate (apiclient context add --force); if not, something else answers in its place"
	case foreign:
		return "give the CA that the node's certificate is from with --ca, or know the node by the fingerprint on its console with --fingerprint"
	case name:
		return "the certificate is for other addresses: name the node by one of them, or issue it anew with apiclient pki issue --role server --address"
	case isInvalid && invalid.Reason == x509.Expired:
		return "is the clock of this machine right? If so, give the node a new certificate: apiclient pki issue --role server"
	}
	return "give the node another certificate, or know it by the fingerprint on its console with --fingerprint"
}

func rejectedHint(e *client.Rejected) string {
	switch {
	case errors.Is(e, client.ErrExpired):
		return "issue a new one with: apiclient pki issue NAME --role ROLE --force"
	case errors.Is(e, client.ErrOtherTime):
		return "the clock of the node is wrong, or that of this machine; a node with network sets its own within minutes"
	case errors.Is(e, client.ErrUnknownIssuer):
		return "the node trusts those in settings.api.remote.client-ca; for those of this machine see: apiclient pki show --settings"
	}
	return "see what is wrong with it: apiclient pki show"
}

func unreachableHint(e *client.Unreachable) string {
	const another = "name another socket with --socket PATH or " + client.SocketVariable
	switch {
	case errors.Is(e, fs.ErrPermission):
		return "root and members of group api may use " + client.DefaultSocket + "; members of api-read name the socket for readers: --socket " + client.ReaderSocket
	case errors.Is(e, syscall.ECONNREFUSED):
		return "apiserver does not run any more; " + another
	case errors.Is(e, fs.ErrNotExist):
		return "apiserver does not run here; " + another
	}
	return another
}
