package scalar

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A ByteSize is a number of bytes. It may be written as a string with a unit
// and is stored as an integer.
type ByteSize struct{ v int64 }

// NewByteSize returns v bytes as a ByteSize.
func NewByteSize(v int64) (ByteSize, error) {
	if v < 0 {
		return ByteSize{}, fmt.Errorf("byte size %d is negative", v)
	}
	return ByteSize{v}, nil
}

// ParseByteSize returns the ByteSize written as s: digits, or a decimal number
// directly followed by a unit, in either case: b, kb, mb … eb count in
// thousands, kib, mib … eib in powers of 1024. A fraction of a byte is dropped.
func ParseByteSize(s string) (ByteSize, error) {
	v, fault := parseBytes(s)
	if fault != "" {
		return ByteSize{}, fmt.Errorf("byte size %s %s", quote(s), fault)
	}
	return ByteSize{v}, nil
}

// mostDigits bounds the work that a number of many digits makes; no size of 64
// bits needs more.
const mostDigits = 64

func parseBytes(s string) (v int64, fault string) {
	number, factor := splitUnit(strings.ToLower(s))
	whole, fraction, dotted := strings.Cut(number, ".")
	switch {
	case len(number) > mostDigits:
		return 0, fmt.Sprintf("has more than %d characters", mostDigits)
	case whole != "" && !isDigits(whole), dotted && !isDigits(fraction), whole == "" && !dotted:
		return 0, "is not a number with a unit"
	case dotted && factor == 0:
		return 0, "has a fraction and no unit"
	case factor == 0:
		factor = 1
	}
	r, ok := new(big.Rat).SetString("0" + number)
	if !ok {
		panic("scalar: " + number + " is not a number") // its characters were checked above
	}
	r.Mul(r, new(big.Rat).SetInt64(factor))
	bytes := new(big.Int).Quo(r.Num(), r.Denom())
	if !bytes.IsInt64() {
		return 0, "does not fit in 63 bits"
	}
	return bytes.Int64(), ""
}

// splitUnit cuts the unit off s. The factor is 0 where there is none.
func splitUnit(s string) (number string, factor int64) {
	number, isUnit := strings.CutSuffix(s, "b")
	if !isUnit {
		return s, 0
	}
	base := int64(1000)
	if n, binary := strings.CutSuffix(number, "i"); binary {
		number, base = n, 1024
	}
	if number == "" {
		return s, 0
	}
	power := strings.IndexByte("kmgtpe", number[len(number)-1])
	if power < 0 {
		if base == 1024 {
			return s, 0 // "ib" alone is no unit
		}
		return number, 1
	}
	factor = base
	for range power {
		factor *= base
	}
	return number[:len(number)-1], factor
}

// Int64 returns the number of bytes.
func (b ByteSize) Int64() int64 { return b.v }

// String returns the number of bytes in decimal.
func (b ByteSize) String() string { return strconv.FormatInt(b.v, 10) }

// UnmarshalSetting reads an integer or what ParseByteSize accepts.
func (b *ByteSize) UnmarshalSetting(n *syntax.Node) (err error) {
	if n.Kind == syntax.String {
		*b, err = ParseByteSize(n.Text)
		return err
	}
	v, err := integerIn("byte size", n, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	*b = ByteSize{v}
	return nil
}

// MarshalJSON returns the number of bytes.
func (b ByteSize) MarshalJSON() ([]byte, error) { return []byte(b.String()), nil }

// byteSizePattern is the grammar of ParseByteSize without anchors.
const byteSizePattern = `[0-9]+|([0-9]+(\.[0-9]+)?|\.[0-9]+)([KkMmGgTtPpEe][Ii]?)?[Bb]`

// Rule describes the type.
func (ByteSize) Rule() Rule {
	r := Rule{
		Name:     "byte size",
		Want:     "a number of bytes, or a string with a unit such as 64mb or 1.5GiB",
		Types:    []string{"integer", "string"},
		Pattern:  `^(` + byteSizePattern + `)$`,
		Examples: []string{"8388608", "10MiB"},
	}
	r.Min, r.Max = bounds(0, math.MaxInt64)
	return r
}

// A ByteSizeOrUnlimited is a number of bytes, or the word "unlimited", which
// is stored as such.
type ByteSizeOrUnlimited struct {
	size    ByteSize
	limited bool
}

// NewByteSizeOrUnlimited returns size as a limit.
func NewByteSizeOrUnlimited(size ByteSize) ByteSizeOrUnlimited {
	return ByteSizeOrUnlimited{size: size, limited: true}
}

// ParseByteSizeOrUnlimited returns the value written as s: "unlimited" or what
// ParseByteSize accepts.
func ParseByteSizeOrUnlimited(s string) (ByteSizeOrUnlimited, error) {
	if s == unlimitedWord {
		return ByteSizeOrUnlimited{}, nil
	}
	size, err := ParseByteSize(s)
	if err != nil {
		return ByteSizeOrUnlimited{}, err
	}
	return NewByteSizeOrUnlimited(size), nil
}

// Size returns the number of bytes; ok is false where it is unlimited.
func (b ByteSizeOrUnlimited) Size() (size ByteSize, ok bool) { return b.size, b.limited }

// String returns the number of bytes in decimal, or "unlimited".
func (b ByteSizeOrUnlimited) String() string {
	if !b.limited {
		return unlimitedWord
	}
	return b.size.String()
}

// UnmarshalSetting reads an integer or what ParseByteSizeOrUnlimited accepts.
func (b *ByteSizeOrUnlimited) UnmarshalSetting(n *syntax.Node) (err error) {
	if n.Kind == syntax.String {
		*b, err = ParseByteSizeOrUnlimited(n.Text)
		return err
	}
	var size ByteSize
	if err := size.UnmarshalSetting(n); err != nil {
		return err
	}
	*b = NewByteSizeOrUnlimited(size)
	return nil
}

// MarshalJSON returns the number of bytes, or the string "unlimited".
func (b ByteSizeOrUnlimited) MarshalJSON() ([]byte, error) {
	if !b.limited {
		return []byte(`"` + unlimitedWord + `"`), nil
	}
	return b.size.MarshalJSON()
}

// Rule describes the type.
func (ByteSizeOrUnlimited) Rule() Rule {
	r := ByteSize{}.Rule()
	r.Name = "byte size or unlimited"
	r.Want = `"unlimited", ` + r.Want
	r.Pattern = `^(` + unlimitedWord + `|` + byteSizePattern + `)$`
	r.Examples = append(r.Examples, unlimitedWord)
	return r
}
