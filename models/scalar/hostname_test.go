package scalar_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseHostname(t *testing.T) {
	long := strings.Repeat("a", 63)
	testParse(t, scalar.ParseHostname, []parseRow{
		{name: "one letter", in: "a"},
		{name: "fully qualified", in: "node-1.example.org"},
		{name: "all digits", in: "12345"},
		{name: "label ends in a hyphen", in: "web-.example.org"},
		{name: "longest label", in: long},
		{name: "longest name", in: long + "." + long + "." + long + "." + strings.Repeat("b", 61)},
		{name: "empty", in: "", want: `host name "" has 0 bytes, want 1 to 253`},
		{name: "too long", in: strings.Repeat("a.", 126) + "aa", want: `host name "` + strings.Repeat("a.", 40) + `"… has 254 bytes, want 1 to 253`},
		{name: "label too long", in: long + "a", want: `host name "` + long + `a": label "` + long + `a" has 64 bytes, want 1 to 63`},
		{name: "leading hyphen", in: "-web", want: `host name "-web": label "-web" starts with a hyphen`},
		{name: "later label with leading hyphen", in: "a.-b", want: `host name "a.-b": label "-b" starts with a hyphen`},
		{name: "leading dot", in: ".web", want: `host name ".web": label "" is empty`},
		{name: "trailing dot", in: "web.", want: `host name "web.": label "" is empty`},
		{name: "two dots", in: "a..b", want: `host name "a..b": label "" is empty`},
		{name: "upper case", in: "Web", want: `host name "Web": label "Web" holds an upper-case letter`},
		{name: "underscore", in: "a_b", want: `host name "a_b": label "a_b" holds something other than lower-case letters, digits and hyphens`},
		{name: "line feed", in: "web\n", want: `host name "web\n": label "web\n" holds something other than lower-case letters, digits and hyphens`},
		{name: "not ASCII", in: "пример", want: `host name "пример": label "пример" holds something other than lower-case letters, digits and hyphens`},
	})
}

func FuzzHostname(f *testing.F) {
	for _, s := range []string{"node-1.example.org", "-", "a..b", "a\nb", "пример"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkVerbatim(t, scalar.ParseHostname, s)
		if _, err := scalar.ParseHostname(s); err == nil {
			if i := strings.IndexAny(s, " \t\r\n\"'`$\\;#"); i >= 0 {
				t.Errorf("ParseHostname(%q) accepted %q", s, s[i])
			}
		}
	})
}
