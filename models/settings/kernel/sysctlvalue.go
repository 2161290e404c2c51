package kernel

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A SysctlValue is what a kernel parameter is set to: text on one line. It may
// hold tabs, because the kernel itself prints them between several numbers. It
// may be empty.
type SysctlValue struct{ s string }

// ParseSysctlValue returns the SysctlValue written as s.
func ParseSysctlValue(s string) (SysctlValue, error) {
	if _, err := scalar.ParseSingleLine(strings.ReplaceAll(s, "\t", " ")); err != nil {
		return SysctlValue{}, fmt.Errorf("sysctl value: %w", err)
	}
	return SysctlValue{s}, nil
}

// String returns the value as it was written.
func (v SysctlValue) String() string { return v.s }

// MarshalText returns the value as it was written.
func (v SysctlValue) MarshalText() ([]byte, error) { return []byte(v.s), nil }

// UnmarshalText reads what ParseSysctlValue accepts.
func (v *SysctlValue) UnmarshalText(b []byte) (err error) {
	*v, err = ParseSysctlValue(string(b))
	return err
}

// Rule describes the type.
func (SysctlValue) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "sysctl value",
		Want:     "text without line breaks and other control characters than tabs; numbers in quotes",
		Pattern:  "^[^\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f\u2028\u2029]*$",
		Examples: []string{"1", "4096 87380 6291456"},
	}
}
