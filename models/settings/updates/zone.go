package updates

import (
	_ "embed" // zones.txt
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// zones are the names of the time zone database that Go has, in order.
//
//go:embed zones.txt
var zones string

// A TimeZone is the name of a time zone in the time zone database. What its
// clocks show is for the reader to look up.
type TimeZone struct{ s string }

// ParseTimeZone returns the time zone called s.
func ParseTimeZone(s string) (TimeZone, error) {
	names := strings.Split(strings.TrimSpace(zones), "\n")
	if _, found := slices.BinarySearch(names, s); found {
		return TimeZone{s}, nil
	}
	for _, n := range names {
		if strings.EqualFold(n, s) {
			return TimeZone{}, fmt.Errorf("time zone %s is written %s", syntax.NewString(s).Describe(), n)
		}
	}
	return TimeZone{}, fmt.Errorf("time zone %s is not in the time zone database", syntax.NewString(s).Describe())
}

// Rule describes the accepted names.
func (TimeZone) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "time zone",
		Want:     "a name of the time zone database, such as Europe/Berlin or UTC",
		Pattern:  `^[A-Za-z0-9_+/-]{1,64}$`,
		MaxBytes: 64,
		Examples: []string{"Europe/Berlin", "UTC"},
	}
}

// String returns the name.
func (z TimeZone) String() string { return z.s }

// MarshalText returns the name.
func (z TimeZone) MarshalText() ([]byte, error) { return []byte(z.s), nil }

// UnmarshalText reads what ParseTimeZone accepts.
func (z *TimeZone) UnmarshalText(b []byte) (err error) {
	*z, err = ParseTimeZone(string(b))
	return err
}
