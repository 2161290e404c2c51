package boot

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A ParameterName names a boot parameter: keywords joined by dots.
type ParameterName struct{ s string }

// ParseParameterName returns the ParameterName written as s.
func ParseParameterName(s string) (ParameterName, error) {
	if s == "" {
		return ParameterName{}, fmt.Errorf("boot parameter name is empty")
	}
	for word := range strings.SplitSeq(s, ".") {
		if word == "" {
			return ParameterName{}, fmt.Errorf("boot parameter name %.80q has an empty keyword", s)
		}
		if i := strings.IndexFunc(word, notKeyword); i >= 0 {
			return ParameterName{}, fmt.Errorf("boot parameter name %.80q: byte %d of the keyword %.80q is not a letter, a digit, a hyphen or an underscore", s, i+1, word)
		}
	}
	return ParameterName{s}, nil
}

func notKeyword(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// Compare orders names by their bytes.
func (n ParameterName) Compare(o ParameterName) int { return strings.Compare(n.s, o.s) }

// String returns the name as it was written.
func (n ParameterName) String() string { return n.s }

// MarshalText returns the name as it was written.
func (n ParameterName) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// UnmarshalText reads what ParseParameterName accepts.
func (n *ParameterName) UnmarshalText(b []byte) (err error) {
	*n, err = ParseParameterName(string(b))
	return err
}

// Rule describes the type.
func (ParameterName) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "boot parameter name",
		Want:     "keywords of ASCII letters, digits, hyphens and underscores, joined by dots",
		Pattern:  `^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`,
		Examples: []string{"console", "systemd.log_level"},
	}
}

// A ParameterValue is one value of a boot parameter.
type ParameterValue struct{ s string }

// ParseParameterValue returns the ParameterValue written as s.
func ParseParameterValue(s string) (ParameterValue, error) {
	if i := strings.IndexFunc(s, notPrintable); i >= 0 {
		return ParameterValue{}, fmt.Errorf("boot parameter value %.80q: byte %d is not printable ASCII", s, i+1)
	}
	// The value is written in quotes, and there is no way to escape one.
	if strings.Contains(s, `'`) && strings.Contains(s, `"`) {
		return ParameterValue{}, fmt.Errorf("boot parameter value %.80q holds both kinds of quotes", s)
	}
	return ParameterValue{s}, nil
}

// notPrintable reports whether r is outside of printable ASCII, the only
// characters that the kernel takes in values.
func notPrintable(r rune) bool { return r < ' ' || r > '~' }

// String returns the value as it was written.
func (v ParameterValue) String() string { return v.s }

// MarshalText returns the value as it was written.
func (v ParameterValue) MarshalText() ([]byte, error) { return []byte(v.s), nil }

// UnmarshalText reads what ParseParameterValue accepts.
func (v *ParameterValue) UnmarshalText(b []byte) (err error) {
	*v, err = ParseParameterValue(string(b))
	return err
}

// Rule describes the type.
func (ParameterValue) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "boot parameter value",
		Want:     "printable ASCII without one of the two kinds of quotes",
		Pattern:  `^([ !#-~]*|[ -&(-~]*)$`,
		Examples: []string{"ttyS0,115200"},
	}
}
