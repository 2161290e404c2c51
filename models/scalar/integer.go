package scalar

import (
	"fmt"
	"math"
	"strconv"

	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// integerIn returns the value of n, which must be an integer from low to high.
func integerIn(name string, n *syntax.Node, low, high int64) (int64, error) {
	if n.Kind != syntax.Integer {
		return 0, fmt.Errorf("%s is %s, not an integer", name, n.Describe())
	}
	v, ok := n.Int()
	if !ok || v < low || v > high {
		return 0, fmt.Errorf("%s %s is out of range", name, n.Describe())
	}
	return v, nil
}

func bounds(low, high int64) (*int64, *int64) { return &low, &high }

// A NonNegative is an integer from 0 to 2147483647.
type NonNegative struct{ v int32 }

// NewNonNegative returns v as a NonNegative.
func NewNonNegative(v int64) (NonNegative, error) {
	if v < 0 || v > math.MaxInt32 {
		return NonNegative{}, fmt.Errorf("number %d is out of range, want 0 to %d", v, math.MaxInt32)
	}
	return NonNegative{int32(v)}, nil
}

// Int returns the number.
func (n NonNegative) Int() int { return int(n.v) }

// String returns the number in decimal.
func (n NonNegative) String() string { return strconv.Itoa(int(n.v)) }

// UnmarshalSetting reads an integer.
func (n *NonNegative) UnmarshalSetting(node *syntax.Node) error {
	v, err := integerIn("number", node, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	*n = NonNegative{int32(v)}
	return nil
}

// MarshalJSON returns the number.
func (n NonNegative) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

// Rule describes the type.
func (NonNegative) Rule() Rule {
	r := Rule{
		Name:     "non-negative integer",
		Want:     "an integer from 0 to 2147483647",
		Types:    []string{"integer"},
		Examples: []string{"0", "100"},
	}
	r.Min, r.Max = bounds(0, math.MaxInt32)
	return r
}

// unlimitedWord is how people write that there is no limit.
const unlimitedWord = "unlimited"

// A Limit is the greatest amount of something that a process may use, or
// none. No limit is stored as -1 and may be written as "unlimited".
type Limit struct{ v int64 }

// Unlimited returns the Limit that limits nothing.
func Unlimited() Limit { return Limit{-1} }

// NewLimit returns v as a Limit; -1 limits nothing.
func NewLimit(v int64) (Limit, error) {
	if v < -1 {
		return Limit{}, fmt.Errorf("limit %d is out of range, want -1 to %d", v, math.MaxInt64)
	}
	return Limit{v}, nil
}

// Int64 returns the limit, -1 where there is none.
func (l Limit) Int64() int64 { return l.v }

// IsUnlimited reports whether l limits nothing.
func (l Limit) IsUnlimited() bool { return l.v == -1 }

// Exceeds reports whether l allows more than o; unlimited allows most.
func (l Limit) Exceeds(o Limit) bool {
	if o.IsUnlimited() {
		return false
	}
	return l.IsUnlimited() || l.v > o.v
}

// String returns the limit in decimal, or "unlimited".
func (l Limit) String() string {
	if l.IsUnlimited() {
		return unlimitedWord
	}
	return strconv.FormatInt(l.v, 10)
}

// UnmarshalSetting reads an integer or the string "unlimited".
func (l *Limit) UnmarshalSetting(n *syntax.Node) error {
	if n.Kind == syntax.String {
		if n.Text != unlimitedWord {
			return fmt.Errorf("limit is the string %s, and the only string allowed is %q", quote(n.Text), unlimitedWord)
		}
		*l = Unlimited()
		return nil
	}
	v, err := integerIn("limit", n, -1, math.MaxInt64)
	if err != nil {
		return err
	}
	*l = Limit{v}
	return nil
}

// MarshalJSON returns the limit as an integer, -1 where there is none.
func (l Limit) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, l.v, 10), nil }

// Rule describes the type.
func (Limit) Rule() Rule {
	r := Rule{
		Name:     "limit",
		Want:     `an integer from -1 to 9223372036854775807, or "unlimited", which is -1`,
		Types:    []string{"integer", "string"},
		Pattern:  `^unlimited$`,
		Examples: []string{"65536", unlimitedWord},
	}
	r.Min, r.Max = bounds(-1, math.MaxInt64)
	return r
}
