package secureboot

import (
	"crypto/x509"

	"github.com/bulkhead-os/bulkhead/api/authenticode"
)

// Sign returns the program in b, a PE file for 64 bits without a signature, with
// one by key. Its error is authenticode.ErrSigned when there is one.
func Sign(b []byte, key Key) ([]byte, error) {
	return authenticode.Sign(b, key.Private, key.Certificate)
}

// Verify checks that b is a program which the owner of cert signed as it is.
func Verify(b []byte, cert *x509.Certificate) error { return authenticode.Verify(b, cert) }
