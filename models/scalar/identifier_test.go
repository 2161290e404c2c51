package scalar_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseIdentifier(t *testing.T) {
	testParse(t, scalar.ParseIdentifier, []parseRow{
		{name: "word", in: "admin"},
		{name: "letters, digits, hyphens", in: "My-Container-1"},
		{name: "hyphens around", in: "-a-"},
		{name: "longest", in: strings.Repeat("a", 76)},
		{name: "empty", in: "", want: `identifier "" has 0 bytes, want 1 to 76`},
		{name: "too long", in: strings.Repeat("a", 77), want: `identifier "` + strings.Repeat("a", 77) + `" has 77 bytes, want 1 to 76`},
		{name: "underscore", in: "a_b", want: `identifier "a_b": byte 2 is not a letter, a digit or a hyphen`},
		{name: "dot", in: "a.b", want: `identifier "a.b": byte 2 is not a letter, a digit or a hyphen`},
		{name: "slash", in: "../x", want: `identifier "../x": byte 1 is not a letter, a digit or a hyphen`},
		{name: "final line feed", in: "ab\n", want: `identifier "ab\n": byte 3 is not a letter, a digit or a hyphen`},
		{name: "not ASCII", in: "é", want: `identifier "é": byte 1 is not a letter, a digit or a hyphen`},
	})
}

func FuzzIdentifier(f *testing.F) {
	for _, s := range []string{"admin", "a_b", "", "a\n", "../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkVerbatim(t, scalar.ParseIdentifier, s) })
}
