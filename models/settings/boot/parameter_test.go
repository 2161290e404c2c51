package boot_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/boot"
)

func TestParseParameterName(t *testing.T) {
	valuetest.Texts(t, boot.ParseParameterName, []valuetest.Text{
		{Name: "word", In: "console"},
		{Name: "keywords", In: "systemd.log_level"},
		{Name: "hyphens and underscores around", In: "-a_.-"},
		{Name: "empty", In: "", Want: `boot parameter name is empty`},
		{Name: "leading dot", In: ".a", Want: `boot parameter name ".a" has an empty keyword`},
		{Name: "two dots", In: "a..b", Want: `boot parameter name "a..b" has an empty keyword`},
		{Name: "trailing dot", In: "a.", Want: `boot parameter name "a." has an empty keyword`},
		{Name: "equals sign", In: "a.b=c", Want: `boot parameter name "a.b=c": byte 2 of the keyword "b=c" is not a letter, a digit, a hyphen or an underscore`},
		{Name: "line feed", In: "a\n", Want: `boot parameter name "a\n": byte 2 of the keyword "a\n" is not a letter, a digit, a hyphen or an underscore`},
	})
}

func TestParseParameterValue(t *testing.T) {
	valuetest.Texts(t, boot.ParseParameterValue, []valuetest.Text{
		{Name: "empty", In: ""},
		{Name: "plain", In: "ttyS0,115200"},
		{Name: "all but quotes", In: ` !#$%&()*+,-./09:;<=>?@AZ[\]^_az{|}~` + "`"},
		{Name: "single quote", In: "it's"},
		{Name: "double quotes", In: `"a b"`},
		{Name: "both quotes", In: `it's "a"`, Want: `boot parameter value "it's \"a\"" holds both kinds of quotes`},
		{Name: "line feed", In: "a\n", Want: `boot parameter value "a\n": byte 2 is not printable ASCII`},
		{Name: "tab", In: "\t", Want: `boot parameter value "\t": byte 1 is not printable ASCII`},
		{Name: "DEL", In: "a\x7f", Want: `boot parameter value "a\x7f": byte 2 is not printable ASCII`},
		{Name: "not ASCII", In: "é", Want: `boot parameter value "é": byte 1 is not printable ASCII`},
	})
}

func FuzzParameter(f *testing.F) {
	for _, s := range []string{"console", "a..b", "it's", `"`, `'"`, "a\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { // neither pattern has control characters
		if v, err := boot.ParseParameterName(s); err == nil {
			valuetest.PrintsAs(t, v, s)
		}
		if v, err := boot.ParseParameterValue(s); err == nil {
			valuetest.PrintsAs(t, v, s)
		}
	})
}
