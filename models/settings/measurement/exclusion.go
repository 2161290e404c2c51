package measurement

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// An Exclusion names a setting or a table of settings that is not measured.
// It need not exist: one list serves hosts of several variants.
type Exclusion struct{ s string }

// ParseExclusion returns the Exclusion written as s.
func ParseExclusion(s string) (Exclusion, error) {
	e := Exclusion{s}
	switch name := e.Name(); {
	case name == "":
		return Exclusion{}, fmt.Errorf("excluded setting %.80q is empty", s)
	case name == "settings":
		return Exclusion{}, fmt.Errorf("excluded setting %.80q stands for all settings", s)
	case name == "measurement" || strings.HasPrefix(name, "measurement."):
		return Exclusion{}, fmt.Errorf("excluded setting %.80q belongs to the measurement, which could then be changed unseen", s)
	case strings.Contains(name, "*"):
		return Exclusion{}, fmt.Errorf("excluded setting %.80q holds a *; an entry stands for all below it as it is", s)
	case strings.ContainsFunc(name, unicode.IsControl):
		return Exclusion{}, fmt.Errorf("excluded setting %.80q holds a control character", s)
	}
	return e, nil
}

// Name returns the name of the setting without white space around it and
// without "settings." in front.
func (e Exclusion) Name() string {
	return strings.TrimPrefix(strings.TrimSpace(e.s), "settings.")
}

// String returns the entry as it was written.
func (e Exclusion) String() string { return e.s }

// MarshalText returns the entry as it was written.
func (e Exclusion) MarshalText() ([]byte, error) { return []byte(e.s), nil }

// UnmarshalText reads what ParseExclusion accepts.
func (e *Exclusion) UnmarshalText(b []byte) (err error) {
	*e, err = ParseExclusion(string(b))
	return err
}

// Rule describes the type.
func (Exclusion) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "excluded setting",
		Want:     `the name of a setting or table other than measurement, without wildcards, such as "network.hostname"`,
		Pattern:  `^[^*]+$`,
		Examples: []string{"network.hostname", "settings.kernel.sysctl"},
	}
}
