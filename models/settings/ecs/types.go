package ecs

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bulkhead-os/bulkhead/models/internal/duration"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

const attributeMax = 128

// An AttributeKey is the name of an attribute of the node.
type AttributeKey struct{ s string }

// ParseAttributeKey returns the attribute name written as s.
func ParseAttributeKey(s string) (AttributeKey, error) {
	if fault := attributeFault(s, "._/-"); fault != "" {
		return AttributeKey{}, fmt.Errorf("attribute name %s %s", syntax.NewString(s).Describe(), fault)
	}
	return AttributeKey{s}, nil
}

// attributeFault says what keeps s from being 1 to 128 letters, digits and
// characters of extra.
func attributeFault(s, extra string) string {
	if s == "" {
		return "is empty"
	}
	if len(s) > attributeMax {
		return fmt.Sprintf("has %d bytes, more than %d", len(s), attributeMax)
	}
	for i, r := range s {
		if r > 0x7F || !alnum(byte(r)) && strings.IndexByte(extra, byte(r)) < 0 {
			_, size := utf8.DecodeRuneInString(s[i:])
			return fmt.Sprintf("holds %q", s[i:i+size])
		}
	}
	return ""
}

func alnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Rule describes the accepted names.
func (AttributeKey) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "attribute name",
		Want:     "1 to 128 letters, digits and . _ / -",
		Pattern:  `^[a-zA-Z0-9._/-]{1,128}$`,
		MaxBytes: attributeMax,
		Examples: []string{"stack"},
	}
}

// String returns the name as it was written.
func (k AttributeKey) String() string { return k.s }

// MarshalText returns the name as it was written.
func (k AttributeKey) MarshalText() ([]byte, error) { return []byte(k.s), nil }

// UnmarshalText reads an attribute name.
func (k *AttributeKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParseAttributeKey(string(b))
	return err
}

// An AttributeValue is the value of an attribute of the node.
type AttributeValue struct{ s string }

// ParseAttributeValue returns the attribute value written as s.
func ParseAttributeValue(s string) (AttributeValue, error) {
	fault := attributeFault(s, `.@:_/\- `)
	if fault == "" && strings.Trim(s, " ") != s {
		fault = "starts or ends with a space"
	}
	if fault != "" {
		return AttributeValue{}, fmt.Errorf("attribute value %s %s", syntax.NewString(s).Describe(), fault)
	}
	return AttributeValue{s}, nil
}

// Rule describes the accepted values.
func (AttributeValue) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "attribute value",
		Want:     `1 to 128 letters, digits, . @ : _ / \ - and inner spaces`,
		Pattern:  `^[a-zA-Z0-9.@:_/\\-]([a-zA-Z0-9.@: _/\\-]{0,126}[a-zA-Z0-9.@:_/\\-])?$`,
		MaxBytes: attributeMax,
		Examples: []string{"production"},
	}
}

// String returns the value as it was written.
func (v AttributeValue) String() string { return v.s }

// MarshalText returns the value as it was written.
func (v AttributeValue) MarshalText() ([]byte, error) { return []byte(v.s), nil }

// UnmarshalText reads an attribute value.
func (v *AttributeValue) UnmarshalText(b []byte) (err error) {
	*v, err = ParseAttributeValue(string(b))
	return err
}

// A LogLevel names the least important messages that are logged.
type LogLevel string

// Rule lists the levels.
func (LogLevel) Rule() scalar.Rule {
	return scalar.Enum("log level", "debug", "info", "warn", "error", "crit")
}

// An ImagePullBehavior says when images are pulled.
type ImagePullBehavior string

// Rule lists the behaviours.
func (ImagePullBehavior) Rule() scalar.Rule {
	return scalar.Enum("image pull behavior", "default", "always", "once", "prefer-cached")
}

// A Duration is a span of time: numbers with the units h, m, s, ms, us (or µs)
// and ns, in this order.
type Duration struct{ s string }

// ParseDuration returns the duration written as s.
func ParseDuration(s string) (Duration, error) {
	err := duration.Check(s, []string{"h"}, []string{"m"}, []string{"s"}, []string{"ms"}, []string{"us", "µs"}, []string{"ns"})
	if err != nil {
		return Duration{}, err
	}
	return Duration{s}, nil
}

// Value returns the span. One longer than 292 years counts as that.
func (d Duration) Value() time.Duration { return duration.Value(d.s) }

// Rule describes the accepted durations.
func (Duration) Rule() scalar.Rule {
	const n = `([0-9]+\.)?[0-9]+`
	return scalar.Rule{
		Name:     "duration",
		Want:     "numbers with the units h, m, s, ms, us and ns in this order, without spaces",
		Pattern:  `^(` + n + `h)?(` + n + `m)?(` + n + `s)?(` + n + `ms)?(` + n + `(u|µ)s)?(` + n + `ns)?$`,
		Examples: []string{"1h30m", "45s"},
	}
}

// String returns the duration as it was written.
func (d Duration) String() string { return d.s }

// MarshalText returns the duration as it was written.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.s), nil }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}
