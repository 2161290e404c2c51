package scalar

import (
	"fmt"
	"strings"
)

// An Identifier names an entry of a map, such as a host container or a
// bundle of certificates. It is comparable, to be the key of the map.
type Identifier struct{ s string }

// ParseIdentifier returns the Identifier written as s.
func ParseIdentifier(s string) (Identifier, error) {
	if s == "" || len(s) > 76 {
		return Identifier{}, fmt.Errorf("identifier %s has %d bytes, want 1 to 76", quote(s), len(s))
	}
	if i := strings.IndexFunc(s, notIdentifier); i >= 0 {
		return Identifier{}, fmt.Errorf("identifier %s: byte %d is not a letter, a digit or a hyphen", quote(s), i+1)
	}
	return Identifier{s}, nil
}

func notIdentifier(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
}

// Compare orders identifiers by their bytes.
func (i Identifier) Compare(o Identifier) int { return strings.Compare(i.s, o.s) }

// String returns the name as it was written.
func (i Identifier) String() string { return i.s }

// MarshalText returns the name as it was written.
func (i Identifier) MarshalText() ([]byte, error) { return []byte(i.s), nil }

// UnmarshalText reads what ParseIdentifier accepts.
func (i *Identifier) UnmarshalText(b []byte) (err error) {
	*i, err = ParseIdentifier(string(b))
	return err
}

// Rule describes the type.
func (Identifier) Rule() Rule {
	return Rule{
		Name:     "identifier",
		Want:     "1 to 76 ASCII letters, digits and hyphens",
		Pattern:  `^[A-Za-z0-9-]{1,76}$`,
		MaxBytes: 76,
		Examples: []string{"admin", "my-container"},
	}
}
