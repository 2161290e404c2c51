// Package containersecrets holds the settings of secrets that declared containers
// use: passwords, keys and tokens, each in one place and by a name.
package containersecrets

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group container-secrets: the secrets by name. Containers name
// those that they get (settings.containers), as variables or files. A change
// restarts the containers that use the secret, and no others. Reads hide them.
type Settings map[scalar.Identifier]scalar.Secret[Value]

// A Value is a secret: text, which may have several lines.
type Value struct{ s string }

// mostBytes bounds a secret. A key with its certificates fits.
const mostBytes = 64 << 10

// ParseValue returns the Value written as s. Errors do not quote it.
func ParseValue(s string) (Value, error) {
	switch {
	case s == "" || len(s) > mostBytes:
		return Value{}, fmt.Errorf("secret has %d bytes, want 1 to %d", len(s), mostBytes)
	case strings.ContainsRune(s, 0):
		return Value{}, fmt.Errorf("secret holds the character NUL, which no variable can hold")
	}
	return Value{s}, nil
}

// String returns the secret.
func (v Value) String() string { return v.s }

// MarshalText returns the secret.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.s), nil }

// UnmarshalText reads a secret.
func (v *Value) UnmarshalText(b []byte) (err error) { *v, err = ParseValue(string(b)); return err }

// Rule describes the type.
func (Value) Rule() scalar.Rule {
	return scalar.Rule{Name: "secret", Want: "text of 1 to 65536 bytes", Pattern: `^[^\x00]+$`, MaxBytes: mostBytes, Examples: []string{"correct horse battery staple"}}
}
