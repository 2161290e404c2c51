package kernel

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// maxModuleName is the kernel's limit on 64-bit machines.
const maxModuleName = 56

// A ModuleName is the name of a kernel module.
type ModuleName struct{ s string }

// ParseModuleName returns the ModuleName written as s.
func ParseModuleName(s string) (ModuleName, error) {
	if s == "" || len(s) > maxModuleName {
		return ModuleName{}, fmt.Errorf("kernel module %.80q has %d bytes, want 1 to %d", s, len(s), maxModuleName)
	}
	if i := strings.IndexFunc(s, notModuleName); i >= 0 {
		return ModuleName{}, fmt.Errorf("kernel module %q: byte %d is not a letter, a digit, a hyphen or an underscore", s, i+1)
	}
	return ModuleName{s}, nil
}

func notModuleName(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '_' }

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// Compare orders names by their bytes.
func (m ModuleName) Compare(o ModuleName) int { return strings.Compare(m.s, o.s) }

// String returns the name as it was written.
func (m ModuleName) String() string { return m.s }

// MarshalText returns the name as it was written.
func (m ModuleName) MarshalText() ([]byte, error) { return []byte(m.s), nil }

// UnmarshalText reads what ParseModuleName accepts.
func (m *ModuleName) UnmarshalText(b []byte) (err error) {
	*m, err = ParseModuleName(string(b))
	return err
}

// Rule describes the type.
func (ModuleName) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "kernel module",
		Want:     "1 to 56 ASCII letters, digits, hyphens and underscores",
		Pattern:  `^[A-Za-z0-9_-]{1,56}$`,
		MaxBytes: maxModuleName,
		Examples: []string{"udf", "nf_conntrack"},
	}
}
