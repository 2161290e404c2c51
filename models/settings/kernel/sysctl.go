package kernel

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A SysctlKey names a kernel parameter, with dots or slashes between its parts.
type SysctlKey struct{ s string }

// ParseSysctlKey returns the SysctlKey written as s.
func ParseSysctlKey(s string) (SysctlKey, error) {
	switch {
	case s == "" || len(s) > 128:
		return SysctlKey{}, fmt.Errorf("sysctl key %.80q has %d bytes, want 1 to 128", s, len(s))
	case s[0] == '.' || s[0] == '/':
		return SysctlKey{}, fmt.Errorf("sysctl key %.80q starts with %q", s, s[0])
	case strings.Contains(s, ".."):
		return SysctlKey{}, fmt.Errorf("sysctl key %.80q has two dots in a row", s)
	}
	if i := strings.IndexFunc(s, notSysctlKey); i >= 0 {
		return SysctlKey{}, fmt.Errorf("sysctl key %.80q: byte %d is not a letter, a digit or one of . _ - /", s, i+1)
	}
	return SysctlKey{s}, nil
}

func notSysctlKey(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("._-/", r) }

var swapSeparators = strings.NewReplacer(".", "/", "/", ".")

// Path returns the file of the parameter, seen from /proc/sys. As in sysctl.d,
// the first separator decides: after a dot, dots separate and a slash stands
// for a dot inside a part, as in net.ipv4.conf.eth0/100.forwarding; after a
// slash, the key is the path.
//
// The path never leaves /proc/sys. Two slashes in a row would stand for "..",
// so in a key that has them every dot separates, and slashes do too.
func (k SysctlKey) Path() string {
	if strings.Contains(k.s, "//") {
		return strings.ReplaceAll(k.s, ".", "/")
	}
	if i := strings.IndexAny(k.s, "./"); i < 0 || k.s[i] == '/' {
		return k.s
	}
	return swapSeparators.Replace(k.s)
}

// Compare orders keys by their bytes.
func (k SysctlKey) Compare(o SysctlKey) int { return strings.Compare(k.s, o.s) }

// String returns the key as it was written.
func (k SysctlKey) String() string { return k.s }

// MarshalText returns the key as it was written.
func (k SysctlKey) MarshalText() ([]byte, error) { return []byte(k.s), nil }

// UnmarshalText reads what ParseSysctlKey accepts.
func (k *SysctlKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParseSysctlKey(string(b))
	return err
}

// Rule describes the type.
func (SysctlKey) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "sysctl key",
		Want:     "1 to 128 ASCII letters, digits and . _ - /, not starting with a dot or slash, without two dots in a row",
		Pattern:  `^[A-Za-z0-9_-][A-Za-z0-9_/-]*(\.[A-Za-z0-9_/-]+)*\.?$`,
		MaxBytes: 128,
		Examples: []string{"net.ipv4.ip_forward", "net/ipv4/conf/eth0.100/forwarding"},
	}
}
