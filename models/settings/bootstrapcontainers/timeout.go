package bootstrapcontainers

import (
	"fmt"
	"time"

	"github.com/bulkhead-os/bulkhead/models/internal/duration"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A Timeout is how long a container may take: hours, minutes and seconds, in this
// order, and more than none.
type Timeout struct{ s string }

// ParseTimeout returns the Timeout written as s.
func ParseTimeout(s string) (Timeout, error) {
	if err := duration.Check(s, []string{"h"}, []string{"m"}, []string{"s"}); err != nil {
		return Timeout{}, err
	}
	if duration.Value(s) == 0 {
		return Timeout{}, fmt.Errorf("timeout %q leaves no time; leave it out for no limit", s)
	}
	return Timeout{s}, nil
}

// Value returns the time.
func (t Timeout) Value() time.Duration { return duration.Value(t.s) }

// String returns the timeout as it was written.
func (t Timeout) String() string { return t.s }

// MarshalText returns the timeout as it was written.
func (t Timeout) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalText reads a timeout.
func (t *Timeout) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTimeout(string(b))
	return err
}

// Rule describes the accepted timeouts.
func (Timeout) Rule() scalar.Rule {
	const n = `([0-9]+\.)?[0-9]+`
	return scalar.Rule{
		Name:     "timeout",
		Want:     "numbers with the units h, m and s in this order, without spaces, and more than no time",
		Pattern:  `^(` + n + `h)?(` + n + `m)?(` + n + `s)?$`,
		Examples: []string{"5m", "1h30m"},
	}
}
