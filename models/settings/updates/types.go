package updates

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A Weekday is a day of the week by its first three letters.
type Weekday string

// Rule lists the days.
func (Weekday) Rule() scalar.Rule {
	return scalar.Enum("day of the week", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
}

// Is reports whether d is the day w.
func (d Weekday) Is(w time.Weekday) bool {
	return strings.HasPrefix(strings.ToLower(w.String()), string(d))
}

// A TimeOfDay is an hour and a minute as clocks on a wall show them, from 00:00
// to 24:00.
type TimeOfDay struct {
	s       string
	minutes int
}

// ParseTimeOfDay returns the time written as s.
func ParseTimeOfDay(s string) (TimeOfDay, error) {
	fault := func(what string) (TimeOfDay, error) {
		return TimeOfDay{}, fmt.Errorf("time of day %s %s", syntax.NewString(s).Describe(), what)
	}
	if len(s) != 5 || s[2] != ':' || strings.Trim(s[:2]+s[3:], "0123456789") != "" {
		return fault("is not an hour and a minute such as 02:30")
	}
	h, err := strconv.Atoi(s[:2])
	if err != nil {
		return fault("has no hour")
	}
	m, err := strconv.Atoi(s[3:])
	switch {
	case err != nil || m > 59:
		return fault("has a minute above 59")
	case h*60+m > 24*60:
		return fault("is past 24:00")
	}
	return TimeOfDay{s, h*60 + m}, nil
}

// Minutes returns the minutes since 00:00.
func (t TimeOfDay) Minutes() int { return t.minutes }

// Rule describes the accepted times.
func (TimeOfDay) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "time of day",
		Want:     "hours and minutes with two digits each, 00:00 to 24:00",
		Pattern:  `^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`,
		MaxBytes: 5,
		Examples: []string{"02:30", "24:00"},
	}
}

// String returns the time as it was written.
func (t TimeOfDay) String() string { return t.s }

// MarshalText returns the time as it was written.
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalText reads what ParseTimeOfDay accepts.
func (t *TimeOfDay) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTimeOfDay(string(b))
	return err
}

// A Line is the beginning of versions: "1" stands for 1.x.y, "1.20" for 1.20.y,
// and "1.20.3" for that version and what leads to it.
type Line struct{ s string }

// ParseLine returns the line written as s.
func ParseLine(s string) (Line, error) {
	numbers := strings.Split(s, ".")
	if len(numbers) > 3 {
		return Line{}, fmt.Errorf("line of versions %s has %d numbers, want 1 to 3", syntax.NewString(s).Describe(), len(numbers))
	}
	for _, n := range numbers {
		if _, err := strconv.ParseUint(n, 10, 64); err != nil || len(n) > 1 && n[0] == '0' || n[0] == '+' {
			return Line{}, fmt.Errorf("line of versions %s holds %s, which is not a number", syntax.NewString(s).Describe(), syntax.NewString(n).Describe())
		}
	}
	return Line{s}, nil
}

// Holds reports whether a version, without a v in front, is in the line.
func (l Line) Holds(version string) bool {
	rest, found := strings.CutPrefix(version, l.s)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '-')
}

// Rule describes the accepted lines.
func (Line) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "line of versions",
		Want:     "the first one, two or three numbers of a version",
		Pattern:  `^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){0,2}$`,
		Examples: []string{"1", "1.20"},
	}
}

// String returns the line as it was written.
func (l Line) String() string { return l.s }

// MarshalText returns the line as it was written.
func (l Line) MarshalText() ([]byte, error) { return []byte(l.s), nil }

// UnmarshalText reads what ParseLine accepts.
func (l *Line) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLine(string(b))
	return err
}
