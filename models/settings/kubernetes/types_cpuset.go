package kubernetes

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A CPUSet is a list of CPU numbers and ranges, such as 0-3,7.
type CPUSet struct{ s string }

// ParseCPUSet returns the set written as s.
func ParseCPUSet(s string) (CPUSet, error) {
	if s == "" {
		return CPUSet{}, fmt.Errorf(`CPU set "" is empty`)
	}
	for item := range strings.SplitSeq(s, ",") {
		if fault := cpuFault(item); fault != "" {
			return CPUSet{}, fmt.Errorf("CPU set %s: %s", quote(s), fault)
		}
	}
	return CPUSet{s}, nil
}

func cpuFault(item string) string {
	first, last, isRange := strings.Cut(item, "-")
	switch {
	case item == "":
		return "nothing stands before, between or after a comma"
	case !allDigits(first) || isRange && !allDigits(last):
		return quote(item) + " is neither a number nor a range"
	case isRange && !ascending(first, last):
		return fmt.Sprintf("range %s runs backwards", quote(item))
	}
	return ""
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return s != ""
}

// ascending compares two decimal numbers of any length.
func ascending(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return len(a) < len(b) || len(a) == len(b) && a <= b
}

// Rule describes the accepted sets.
func (CPUSet) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "CPU set",
		Want:     "CPU numbers and ascending ranges separated by commas, without spaces",
		Pattern:  `^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`,
		Examples: []string{"0-3,7"},
	}
}

// String returns the set as it was written.
func (c CPUSet) String() string { return c.s }

// MarshalText returns the set as it was written.
func (c CPUSet) MarshalText() ([]byte, error) { return []byte(c.s), nil }

// UnmarshalText reads a CPU set.
func (c *CPUSet) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCPUSet(string(b))
	return err
}
