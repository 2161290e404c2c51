package updates

import (
	"time"

	"github.com/bulkhead-os/bulkhead/models/internal/duration"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A Duration is a span of time: numbers with the units h, m and s, in this
// order.
type Duration struct{ s string }

// ParseDuration returns the duration written as s.
func ParseDuration(s string) (Duration, error) {
	if err := duration.Check(s, []string{"h"}, []string{"m"}, []string{"s"}); err != nil {
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
		Want:     "numbers with the units h, m and s in this order, without spaces",
		Pattern:  `^(` + n + `h)?(` + n + `m)?(` + n + `s)?$`,
		Examples: []string{"10m", "1h30m"},
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
