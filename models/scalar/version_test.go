package scalar_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseVersion(t *testing.T) {
	testParse(t, scalar.ParseVersion, []parseRow{
		{name: "latest", in: "latest"},
		{name: "plain", in: "1.20.3"},
		{name: "with v", in: "v1.0.0"},
		{name: "pre-release and build", in: "1.0.1-alpha+1.0"},
		{name: "hyphens in the pre-release", in: "1.0.0-a-b.-.0"},
		{name: "build with leading zeros", in: "1.0.0+001"},
		{name: "zero with letters", in: "1.0.0-0a"},
		{name: "largest number", in: "18446744073709551615.0.0"},
		{name: "empty", in: "", want: `version "" has 1 numbers instead of 3`},
		{name: "v only", in: "v", want: `version "v" has 1 numbers instead of 3`},
		{name: "two v", in: "vv1.1.0", want: `version "vv1.1.0" has the number "v1", which is not made of digits`},
		{name: "upper-case v", in: "V1.1.0", want: `version "V1.1.0" has the number "V1", which is not made of digits`},
		{name: "one number", in: "1", want: `version "1" has 1 numbers instead of 3`},
		{name: "two numbers", in: "1.0", want: `version "1.0" has 2 numbers instead of 3`},
		{name: "four numbers", in: "1.0.0.0", want: `version "1.0.0.0" has 4 numbers instead of 3`},
		{name: "leading zero", in: "1.02.0", want: `version "1.02.0" has the number "02", which starts with a zero`},
		{name: "leading zero in the pre-release", in: "1.0.3-beta.1.01", want: `version "1.0.3-beta.1.01" has the pre-release identifier "01", which starts with a zero`},
		{name: "empty pre-release", in: "1.0.0-", want: `version "1.0.0-" has the pre-release identifier "", which is empty`},
		{name: "empty build", in: "1.0.0+", want: `version "1.0.0+" has the build identifier "", which is empty`},
		{name: "two builds", in: "1.0.0+a+b", want: `version "1.0.0+a+b" has the build identifier "a+b", which holds something other than letters, digits and hyphens`},
		{name: "number too large", in: "18446744073709551616.0.0", want: `version "18446744073709551616.0.0" has the number "18446744073709551616", which does not fit in 64 bits`},
		{name: "capital", in: "Latest", want: `version "Latest" has 1 numbers instead of 3`},
		{name: "final line feed", in: "1.0.0\n", want: `version "1.0.0\n" has the number "0\n", which is not made of digits`},
	})
}

func TestVersionSemver(t *testing.T) {
	for in, want := range map[string]string{"latest": "", "v1.2.3": "1.2.3", "1.2.3": "1.2.3"} {
		v, err := scalar.ParseVersion(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Semver(); got != want {
			t.Errorf("Semver of %s = %q, want %q", in, got, want)
		}
		if got := v.IsLatest(); got != (in == "latest") {
			t.Errorf("IsLatest of %s = %t", in, got)
		}
	}
}

func FuzzVersion(f *testing.F) {
	for _, s := range []string{"latest", "v1.0.0-a.1+b", "1.0", "1.0.0-01", "1.0.0+\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkVerbatim(t, scalar.ParseVersion, s) })
}
