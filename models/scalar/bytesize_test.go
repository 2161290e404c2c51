package scalar_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func TestByteSize(t *testing.T) {
	testSetting[scalar.ByteSize](t, []settingRow{
		{name: "integer", in: integer("512"), out: "512"},
		{name: "zero", in: integer("0"), out: "0"},
		{name: "digits", in: syntax.NewString("512"), out: "512"},
		{name: "bytes", in: syntax.NewString("8b"), out: "8"},
		{name: "thousands", in: syntax.NewString("16kb"), out: "16000"},
		{name: "upper case", in: syntax.NewString("64MB"), out: "64000000"},
		{name: "binary", in: syntax.NewString("3mib"), out: "3145728"},
		{name: "binary, mixed case", in: syntax.NewString("10MiB"), out: "10485760"},
		{name: "fraction", in: syntax.NewString("1.5gb"), out: "1500000000"},
		{name: "fraction only", in: syntax.NewString(".5gb"), out: "500000000"},
		{name: "part of a byte", in: syntax.NewString("1.0009kb"), out: "1000"},
		{name: "leading zeros", in: syntax.NewString("007kb"), out: "7000"},
		{name: "greatest", in: syntax.NewString("9223372036854775807"), out: "9223372036854775807"},
		{name: "exbibytes", in: syntax.NewString("7EiB"), out: "8070450532247928832"},
		{name: "too great", in: syntax.NewString("8EiB"), want: `byte size "8EiB" does not fit in 63 bits`},
		{name: "too great integer", in: integer("9223372036854775808"), want: `byte size 9223372036854775808 is out of range`},
		{name: "negative integer", in: integer("-1"), want: `byte size -1 is out of range`},
		{name: "negative", in: syntax.NewString("-1kb"), want: `byte size "-1kb" is not a number with a unit`},
		{name: "empty", in: syntax.NewString(""), want: `byte size "" is not a number with a unit`},
		{name: "unit only", in: syntax.NewString("mb"), want: `byte size "mb" is not a number with a unit`},
		{name: "inner space", in: syntax.NewString("64 mb"), want: `byte size "64 mb" is not a number with a unit`},
		{name: "no b", in: syntax.NewString("64m"), want: `byte size "64m" is not a number with a unit`},
		{name: "ib", in: syntax.NewString("64ib"), want: `byte size "64ib" is not a number with a unit`},
		{name: "unknown unit", in: syntax.NewString("64zb"), want: `byte size "64zb" is not a number with a unit`},
		{name: "fraction without unit", in: syntax.NewString("1.5"), want: `byte size "1.5" has a fraction and no unit`},
		{name: "no digits after the dot", in: syntax.NewString("1.kb"), want: `byte size "1.kb" is not a number with a unit`},
		{name: "two dots", in: syntax.NewString("1.2.3kb"), want: `byte size "1.2.3kb" is not a number with a unit`},
		{name: "exponent", in: syntax.NewString("1e3b"), want: `byte size "1e3b" is not a number with a unit`},
		{name: "many digits", in: syntax.NewString(strings.Repeat("0", 65)), want: `byte size "` + strings.Repeat("0", 65) + `" has more than 64 characters`},
		{name: "boolean", in: &syntax.Node{Kind: syntax.Bool, Text: "true"}, want: `byte size is true, not an integer`},
	})
}

func TestByteSizeOrUnlimited(t *testing.T) {
	testSetting[scalar.ByteSizeOrUnlimited](t, []settingRow{
		{name: "integer", in: integer("512"), out: "512"},
		{name: "unit", in: syntax.NewString("1kib"), out: "1024"},
		{name: "unlimited", in: syntax.NewString("unlimited"), out: `"unlimited"`},
		{name: "other case", in: syntax.NewString("UNLIMITED"), want: `byte size "UNLIMITED" is not a number with a unit`},
		{name: "minus one", in: integer("-1"), want: `byte size -1 is out of range`},
	})
}

func TestByteSizeOrUnlimitedSize(t *testing.T) {
	v, err := scalar.ParseByteSizeOrUnlimited("1kib")
	if err != nil {
		t.Fatal(err)
	}
	if size, ok := v.Size(); size.Int64() != 1024 || !ok {
		t.Errorf("Size of 1kib = %s, %t, want 1024, true", size, ok)
	}
	if _, ok := (scalar.ByteSizeOrUnlimited{}).Size(); ok {
		t.Error("Size of unlimited is ok, want not")
	}
}

// What is accepted prints as digits that mean the same, and the published
// pattern accepts it too.
func FuzzByteSize(f *testing.F) {
	for _, s := range []string{"64mb", "1.5GiB", ".5kb", "8EiB", "1e9b", "９b"} {
		f.Add(s)
	}
	pattern := regexp.MustCompile(scalar.ByteSize{}.Rule().Pattern)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := scalar.ParseByteSize(s)
		if err != nil {
			return
		}
		if again, err := scalar.ParseByteSize(v.String()); err != nil || again != v {
			t.Errorf("ParseByteSize(%q) = %s, which is read as %s, %v", s, v, again, err)
		}
		if v.Int64() < 0 || !pattern.MatchString(s) {
			t.Errorf("ParseByteSize(%q) = %s, want what %s accepts, and not negative", s, v, pattern)
		}
	})
}
