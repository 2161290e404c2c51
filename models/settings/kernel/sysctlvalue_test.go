package kernel_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kernel"
)

func TestParseSysctlValue(t *testing.T) {
	valuetest.Texts(t, kernel.ParseSysctlValue, []valuetest.Text{
		{Name: "number", In: "1"},
		{Name: "as the kernel prints several", In: "4096\t87380\t6291456"},
		{Name: "pattern of names", In: "|/usr/bin/false %P %u"},
		{Name: "empty", In: ""},
		{Name: "line feed", In: "1\nkernel.panic = 1", Want: `sysctl value: text: byte 2 is the control character U+000A`},
		{Name: "after a tab", In: "1\t\r", Want: `sysctl value: text: byte 3 is the control character U+000D`},
		{Name: "NUL", In: "\x00", Want: `sysctl value: text: byte 1 is the control character U+0000`},
		{Name: "line separator", In: "a\u2028", Want: `sysctl value: text: byte 2 begins a line or paragraph separator`},
		{Name: "no text", In: "\xff", Want: `sysctl value: text: byte 1 is not UTF-8`},
	})
}

// A value cannot end its line in a file for systemd-sysctl.
func FuzzSysctlValue(f *testing.F) {
	for _, s := range []string{"1", "a\tb", "a\nb", "a\u2029"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := kernel.ParseSysctlValue(s)
		if err != nil {
			return
		}
		valuetest.PrintsAs(t, v, s)
		if strings.ContainsAny(s, "\n\r\x00\v\f\u0085") {
			t.Errorf("ParseSysctlValue(%q) accepts what ends a line", s)
		}
	})
}
