package kernel

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A HugepageSize is the size of a page, such as 2Mi.
type HugepageSize struct{ s string }

// ParseHugepageSize returns the HugepageSize written as s.
func ParseHugepageSize(s string) (HugepageSize, error) {
	n, unit, ok := sizeParts(s)
	if !ok {
		return HugepageSize{}, fmt.Errorf("huge page size %.80q is not a number followed by Ki, Mi, Gi or Ti", s)
	}
	number, err := strconv.ParseUint(n, 10, 64)
	high, size := bits.Mul64(number, unit)
	if err != nil || high != 0 {
		return HugepageSize{}, fmt.Errorf("huge page size %.80q does not fit in 64 bits", s)
	}
	if size&(size-1) != 0 {
		return HugepageSize{}, fmt.Errorf("huge page size %q is %d bytes, which is not a power of two", s, size)
	}
	return HugepageSize{s}, nil
}

// sizeParts splits s into its digits and the bytes of its unit.
func sizeParts(s string) (number string, unit uint64, ok bool) {
	for i, suffix := range []string{"Ki", "Mi", "Gi", "Ti"} {
		if number, ok = strings.CutSuffix(s, suffix); ok {
			return number, 1 << (10 * (i + 1)), isDigits(number) && number[0] != '0'
		}
	}
	return "", 0, false
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// Bytes returns the size in bytes.
func (h HugepageSize) Bytes() uint64 {
	number, unit, _ := sizeParts(h.s)
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0 // the zero HugepageSize
	}
	return n * unit
}

// Compare orders sizes from small to large, and spellings of one size by their
// bytes.
func (h HugepageSize) Compare(o HugepageSize) int {
	switch a, b := h.Bytes(), o.Bytes(); {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return strings.Compare(h.s, o.s)
}

// String returns the size as it was written.
func (h HugepageSize) String() string { return h.s }

// MarshalText returns the size as it was written.
func (h HugepageSize) MarshalText() ([]byte, error) { return []byte(h.s), nil }

// UnmarshalText reads what ParseHugepageSize accepts.
func (h *HugepageSize) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHugepageSize(string(b))
	return err
}

// Rule describes the type.
func (HugepageSize) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "huge page size",
		Want:     "a number followed by Ki, Mi, Gi or Ti that is a power of two in bytes, such as 2Mi",
		Pattern:  `^[1-9][0-9]*(Ki|Mi|Gi|Ti)$`,
		Examples: []string{"2Mi", "1Gi"},
	}
}
