// Package duration reads spans of time that are written as numbers with units
// in falling order, such as 1h30m.
//
// It is the common ground of the settings types that differ only in the units
// they know.
package duration

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Check returns an error unless s is a sequence of numbers, each with one of
// units, which are given in the order they must have. A number is digits with
// an optional fraction.
func Check(s string, units ...[]string) error {
	if s == "" {
		return fmt.Errorf(`duration "" is empty`)
	}
	rest, last := s, -1
	for rest != "" {
		var number, unit string
		number, rest = cutNumber(rest)
		unit, rest = cutUnit(rest)
		rank := slices.IndexFunc(units, func(u []string) bool { return slices.Contains(u, unit) })
		if fault := fault(number, unit, rank, last, units); fault != "" {
			return fmt.Errorf("duration %s: %s", syntax.NewString(s).Describe(), fault)
		}
		last = rank
	}
	return nil
}

// fault says what is wrong with one part of a duration, or "".
func fault(number, unit string, rank, last int, units [][]string) string {
	switch {
	case number == "":
		return fmt.Sprintf("%s stands where a number belongs", syntax.NewString(unit).Describe())
	case !validNumber(number):
		return fmt.Sprintf("%s is not a number", syntax.NewString(number).Describe())
	case unit == "":
		return fmt.Sprintf("%s has no unit", syntax.NewString(number).Describe())
	case rank < 0:
		return fmt.Sprintf("unknown unit %s", syntax.NewString(unit).Describe())
	case rank == last:
		return fmt.Sprintf("unit %q is given twice", unit)
	case rank < last:
		return fmt.Sprintf("unit %q stands after %q", unit, units[last][0])
	}
	return ""
}

func cutNumber(s string) (number, rest string) {
	n := strings.IndexFunc(s, func(r rune) bool { return r != '.' && !digit(r) })
	if n < 0 {
		n = len(s)
	}
	return s[:n], s[n:]
}

func cutUnit(s string) (unit, rest string) {
	n := strings.IndexFunc(s, func(r rune) bool { return r == '.' || digit(r) })
	if n < 0 {
		n = len(s)
	}
	return s[:n], s[n:]
}

// validNumber accepts digits with an optional fraction: 1, 1.5, not 1. or .5.
func validNumber(s string) bool {
	whole, fraction, found := strings.Cut(s, ".")
	if whole == "" || strings.Contains(fraction, ".") {
		return false
	}
	return !found || fraction != ""
}

func digit(r rune) bool { return '0' <= r && r <= '9' }

// Value returns the span that a checked s stands for. One that does not fit
// (292 years) counts as the longest there is.
func Value(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return math.MaxInt64
	}
	return d
}
