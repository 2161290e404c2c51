package scalar_test

import (
	"encoding"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A parseRow is one row of the table test of a type that is written as text.
type parseRow struct {
	name, in string
	out      string // what it prints as; in where empty and there is no error
	want     string // the error, or empty where in is accepted
}

type textValue interface {
	String() string
	encoding.TextMarshaler
	scalar.Ruled
}

// testParse runs rows against parse, and holds the rule of the type against
// what the code accepts.
func testParse[T textValue](t *testing.T, parse func(string) (T, error), rows []parseRow) {
	t.Helper()
	var zero T
	rule := zero.Rule()
	pattern := regexp.MustCompile(rule.Pattern)
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			v, err := parse(tt.in)
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Fatalf("parse %T from %q: error (-want +got):\n%s", zero, tt.in, diff)
			}
			if err != nil {
				return
			}
			want := tt.out
			if want == "" {
				want = tt.in
			}
			if v.String() != want {
				t.Errorf("parse %T from %q: prints %q, want %q", zero, tt.in, v, want)
			}
			if m, err := v.MarshalText(); string(m) != want || err != nil {
				t.Errorf("MarshalText of %T %q = %q, %v, want %q", zero, tt.in, m, err, want)
			}
			if !pattern.MatchString(tt.in) || rule.MaxBytes > 0 && len(tt.in) > rule.MaxBytes {
				t.Errorf("the rule of %T refuses %q, which the code accepts", zero, tt.in)
			}
		})
	}
	for _, in := range rule.Examples {
		if _, err := parse(in); err != nil {
			t.Errorf("the example %q of %T is refused: %v", in, zero, err)
		}
	}
	if rule.Name == "" || rule.Want == "" || len(rule.Examples) == 0 {
		t.Errorf("the rule of %T lacks a name, what it wants or an example: %+v", zero, rule)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// checkFuzz holds what every type guarantees against the input s: what is
// accepted is canonical after one printing, holds no control character, and is
// not refused by the rule that is published.
func checkFuzz[T textValue](t *testing.T, parse func(string) (T, error), s string) {
	t.Helper()
	v, err := parse(s)
	if err != nil {
		if strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("the error for %q holds a control character: %q", s, err)
		}
		return
	}
	printed := v.String()
	again, err := parse(printed)
	if err != nil || again.String() != printed {
		t.Errorf("%q prints as %q, which is read as %q, %v", s, printed, again, err)
	}
	if i := strings.IndexFunc(printed, unicode.IsControl); i >= 0 {
		t.Errorf("%q prints as %q, with a control character at byte %d", s, printed, i+1)
	}
	rule := v.Rule()
	if !regexp.MustCompile(rule.Pattern).MatchString(s) {
		t.Errorf("the pattern %s refuses %q, which the code accepts", rule.Pattern, s)
	}
	if rule.MaxBytes > 0 && len(s) > rule.MaxBytes {
		t.Errorf("the rule allows %d bytes, the code accepts %d", rule.MaxBytes, len(s))
	}
}

// checkVerbatim holds besides that what is accepted prints as it was written.
func checkVerbatim[T textValue](t *testing.T, parse func(string) (T, error), s string) {
	t.Helper()
	checkFuzz(t, parse, s)
	if v, err := parse(s); err == nil && v.String() != s {
		t.Errorf("%q prints as %q", s, v)
	}
}
