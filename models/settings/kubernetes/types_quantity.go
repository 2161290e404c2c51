package kubernetes

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A Quantity is an amount of a resource in the notation of Kubernetes: 500m,
// 1.5Gi, 129e6.
type Quantity struct{ s string }

const quantityPattern = `[+-]?[0-9.]+(e[0-9]*|[EPTGMK]i?|[numk])?`

var quantityForm = regexp.MustCompile(`^` + quantityPattern + `$`)

// ParseQuantity returns the quantity written as s.
func ParseQuantity(s string) (Quantity, error) {
	if !quantityForm.MatchString(s) {
		return Quantity{}, fmt.Errorf("quantity %s %s", quote(s), quantityFault(s))
	}
	return Quantity{s}, nil
}

// quantityFault says why s, which is no quantity, is none.
func quantityFault(s string) string {
	number, suffix := splitQuantity(s)
	switch {
	case s == "":
		return "is empty"
	case strings.Trim(number, "+-") == "":
		return "does not start with a number"
	default:
		return "has the unknown suffix " + quote(suffix)
	}
}

// splitQuantity cuts s behind its sign, digits and dots.
func splitQuantity(s string) (number, suffix string) {
	n := len(s) - len(strings.TrimLeft(s, "+-"))
	n = min(n, 1)
	for n < len(s) && (digit(s[n]) || s[n] == '.') {
		n++
	}
	return s[:n], s[n:]
}

// scales holds what Kubernetes multiplies a number with for each suffix.
var scales = map[string]float64{
	"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60,
}

// Value returns the amount as a number. It is exact enough to compare two
// quantities. ok is false for the few notations that are accepted and that
// Kubernetes does not read, such as 1.2.3 and 10K.
func (q Quantity) Value() (v float64, ok bool) {
	number, suffix := splitQuantity(q.s)
	scale, known := scales[suffix]
	if !known {
		number, scale = q.s, 1 // an exponent, or a suffix that is none
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil && !isRange(err) {
		return 0, false
	}
	return v * scale, true
}

// isRange reports whether ParseFloat read a number that is only too large.
func isRange(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}

// Rule describes the accepted quantities.
func (Quantity) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "quantity",
		Want:     "a decimal number, optionally followed by an exponent (e6) or one of the suffixes n u m k K M G T P E Ki Mi Gi Ti Pi Ei",
		Pattern:  `^` + quantityPattern + `$`,
		Examples: []string{"500m", "1.5Gi", "129e6"},
	}
}

// String returns the quantity as it was written.
func (q Quantity) String() string { return q.s }

// MarshalText returns the quantity as it was written.
func (q Quantity) MarshalText() ([]byte, error) { return []byte(q.s), nil }

// UnmarshalText reads a quantity.
func (q *Quantity) UnmarshalText(b []byte) (err error) {
	*q, err = ParseQuantity(string(b))
	return err
}

// A Threshold is the amount of a resource below which the kubelet evicts pods:
// a share of the whole, such as 5%, or a Quantity.
type Threshold struct{ s string }

const percentPattern = `0*[0-9]{1,2}(\.[0-9]+)?%`

var (
	percentForm = regexp.MustCompile(`^` + percentPattern + `$`)
	anyPercent  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?%$`)
)

// ParseThreshold returns the threshold written as s.
func ParseThreshold(s string) (Threshold, error) {
	if percentForm.MatchString(s) || quantityForm.MatchString(s) {
		return Threshold{s}, nil
	}
	return Threshold{}, fmt.Errorf("threshold %s %s", quote(s), thresholdFault(s))
}

func thresholdFault(s string) string {
	number, isPercent := strings.CutSuffix(s, "%")
	switch {
	case !isPercent:
		return quantityFault(s)
	case anyPercent.MatchString(s):
		return "is not below 100%"
	default:
		return "has " + quote(number) + " in front of the percent sign, which is not digits with an optional fraction"
	}
}

// Percent returns the number in front of the percent sign; ok is false for a
// quantity.
func (t Threshold) Percent() (p float64, ok bool) {
	number, ok := strings.CutSuffix(t.s, "%")
	if !ok {
		return 0, false
	}
	p, err := strconv.ParseFloat(number, 64)
	return p, err == nil
}

// Quantity returns the threshold as a quantity; ok is false for a percentage.
func (t Threshold) Quantity() (q Quantity, ok bool) {
	if strings.HasSuffix(t.s, "%") {
		return Quantity{}, false
	}
	return Quantity(t), true
}

// Off reports whether t never evicts, which is what 0% and 0 mean.
func (t Threshold) Off() bool {
	v, ok := t.amount()
	return ok && v == 0
}

// Compare orders two thresholds by the amount they keep free; ok is false
// where one is a percentage and the other is not.
func (t Threshold) Compare(o Threshold) (c int, ok bool) {
	_, tp := t.Percent()
	_, op := o.Percent()
	a, aok := t.amount()
	b, bok := o.amount()
	switch {
	case tp != op || !aok || !bok:
		return 0, false
	case a < b:
		return -1, true
	case a > b:
		return 1, true
	}
	return 0, true
}

func (t Threshold) amount() (float64, bool) {
	if p, ok := t.Percent(); ok {
		return p, true
	}
	return Quantity(t).Value()
}

// Rule describes the accepted thresholds.
func (Threshold) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "threshold",
		Want:     "a percentage from 0% to below 100%, or a quantity such as 500Mi",
		Pattern:  `^(` + percentPattern + `|` + quantityPattern + `)$`,
		Examples: []string{"5%", "500Mi"},
	}
}

// String returns the threshold as it was written.
func (t Threshold) String() string { return t.s }

// MarshalText returns the threshold as it was written.
func (t Threshold) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalText reads a threshold.
func (t *Threshold) UnmarshalText(b []byte) (err error) {
	*t, err = ParseThreshold(string(b))
	return err
}
