package kubernetes_test

import (
	"math"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestParseQuantity(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseQuantity, []valuetest.Text{
		{Name: "exponent", In: "129e6"},
		{Name: "binary suffix", In: "10Mi"},
		{Name: "decimal suffix", In: "1024M"},
		{Name: "small suffix", In: "100m"},
		{Name: "fraction", In: "1.5Gi"},
		{Name: "signs", In: "-1"},
		{Name: "plus", In: "+1k"},
		{Name: "plain number", In: "0"},
		{Name: "exponent without digits", In: "12e"},
		{Name: "two dots, as always accepted", In: "1.2.3"},
		{Name: "empty", In: "", Want: `quantity "" is empty`},
		{Name: "lower-case binary", In: "12ki", Want: `quantity "12ki" has the unknown suffix "ki"`},
		{Name: "percent", In: "12%", Want: `quantity "12%" has the unknown suffix "%"`},
		{Name: "i alone", In: "1000i", Want: `quantity "1000i" has the unknown suffix "i"`},
		{Name: "three i", In: "100Kiii", Want: `quantity "100Kiii" has the unknown suffix "Kiii"`},
		{Name: "upper-case exponent", In: "1E3", Want: `quantity "1E3" has the unknown suffix "E3"`},
		{Name: "word", In: "half", Want: `quantity "half" does not start with a number`},
		{Name: "sign alone", In: "-", Want: `quantity "-" does not start with a number`},
		{Name: "two signs", In: "--1", Want: `quantity "--1" does not start with a number`},
		{Name: "space", In: "1 Gi", Want: `quantity "1 Gi" has the unknown suffix " Gi"`},
		{Name: "newline", In: "1\n", Want: `quantity "1\n" has the unknown suffix "\n"`},
	})
}

func TestQuantityValue(t *testing.T) {
	tests := []struct {
		in     string
		want   float64
		wantOK bool
	}{
		{in: "0", want: 0, wantOK: true},
		{in: "100m", want: 0.1, wantOK: true},
		{in: "1.5Gi", want: 1.5 * (1 << 30), wantOK: true},
		{in: "10M", want: 1e7, wantOK: true},
		{in: "129e6", want: 129e6, wantOK: true},
		{in: "2E", want: 2e18, wantOK: true},
		{in: "-1k", want: -1000, wantOK: true},
		{in: "1e999999999", want: math.Inf(1), wantOK: true},
		{in: "1.2.3"},
		{in: "."},
		{in: "12e"},
		{in: "10K"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, ok := valuetest.Parse[kubernetes.Quantity](t, tt.in).Value()
			if got != tt.want || ok != tt.wantOK {
				t.Errorf("Quantity(%q).Value() = %v, %v, want %v, %v", tt.in, got, ok, tt.want, tt.wantOK)
			}
		})
	}
}

func TestParseThreshold(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseThreshold, []valuetest.Text{
		{Name: "zero", In: "0%"},
		{Name: "just below all", In: "99.9%"},
		{Name: "leading zeros", In: "005%"},
		{Name: "quantity", In: "500Mi"},
		{Name: "all", In: "100%", Want: `threshold "100%" is not below 100%`},
		{Name: "more than all", In: "250.5%", Want: `threshold "250.5%" is not below 100%`},
		{Name: "negative", In: "-1%", Want: `threshold "-1%" has "-1" in front of the percent sign, which is not digits with an optional fraction`},
		{Name: "exponent", In: "1e1%", Want: `threshold "1e1%" has "1e1" in front of the percent sign, which is not digits with an optional fraction`},
		{Name: "no whole part", In: ".5%", Want: `threshold ".5%" has ".5" in front of the percent sign, which is not digits with an optional fraction`},
		{Name: "not a number", In: "NaN%", Want: `threshold "NaN%" has "NaN" in front of the percent sign, which is not digits with an optional fraction`},
		{Name: "percent sign alone", In: "%", Want: `threshold "%" has "" in front of the percent sign, which is not digits with an optional fraction`},
		{Name: "empty", In: "", Want: `threshold "" is empty`},
		{Name: "word", In: "half", Want: `threshold "half" does not start with a number`},
	})
}

func TestThresholdCompare(t *testing.T) {
	tests := []struct {
		a, b   string
		want   int
		wantOK bool
	}{
		{a: "10%", b: "5%", want: 1, wantOK: true},
		{a: "5%", b: "5.0%", want: 0, wantOK: true},
		{a: "1Gi", b: "1G", want: 1, wantOK: true},
		{a: "100Mi", b: "1Gi", want: -1, wantOK: true},
		{a: "10%", b: "1Gi"},
		{a: "1.2.3", b: "1Gi"},
	}
	for _, tt := range tests {
		a, b := valuetest.Parse[kubernetes.Threshold](t, tt.a), valuetest.Parse[kubernetes.Threshold](t, tt.b)
		if got, ok := a.Compare(*b); got != tt.want || ok != tt.wantOK {
			t.Errorf("Threshold(%q).Compare(%q) = %v, %v, want %v, %v", tt.a, tt.b, got, ok, tt.want, tt.wantOK)
		}
	}
}

func TestThresholdOff(t *testing.T) {
	for in, want := range map[string]bool{"0%": true, "0.0%": true, "0": true, "1%": false, "100Mi": false, "1.2.3": false} {
		if got := valuetest.Parse[kubernetes.Threshold](t, in).Off(); got != want {
			t.Errorf("Threshold(%q).Off() = %v, want %v", in, got, want)
		}
	}
}
