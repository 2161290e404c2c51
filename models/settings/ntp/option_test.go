package ntp_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/ntp"
)

func TestParseOption(t *testing.T) {
	valuetest.Texts(t, ntp.ParseOption, []valuetest.Text{
		{Name: "word", In: "iburst"},
		{Name: "word and value", In: " minpoll  4 "},
		{Name: "value with a sign", In: "offset -0.5"},
		{Name: "marks within a word", In: "a;b!c%d"},
		{Name: "empty", In: ""},
		{Name: "spaces", In: "  "},
		{Name: "line feed", In: "iburst\nallow", Want: `option of a time server: text: byte 7 is the control character U+000A`},
		{Name: "tab", In: "minpoll\t4", Want: `option of a time server: text: byte 8 is the control character U+0009`},
		{Name: "quote", In: `"iburst"`, Want: `option of a time server: "\"iburst\"" holds '"', which no option of chrony does`},
		{Name: "hash", In: "iburst #4", Want: `option of a time server: "#4" holds '#', which no option of chrony does`},
		{Name: "backslash", In: `iburst\`, Want: `option of a time server: "iburst\\" holds '\\', which no option of chrony does`},
		{Name: "comment", In: "iburst !4", Want: `option of a time server: "!4" starts with '!', as comments do`},
		{Name: "another space", In: "minpoll\u30004", Want: `option of a time server: "minpoll\u30004" holds '\u3000', which no option of chrony does`},
	})
}

// What is accepted gives words for one line.
func FuzzOption(f *testing.F) {
	for _, s := range []string{"iburst", "minpoll 4", "a;b", ";a", "a\u00a0b", "a#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ntp.ParseOption(s)
		if err != nil {
			return
		}
		valuetest.PrintsAs(t, v, s)
		for _, w := range strings.Fields(s) {
			if strings.ContainsAny(w, "\n\r\"'`\\#") || strings.ContainsAny(w[:1], ";!%") {
				t.Errorf("ParseOption(%q) accepts the word %q", s, w)
			}
		}
	})
}
