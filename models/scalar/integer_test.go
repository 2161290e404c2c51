package scalar_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A settingRow is one row of the table test of a type that reads nodes.
type settingRow struct {
	name string
	in   *syntax.Node
	out  string // the JSON
	want string // the error, or empty where in is accepted
}

type settingValue[T any] interface {
	*T
	UnmarshalSetting(*syntax.Node) error
	MarshalJSON() ([]byte, error)
	scalar.Ruled
}

// testSetting runs rows against T, and checks that the JSON of T is canonical.
func testSetting[T any, P settingValue[T]](t *testing.T, rows []settingRow) {
	t.Helper()
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			var v T
			err := P(&v).UnmarshalSetting(tt.in)
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Fatalf("UnmarshalSetting of %T from %s: error (-want +got):\n%s", v, tt.in.Describe(), diff)
			}
			if err != nil {
				return
			}
			got, err := P(&v).MarshalJSON()
			if string(got) != tt.out || err != nil {
				t.Errorf("MarshalJSON of %T from %s = %s, %v, want %s", v, tt.in.Describe(), got, err, tt.out)
			}
			if min, in := P(&v).Rule().Min, tt.in; in.Kind == syntax.Integer && in.Text < "0" && *min == 0 {
				t.Errorf("the rule of %T refuses %s, which the code accepts", v, in.Text)
			}
		})
	}
}

func integer(s string) *syntax.Node { return &syntax.Node{Kind: syntax.Integer, Text: s} }
func float(s string) *syntax.Node   { return &syntax.Node{Kind: syntax.Float, Text: s} }

func TestNonNegative(t *testing.T) {
	testSetting[scalar.NonNegative](t, []settingRow{
		{name: "zero", in: integer("0"), out: "0"},
		{name: "greatest", in: integer("2147483647"), out: "2147483647"},
		{name: "too great", in: integer("2147483648"), want: "number 2147483648 is out of range"},
		{name: "far too great", in: integer("99999999999999999999"), want: "number 99999999999999999999 is out of range"},
		{name: "negative", in: integer("-1"), want: "number -1 is out of range"},
		{name: "string", in: syntax.NewString("1"), want: `number is "1", not an integer`},
		{name: "fraction", in: float("1.0"), want: `number is 1.0, not an integer`},
	})
	if _, err := scalar.NewNonNegative(-1); text(err) != "number -1 is out of range, want 0 to 2147483647" {
		t.Errorf("NewNonNegative(-1): error %v", err)
	}
}

func TestLimit(t *testing.T) {
	testSetting[scalar.Limit](t, []settingRow{
		{name: "zero", in: integer("0"), out: "0"},
		{name: "minus one", in: integer("-1"), out: "-1"},
		{name: "unlimited", in: syntax.NewString("unlimited"), out: "-1"},
		{name: "greatest", in: integer("9223372036854775807"), out: "9223372036854775807"},
		{name: "too great", in: integer("9223372036854775808"), want: "limit 9223372036854775808 is out of range"},
		{name: "too small", in: integer("-2"), want: "limit -2 is out of range"},
		{name: "other string", in: syntax.NewString("100"), want: `limit is the string "100", and the only string allowed is "unlimited"`},
		{name: "other case", in: syntax.NewString("Unlimited"), want: `limit is the string "Unlimited", and the only string allowed is "unlimited"`},
		{name: "fraction", in: float("1.5"), want: `limit is 1.5, not an integer`},
		{name: "list", in: syntax.NewArray(), want: `limit is a list, not an integer`},
	})
}

func TestLimitExceeds(t *testing.T) {
	limit := func(v int64) scalar.Limit {
		l, err := scalar.NewLimit(v)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	tests := []struct {
		name string
		a, b scalar.Limit
		want bool
	}{
		{"less", limit(1), limit(2), false},
		{"equal", limit(2), limit(2), false},
		{"more", limit(3), limit(2), true},
		{"unlimited and limited", scalar.Unlimited(), limit(2), true},
		{"limited and unlimited", limit(2), scalar.Unlimited(), false},
		{"both unlimited", scalar.Unlimited(), scalar.Unlimited(), false},
	}
	for _, tt := range tests {
		if got := tt.a.Exceeds(tt.b); got != tt.want {
			t.Errorf("%s: %s.Exceeds(%s) = %t, want %t", tt.name, tt.a, tt.b, got, tt.want)
		}
	}
	if _, err := scalar.NewLimit(-2); text(err) != "limit -2 is out of range, want -1 to 9223372036854775807" {
		t.Errorf("NewLimit(-2): error %v", err)
	}
}
