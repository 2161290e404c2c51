package kubernetes

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A BootstrapToken lets a node ask for its first client certificate: an id of
// 6 and a secret of 16 characters, joined by a dot. Its errors do not quote it.
type BootstrapToken struct{ s string }

const tokenID, tokenBytes = 6, 23

// ParseBootstrapToken returns the token written as s.
func ParseBootstrapToken(s string) (BootstrapToken, error) {
	for i := range min(len(s), tokenBytes) {
		switch c := s[i]; {
		case i == tokenID && c != '.':
			return BootstrapToken{}, fmt.Errorf("bootstrap token: byte %d is not a dot", i+1)
		case i != tokenID && !digit(c) && (c < 'a' || 'z' < c):
			return BootstrapToken{}, fmt.Errorf("bootstrap token: byte %d is neither a lower-case letter nor a digit", i+1)
		}
	}
	if len(s) != tokenBytes {
		return BootstrapToken{}, fmt.Errorf("bootstrap token has %d bytes instead of %d", len(s), tokenBytes)
	}
	return BootstrapToken{s}, nil
}

// Rule describes the accepted tokens.
func (BootstrapToken) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "bootstrap token",
		Want:     "6 lower-case letters and digits, a dot, and 16 more",
		Pattern:  `^[a-z0-9]{6}\.[a-z0-9]{16}$`,
		MaxBytes: tokenBytes,
		Examples: []string{"abcdef.0123456789abcdef"},
	}
}

// String returns the token itself; a setting holds it inside a scalar.Secret.
func (t BootstrapToken) String() string { return t.s }

// MarshalText returns the token as it was written.
func (t BootstrapToken) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalText reads a token.
func (t *BootstrapToken) UnmarshalText(b []byte) (err error) {
	*t, err = ParseBootstrapToken(string(b))
	return err
}
