package kubernetes

import (
	"fmt"
	"math"
	"strconv"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// An IntegerPercent is a whole number from 0 to 100, written as a number or as
// a string. It is stored the way it was written.
type IntegerPercent struct {
	n      uint8
	quoted bool
}

// ParseIntegerPercent returns the percentage written as the string s.
func ParseIntegerPercent(s string) (IntegerPercent, error) {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n > 100 || strconv.FormatUint(n, 10) != s {
		return IntegerPercent{}, fmt.Errorf("percentage %s is not a whole number from 0 to 100 in plain digits", quote(s))
	}
	return IntegerPercent{n: uint8(n), quoted: true}, nil
}

// UnmarshalSetting reads a number or a string.
func (p *IntegerPercent) UnmarshalSetting(n *syntax.Node) (err error) {
	if n.Kind == syntax.String {
		*p, err = ParseIntegerPercent(n.Text)
		return err
	}
	v, err := integerIn("percentage", n, 0, 100)
	if err == nil {
		*p = IntegerPercent{n: uint8(v)}
	}
	return err
}

// Value returns the number.
func (p IntegerPercent) Value() int { return int(p.n) }

// String returns the number in digits.
func (p IntegerPercent) String() string { return strconv.Itoa(int(p.n)) }

// MarshalJSON returns the number in the form it was given.
func (p IntegerPercent) MarshalJSON() ([]byte, error) {
	if p.quoted {
		return []byte(`"` + p.String() + `"`), nil
	}
	return []byte(p.String()), nil
}

// Rule describes the accepted percentages.
func (IntegerPercent) Rule() scalar.Rule {
	least, most := int64(0), int64(100)
	return scalar.Rule{
		Name:     "percentage",
		Want:     "a whole number from 0 to 100, as a number or as a string of digits",
		Types:    []string{"integer", "string"},
		Pattern:  `^(0|[1-9][0-9]?|100)$`,
		Min:      &least,
		Max:      &most,
		Examples: []string{"85"},
	}
}

// integerIn reads an integer between least and most; name is that of its type.
func integerIn(name string, n *syntax.Node, least, most int64) (int64, error) {
	if n.Kind != syntax.Integer {
		return 0, fmt.Errorf("%s %s is not an integer", name, n.Describe())
	}
	v, ok := n.Int()
	switch {
	case ok && v < least:
		return 0, fmt.Errorf("%s %d is less than %d", name, v, least)
	case !ok || v > most:
		return 0, fmt.Errorf("%s %s is more than %d", name, n.Describe(), most)
	}
	return v, nil
}

// A NUMANodeLimit is the largest number of NUMA nodes on which the topology
// manager works; the kubelet takes no less than 8.
type NUMANodeLimit struct{ n uint32 }

const leastNUMANodes = 8

// UnmarshalSetting reads an integer.
func (l *NUMANodeLimit) UnmarshalSetting(n *syntax.Node) error {
	v, err := integerIn("NUMA node limit", n, leastNUMANodes, math.MaxUint32)
	if err == nil {
		*l = NUMANodeLimit{uint32(v)}
	}
	return err
}

// Value returns the number.
func (l NUMANodeLimit) Value() uint32 { return l.n }

// MarshalJSON returns the number.
func (l NUMANodeLimit) MarshalJSON() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(l.n), 10), nil
}

// Rule describes the accepted limits.
func (NUMANodeLimit) Rule() scalar.Rule {
	least, most := int64(leastNUMANodes), int64(math.MaxUint32)
	return scalar.Rule{
		Name:     "NUMA node limit",
		Want:     "an integer from 8 to 4294967295",
		Types:    []string{"integer"},
		Min:      &least,
		Max:      &most,
		Examples: []string{"16"},
	}
}

// IDsPerPod is how many user and group ids a pod with a user namespace of its
// own gets: whole blocks of 65536.
type IDsPerPod struct{ n int64 }

const idBlock = 1 << 16

// UnmarshalSetting reads an integer.
func (p *IDsPerPod) UnmarshalSetting(n *syntax.Node) error {
	v, err := integerIn("number of ids", n, math.MinInt64, math.MaxUint32)
	if err != nil {
		return err
	}
	if v%idBlock != 0 {
		return fmt.Errorf("number of ids %d is not a multiple of %d", v, idBlock)
	}
	*p = IDsPerPod{v}
	return nil
}

// Value returns the number.
func (p IDsPerPod) Value() int64 { return p.n }

// MarshalJSON returns the number.
func (p IDsPerPod) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, p.n, 10), nil }

// Rule describes the accepted numbers.
func (IDsPerPod) Rule() scalar.Rule {
	most := int64(math.MaxUint32)
	return scalar.Rule{
		Name:     "number of ids",
		Want:     "a multiple of 65536 below 4294967296",
		Types:    []string{"integer"},
		Max:      &most,
		Examples: []string{"65536"},
	}
}

// A ThrottlingFactor is a share above 0 and up to 1.
type ThrottlingFactor struct{ f float64 }

// UnmarshalSetting reads a number.
func (t *ThrottlingFactor) UnmarshalSetting(n *syntax.Node) error {
	if n.Kind != syntax.Float && n.Kind != syntax.Integer {
		return fmt.Errorf("throttling factor %s is not a number", n.Describe())
	}
	v, err := strconv.ParseFloat(n.Text, 64)
	if err != nil || math.IsNaN(v) || v <= 0 || v > 1 {
		return fmt.Errorf("throttling factor %s is not above 0 and at most 1", n.Describe())
	}
	*t = ThrottlingFactor{v}
	return nil
}

// Value returns the number.
func (t ThrottlingFactor) Value() float64 { return t.f }

// MarshalJSON returns the number in decimal, with as many digits as it needs.
func (t ThrottlingFactor) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, t.f, 'f', -1, 64), nil
}

// Rule describes the accepted factors.
func (ThrottlingFactor) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "throttling factor",
		Want:     "a number above 0 and at most 1",
		Types:    []string{"number", "integer"},
		Examples: []string{"0.9"},
	}
}
