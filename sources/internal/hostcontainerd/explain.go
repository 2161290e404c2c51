package hostcontainerd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
)

// A fault says in plain words why there is no image, for those who read the
// journal, before the words of those who found out.
type fault struct {
	words string
	cause error
	final bool // trying again soon leads to the same
}

func (f *fault) Error() string { return f.words + ": " + f.cause.Error() }
func (f *fault) Unwrap() error { return f.cause }

// explained returns err with what it means, where that is known.
func explained(err error) error {
	if err == nil {
		return nil
	}
	for _, explain := range []func(error) *fault{byStatus, byConnection, byContent} {
		if f := explain(err); f != nil {
			f.cause = err
			return f
		}
	}
	return err
}

// final reports whether trying again soon would lead to the same.
func final(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.final
}

// byStatus explains what a registry answers.
func byStatus(err error) *fault {
	status, ok := errors.AsType[remoteerrors.ErrUnexpectedStatus](err)
	switch {
	case errors.Is(err, docker.ErrInvalidAuthorization), ok && status.StatusCode == http.StatusUnauthorized:
		return &fault{words: "the registry wants credentials, or other ones than settings.container-registry has", final: true}
	case ok && status.StatusCode == http.StatusForbidden:
		return &fault{words: "the registry refuses to give it to whom the credentials are of", final: true}
	case errdefs.IsNotFound(err), ok && status.StatusCode == http.StatusNotFound:
		return &fault{words: "the registry has no such image", final: true}
	case ok && status.StatusCode == http.StatusTooManyRequests:
		return &fault{words: "the registry has too many requests"}
	case ok && status.StatusCode >= http.StatusInternalServerError:
		return &fault{words: "the registry does not work"}
	}
	return nil
}

// byConnection explains why no registry answers.
func byConnection(err error) *fault {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		noName   *net.DNSError
		noServer *net.OpError
	)
	switch {
	case errors.As(err, &unknown):
		return &fault{words: "nobody that is trusted vouches for the registry; its authority belongs into settings.pki"}
	case errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verify):
		return &fault{words: "the certificate of the registry is not valid"}
	case errors.Is(err, errSlow):
		return &fault{words: "the registry is too slow"}
	case errors.As(err, &noName):
		return &fault{words: "the name of the registry is not known"}
	case errors.As(err, &noServer) && noServer.Op == "dial", errors.Is(err, errUnreachable):
		return &fault{words: "the registry cannot be reached"}
	}
	return nil
}

// isFull reports whether there is no room for something.
func isFull(err error) bool {
	return err != nil && (errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), syscall.ENOSPC.Error()))
}

// byContent explains what is wrong with the image or its place. containerd tells
// it in words.
func byContent(err error) *fault {
	text := err.Error()
	switch {
	case isFull(err):
		return &fault{words: "there is no room left for the image", final: true}
	case strings.Contains(text, "unexpected commit digest"), strings.Contains(text, "failed digest validation"):
		return &fault{words: "what the registry gives is not what it promised"}
	case strings.Contains(text, "failed to extract layer"), strings.Contains(text, "apply layer"):
		return &fault{words: "a layer of the image cannot be unpacked", final: true}
	}
	return nil
}
