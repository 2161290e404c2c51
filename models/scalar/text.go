package scalar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quote gives s in double quotes, shortened: a value of megabytes helps nobody
// in an error.
func quote(s string) string {
	const most = 80
	if len(s) <= most {
		return strconv.Quote(s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}

// controlFault says which byte of s is no text at all or a control character
// (C0, DEL, C1), or returns "".
func controlFault(s string) string {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return fmt.Sprintf("byte %d is not UTF-8", i+1)
		}
		if unicode.IsControl(r) {
			return fmt.Sprintf("byte %d is the control character %U", i+1, r)
		}
	}
	return ""
}

// isLineSeparator reports whether r ends a line without being a control
// character.
func isLineSeparator(r rune) bool { return r == '\u2028' || r == '\u2029' }
