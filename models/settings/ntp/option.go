package ntp

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// An Option is one or several words for chrony, separated by spaces, that stand
// behind a time server. chronyd refuses a whole file for a word that it does
// not know, and no word that it knows has quotes, backslashes or comments in
// it. An Option may be empty.
type Option struct{ s string }

// ParseOption returns the Option written as s.
func ParseOption(s string) (Option, error) {
	if _, err := scalar.ParseSingleLine(s); err != nil {
		return Option{}, fmt.Errorf("option of a time server: %w", err)
	}
	for word := range strings.SplitSeq(s, " ") {
		if word != "" && strings.ContainsAny(word[:1], ";!%") {
			return Option{}, fmt.Errorf("option of a time server: %.80q starts with %q, as comments do", word, word[0])
		}
		if i := strings.IndexFunc(word, notInOption); i >= 0 {
			return Option{}, fmt.Errorf("option of a time server: %.80q holds %q, which no option of chrony does", word, []rune(word[i:])[0])
		}
	}
	return Option{s}, nil
}

func notInOption(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`\\#", r) }

// String returns the words as they were written.
func (o Option) String() string { return o.s }

// MarshalText returns the words as they were written.
func (o Option) MarshalText() ([]byte, error) { return []byte(o.s), nil }

// UnmarshalText reads what ParseOption accepts.
func (o *Option) UnmarshalText(b []byte) (err error) {
	*o, err = ParseOption(string(b))
	return err
}

// Rule describes the type.
func (Option) Rule() scalar.Rule {
	const first, more = "[^\\x00-\\x20\\x7f-\\xa0\u2028\u2029\"'`\\\\#;!%]", "[^\\x00-\\x20\\x7f-\\xa0\u2028\u2029\"'`\\\\#]"
	return scalar.Rule{
		Name:     "option of a time server",
		Want:     "options of chrony such as iburst, without quotes, backslashes, comments and control characters",
		Pattern:  "^ *(" + first + more + "*( +|$))*$",
		Examples: []string{"iburst", "minpoll 4"},
	}
}
