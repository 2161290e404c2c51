package client

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// An Unreachable says that no API answers at a socket or an endpoint.
type Unreachable struct {
	Socket   string // of the two, the one that was tried
	Endpoint string
	Err      error
}

// Error names the socket and what connecting to it gave.
func (e *Unreachable) Error() string {
	return fmt.Sprintf("connect to %s: %v", cmp.Or(e.Socket, e.Endpoint), e.Err)
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// An Untrusted says that what answers at an endpoint could not be known for the
// node. Err is an *OtherFingerprint, or what crypto/x509 gives.
type Untrusted struct {
	Endpoint string
	Err      error
}

// Error names the endpoint and says what is wrong with the certificate.
func (e *Untrusted) Error() string {
	if o, ok := errors.AsType[*OtherFingerprint](e.Err); ok {
		return fmt.Sprintf("%s shows another certificate than expected: its fingerprint is %s, want %s", e.Endpoint, o.Got, o.Want)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](e.Err); ok {
		return fmt.Sprintf("the certificate of %s is not from the given CA", e.Endpoint)
	}
	return fmt.Sprintf("the certificate of %s is not good: %v", e.Endpoint, e.Err)
}

// Unwrap returns the cause.
func (e *Untrusted) Unwrap() error { return e.Err }

// An OtherFingerprint says that a certificate is not the expected one.
type OtherFingerprint struct{ Want, Got string }

// Error gives both.
func (e *OtherFingerprint) Error() string {
	return fmt.Sprintf("fingerprint %s, want %s", e.Got, e.Want)
}

// A Rejected says that a node does not accept the caller's certificate.
type Rejected struct {
	Endpoint string
	Err      error // ErrExpired, ErrOtherTime, ErrUnknownIssuer or another
}

// Why a node rejects a certificate.
var (
	ErrExpired       = errors.New("it has expired")
	ErrOtherTime     = errors.New("by the clock of the node it is not valid now")
	ErrUnknownIssuer = errors.New("the node does not know the CA that issued it")
)

// Error names the endpoint and the reason.
func (e *Rejected) Error() string {
	return fmt.Sprintf("%s does not accept the certificate: %v", e.Endpoint, e.Err)
}

// Unwrap returns the cause.
func (e *Rejected) Unwrap() error { return e.Err }

// bare takes off err what repeats the address, and says plainly that time ran
// out.
func bare(err error) error {
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time%w", hidden{err})
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if sys, ok := errors.AsType[*os.SyscallError](err); ok {
		err = sys.Err
	}
	return err
}

// A hidden error can be found and has no words.
type hidden struct{ err error }

func (hidden) Error() string   { return "" }
func (h hidden) Unwrap() error { return h.err }
