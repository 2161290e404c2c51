package kubernetes

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// quote renders a value for an error, shortened where it is long.
func quote(s string) string { return syntax.NewString(s).Describe() }

func alnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digit(c)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// foreign returns the first byte of s that is neither a letter, a digit nor in
// extra, as a quoted piece of text; ok is false where there is none.
func foreign(s, extra string) (piece string, ok bool) {
	for i, r := range s {
		if r > 0x7F || !alnum(byte(r)) && strings.IndexByte(extra, byte(r)) < 0 {
			_, size := utf8.DecodeRuneInString(s[i:])
			return fmt.Sprintf("%q", s[i:i+size]), true
		}
	}
	return "", false
}

// A ClusterName is the name of a Kubernetes cluster as its provider knows it.
type ClusterName struct{ s string }

const clusterNameMax, labelMax = 100, 63

// ParseClusterName returns the cluster name written as s. Two generations of
// the rule are in use, and what either accepts is accepted: up to 100 letters,
// digits, hyphens and underscores, or a label value, which may hold dots.
func ParseClusterName(s string) (ClusterName, error) {
	if fault := clusterNameFault(s); fault != "" {
		return ClusterName{}, fmt.Errorf("cluster name %s %s", quote(s), fault)
	}
	return ClusterName{s}, nil
}

func clusterNameFault(s string) string {
	if s == "" {
		return "is empty"
	}
	if piece, found := foreign(s, "._-"); found {
		return "holds " + piece
	}
	if !alnum(s[0]) {
		return fmt.Sprintf("starts with %q", s[:1])
	}
	dotted := strings.Contains(s, ".")
	switch {
	case dotted && len(s) > labelMax:
		return fmt.Sprintf("holds a dot and has %d bytes, more than %d", len(s), labelMax)
	case dotted && !alnum(s[len(s)-1]):
		return fmt.Sprintf("holds a dot and ends with %q", s[len(s)-1:])
	case len(s) > clusterNameMax:
		return fmt.Sprintf("has %d bytes, more than %d", len(s), clusterNameMax)
	}
	return ""
}

// Rule describes the accepted names.
func (ClusterName) Rule() scalar.Rule {
	return scalar.Rule{
		Name: "cluster name",
		Want: "1 to 100 letters, digits, hyphens and underscores that start with a letter or digit; " +
			"with dots at most 63 that also end with a letter or digit",
		Pattern:  `^([0-9A-Za-z][0-9A-Za-z_-]{0,99}|[0-9A-Za-z]([0-9A-Za-z._-]{0,61}[0-9A-Za-z])?)$`,
		MaxBytes: clusterNameMax,
		Examples: []string{"production", "eu-west_2"},
	}
}

// String returns the name as it was written.
func (n ClusterName) String() string { return n.s }

// MarshalText returns the name as it was written.
func (n ClusterName) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// UnmarshalText reads a cluster name.
func (n *ClusterName) UnmarshalText(b []byte) (err error) {
	*n, err = ParseClusterName(string(b))
	return err
}

// A LabelKey is the name of a node label or taint: an optional prefix with a
// slash, then the name proper.
type LabelKey struct{ s string }

const labelPrefixMax = 253

// ParseLabelKey returns the label key written as s.
func ParseLabelKey(s string) (LabelKey, error) {
	prefix, name, found := strings.Cut(s, "/")
	if !found {
		prefix, name = "", s
	}
	fault := nameFault(name)
	if found && fault == "" {
		fault = prefixFault(prefix)
	}
	switch {
	case s == "":
		fault = "is empty"
	case found && name == "":
		fault = "has nothing after the slash"
	}
	if fault != "" {
		return LabelKey{}, fmt.Errorf("label key %s %s", quote(s), fault)
	}
	return LabelKey{s}, nil
}

func prefixFault(s string) string {
	if s == "" {
		return "has nothing before the slash"
	}
	if len(s) > labelPrefixMax {
		return fmt.Sprintf("has %d bytes before the slash, more than %d", len(s), labelPrefixMax)
	}
	if piece, found := foreign(s, ".-"); found {
		return "holds " + piece + " before the slash"
	}
	return ""
}

// nameFault says what keeps a non-empty s from being a label value or the name
// part of a label key.
func nameFault(s string) string {
	if s == "" {
		return ""
	}
	if piece, found := foreign(s, "._-"); found {
		return "holds " + piece
	}
	switch {
	case !alnum(s[0]):
		return fmt.Sprintf("starts with %q", s[:1])
	case !alnum(s[len(s)-1]):
		return fmt.Sprintf("ends with %q", s[len(s)-1:])
	case len(s) > labelMax:
		return fmt.Sprintf("has a name of %d bytes, more than %d", len(s), labelMax)
	}
	return ""
}

// Rule describes the accepted keys.
func (LabelKey) Rule() scalar.Rule {
	return scalar.Rule{
		Name: "label key",
		Want: "a name of 1 to 63 letters, digits, dots, hyphens and underscores that starts and ends with a letter or digit, " +
			"optionally behind a prefix of letters, digits, dots and hyphens and a slash",
		Pattern:  `^([A-Za-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`,
		MaxBytes: labelPrefixMax + 1 + labelMax,
		Examples: []string{"topology.kubernetes.io/zone", "rack"},
	}
}

// String returns the key as it was written.
func (k LabelKey) String() string { return k.s }

// MarshalText returns the key as it was written.
func (k LabelKey) MarshalText() ([]byte, error) { return []byte(k.s), nil }

// UnmarshalText reads a label key.
func (k *LabelKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParseLabelKey(string(b))
	return err
}

// A LabelValue is the value of a node label. It may be empty.
type LabelValue struct{ s string }

// ParseLabelValue returns the label value written as s.
func ParseLabelValue(s string) (LabelValue, error) {
	if fault := nameFault(s); fault != "" {
		return LabelValue{}, fmt.Errorf("label value %s %s", quote(s), fault)
	}
	return LabelValue{s}, nil
}

// Rule describes the accepted values.
func (LabelValue) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "label value",
		Want:     "nothing, or 1 to 63 letters, digits, dots, hyphens and underscores that start and end with a letter or digit",
		Pattern:  `^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$`,
		MaxBytes: labelMax,
		Examples: []string{"eu-west-1a"},
	}
}

// String returns the value as it was written.
func (v LabelValue) String() string { return v.s }

// MarshalText returns the value as it was written.
func (v LabelValue) MarshalText() ([]byte, error) { return []byte(v.s), nil }

// UnmarshalText reads a label value.
func (v *LabelValue) UnmarshalText(b []byte) (err error) {
	*v, err = ParseLabelValue(string(b))
	return err
}
