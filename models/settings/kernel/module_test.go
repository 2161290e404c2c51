package kernel_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kernel"
)

func TestParseModuleName(t *testing.T) {
	valuetest.Texts(t, kernel.ParseModuleName, []valuetest.Text{
		{Name: "word", In: "udf"},
		{Name: "hyphen and underscore", In: "-nf_conntrack-6"},
		{Name: "longest", In: strings.Repeat("a", 56)},
		{Name: "empty", In: "", Want: `kernel module "" has 0 bytes, want 1 to 56`},
		{Name: "too long", In: strings.Repeat("a", 57), Want: `kernel module "` + strings.Repeat("a", 57) + `" has 57 bytes, want 1 to 56`},
		{Name: "dot", In: "udf.ko", Want: `kernel module "udf.ko": byte 4 is not a letter, a digit, a hyphen or an underscore`},
		{Name: "line feed", In: "udf\n", Want: `kernel module "udf\n": byte 4 is not a letter, a digit, a hyphen or an underscore`},
	})
}

func FuzzModuleName(f *testing.F) {
	for _, s := range []string{"udf", "a b", "x\ninstall y /bin/sh", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := kernel.ParseModuleName(s); err == nil {
			valuetest.PrintsAs(t, v, s) // the pattern has no control character
		}
	})
}
