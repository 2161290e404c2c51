package scalar

import (
	"fmt"
	"strings"
)

// A SingleLine is text that stays on one line wherever it is written: it holds
// no control character and no line or paragraph separator. It may be empty.
type SingleLine struct{ s string }

// ParseSingleLine returns the SingleLine written as s. An error does not quote
// s, because passwords have this type.
func ParseSingleLine(s string) (SingleLine, error) {
	if fault := controlFault(s); fault != "" {
		return SingleLine{}, fmt.Errorf("text: %s", fault)
	}
	if i := strings.IndexFunc(s, isLineSeparator); i >= 0 {
		return SingleLine{}, fmt.Errorf("text: byte %d begins a line or paragraph separator", i+1)
	}
	return SingleLine{s}, nil
}

// String returns the text as it was written.
func (l SingleLine) String() string { return l.s }

// MarshalText returns the text as it was written.
func (l SingleLine) MarshalText() ([]byte, error) { return []byte(l.s), nil }

// UnmarshalText reads what ParseSingleLine accepts.
func (l *SingleLine) UnmarshalText(b []byte) (err error) {
	*l, err = ParseSingleLine(string(b))
	return err
}

// Rule describes the type.
func (SingleLine) Rule() Rule {
	return Rule{
		Name: "single line of text",
		Want: "text without line breaks and other control characters",
		// The two separators stand in the pattern as themselves: the dialects
		// of regular expressions agree on no other spelling.
		Pattern:  "^[^\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]*$",
		Examples: []string{"any text on one line"},
	}
}
