package scalar_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseSingleLine(t *testing.T) {
	testParse(t, scalar.ParseSingleLine, []parseRow{
		{name: "empty", in: ""},
		{name: "plain", in: "plain text"},
		{name: "quotes and markup", in: `"a" & 'b' <c> = \n`},
		{name: "not ASCII", in: "grüße 🚀"},
		{name: "replacement character", in: "a\uFFFDb"},
		{name: "long", in: strings.Repeat("x", 5000)},
		{name: "line feed", in: "a\nb", want: "text: byte 2 is the control character U+000A"},
		{name: "carriage return", in: "a\r", want: "text: byte 2 is the control character U+000D"},
		{name: "tab", in: "a\tb", want: "text: byte 2 is the control character U+0009"},
		{name: "NUL", in: "\x00", want: "text: byte 1 is the control character U+0000"},
		{name: "DEL", in: "ab\x7f", want: "text: byte 3 is the control character U+007F"},
		{name: "C1", in: "ab\u0085", want: "text: byte 3 is the control character U+0085"},
		{name: "line separator", in: "ab\u2028", want: "text: byte 3 begins a line or paragraph separator"},
		{name: "paragraph separator", in: "\u2029", want: "text: byte 1 begins a line or paragraph separator"},
		{name: "not UTF-8", in: "ab\xffc", want: "text: byte 3 is not UTF-8"},
	})
}

func FuzzSingleLine(f *testing.F) {
	for _, s := range []string{"", "text", "a\nb", "\u2028", "\xff", "\u0085"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkVerbatim(t, scalar.ParseSingleLine, s) })
}
