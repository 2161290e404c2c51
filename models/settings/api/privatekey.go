package api

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A PrivateKey is a private key in base64 around PEM, without a passphrase, or
// none. Its errors do not quote it.
type PrivateKey struct{ s string }

// ParsePrivateKey returns the PrivateKey written as s. Empty text stands for
// none.
func ParsePrivateKey(s string) (PrivateKey, error) {
	if s == "" {
		return PrivateKey{}, nil
	}
	b, err := scalar.ParseBase64(s)
	if err == nil {
		_, err = decodeKey(b.Decoded())
	}
	if err != nil {
		return PrivateKey{}, fmt.Errorf("private key: %w", err)
	}
	return PrivateKey{s}, nil
}

// decodeKey returns the one key in data. What stands before its block, as the
// parameters of the curve that OpenSSL writes there, is passed over.
func decodeKey(data []byte) (crypto.Signer, error) {
	for {
		block, rest := pem.Decode(data)
		switch {
		case block == nil:
			return nil, errors.New("the decoded text holds no private key in PEM")
		case strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, errors.New("it is protected by a passphrase, which nobody could enter")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return parseKey(block.Bytes)
		}
		data = rest
	}
}

// parseKey tries the forms that a key can have. PKCS #8 is the usual one.
func parseKey(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		switch k := k.(type) {
		case *ecdsa.PrivateKey:
			return k, nil
		case ed25519.PrivateKey:
			return k, nil
		case *rsa.PrivateKey:
			return k, nil
		}
		return nil, errors.New("it is of a kind that cannot sign")
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	return nil, errors.New("the PEM block does not hold an ECDSA, Ed25519 or RSA key")
}

// IsEmpty reports whether there is no key.
func (k PrivateKey) IsEmpty() bool { return k.s == "" }

// Signer returns the key itself, or nil when there is none.
func (k PrivateKey) Signer() crypto.Signer {
	if k.IsEmpty() {
		return nil
	}
	b, err := scalar.ParseBase64(k.s)
	if err != nil {
		panic("api: " + err.Error()) // ParsePrivateKey has read it before
	}
	key, err := decodeKey(b.Decoded())
	if err != nil {
		panic("api: " + err.Error()) // as above
	}
	return key
}

// Fits reports whether k is the key of c.
func (k PrivateKey) Fits(c *x509.Certificate) bool {
	signer := k.Signer()
	if signer == nil {
		return false
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// String returns the text as it was written.
func (k PrivateKey) String() string { return k.s }

// MarshalText returns the text as it was written.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(k.s), nil }

// UnmarshalText reads what ParsePrivateKey accepts.
func (k *PrivateKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParsePrivateKey(string(b))
	return err
}

// Rule describes the type.
func (PrivateKey) Rule() scalar.Rule {
	return scalar.Rule{
		Name:    "private key",
		Want:    "base64 of PEM with an ECDSA, Ed25519 or RSA key without a passphrase, or empty text",
		Pattern: `^[A-Za-z0-9+/]*={0,2}$`,
	}
}
