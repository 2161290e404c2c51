package duration_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/duration"
)

var units = [][]string{{"h"}, {"m"}, {"s"}, {"ms"}, {"µs", "us"}}

func TestCheck(t *testing.T) {
	tests := []struct {
		name, in string
		want     string // the error, or empty where in is accepted
	}{
		{name: "all units", in: "1h2m3s10ms4us"},
		{name: "other spelling", in: "4µs"},
		{name: "fractions", in: "1.5h3.5m"},
		{name: "leading zeros", in: "007s"},
		{name: "zero", in: "0s"},
		{name: "empty", in: "", want: `duration "" is empty`},
		{name: "no unit", in: "30", want: `duration "30": "30" has no unit`},
		{name: "last part without unit", in: "1h30", want: `duration "1h30": "30" has no unit`},
		{name: "wrong order", in: "1m2h", want: `duration "1m2h": unit "h" stands after "m"`},
		{name: "twice", in: "1m2m", want: `duration "1m2m": unit "m" is given twice`},
		{name: "two spellings", in: "1us2µs", want: `duration "1us2µs": unit "µs" is given twice`},
		{name: "unknown unit", in: "9ns", want: `duration "9ns": unknown unit "ns"`},
		{name: "upper case", in: "1H", want: `duration "1H": unknown unit "H"`},
		{name: "sign", in: "-1s", want: `duration "-1s": "-" stands where a number belongs`},
		{name: "unit alone", in: "s", want: `duration "s": "s" stands where a number belongs`},
		{name: "no whole part", in: ".5h", want: `duration ".5h": ".5" is not a number`},
		{name: "no fraction", in: "1.h", want: `duration "1.h": "1." is not a number`},
		{name: "two fractions", in: "1.2.3h", want: `duration "1.2.3h": "1.2.3" is not a number`},
		{name: "space", in: "1h 2m", want: `duration "1h 2m": unknown unit "h "`},
		{name: "newline", in: "1h\n", want: `duration "1h\n": unknown unit "h\n"`},
		{name: "other digits", in: "١h", want: `duration "١h": "١h" stands where a number belongs`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			if err := duration.Check(tt.in, units...); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check(%q): error (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestValue(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
	}{
		{"1h2m3s10ms", time.Hour + 2*time.Minute + 3*time.Second + 10*time.Millisecond},
		{"1.5h", 90 * time.Minute},
		{"4µs", 4 * time.Microsecond},
		{"0s", 0},
		{"99999999999h", math.MaxInt64},
	}
	for _, tt := range tests {
		if got := duration.Value(tt.in); got != tt.want {
			t.Errorf("Value(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

// What is accepted is a duration to the standard library too, unless it is
// longer than any the library can hold.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"1h2m", "1.5s", "0ms", "1m2h", "5", "-1s", "1h\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if duration.Check(s, units...) != nil {
			return
		}
		if v := duration.Value(s); v < 0 {
			t.Errorf("Value(%q) = %v, want at least 0", s, v)
		}
		if _, err := time.ParseDuration(s); err != nil && duration.Value(s) != math.MaxInt64 {
			t.Errorf("Check(%q) accepted what time.ParseDuration refuses: %v", s, err)
		}
	})
}
