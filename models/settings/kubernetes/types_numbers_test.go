package kubernetes_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func TestUnmarshalSetting(t *testing.T) {
	integer, float, text, list := valuetest.Integer, valuetest.Float, syntax.NewString, valuetest.Strings
	percent := func() valuetest.Setting { return new(kubernetes.IntegerPercent) }
	nodes := func() valuetest.Setting { return new(kubernetes.NUMANodeLimit) }
	ids := func() valuetest.Setting { return new(kubernetes.IDsPerPod) }
	factor := func() valuetest.Setting { return new(kubernetes.ThrottlingFactor) }
	dns := func() valuetest.Setting { return new(kubernetes.ClusterDNS) }
	tests := []struct {
		name string
		into func() valuetest.Setting
		in   *syntax.Node
		want string // the JSON, or the error
	}{
		{name: "percent, number", into: percent, in: integer("85"), want: `85`},
		{name: "percent, string", into: percent, in: text("85"), want: `"85"`},
		{name: "percent, least", into: percent, in: text("0"), want: `"0"`},
		{name: "percent, most", into: percent, in: integer("100"), want: `100`},
		{name: "percent, above", into: percent, in: integer("101"), want: `percentage 101 is more than 100`},
		{name: "percent, far above", into: percent, in: integer("99999999999999999999"), want: `percentage 99999999999999999999 is more than 100`},
		{name: "percent, below", into: percent, in: integer("-1"), want: `percentage -1 is less than 0`},
		{name: "percent, fraction", into: percent, in: float("50.5"), want: `percentage 50.5 is not an integer`},
		{name: "percent, list", into: percent, in: list("1"), want: `percentage a list is not an integer`},
		{name: "percent, sign", into: percent, in: text("50%"), want: `percentage "50%" is not a whole number from 0 to 100 in plain digits`},
		{name: "percent, plus", into: percent, in: text("+5"), want: `percentage "+5" is not a whole number from 0 to 100 in plain digits`},
		{name: "percent, leading zero", into: percent, in: text("05"), want: `percentage "05" is not a whole number from 0 to 100 in plain digits`},
		{name: "percent, empty", into: percent, in: text(""), want: `percentage "" is not a whole number from 0 to 100 in plain digits`},
		{name: "percent, string above", into: percent, in: text("101"), want: `percentage "101" is not a whole number from 0 to 100 in plain digits`},

		{name: "NUMA nodes, least", into: nodes, in: integer("8"), want: `8`},
		{name: "NUMA nodes, most", into: nodes, in: integer("4294967295"), want: `4294967295`},
		{name: "NUMA nodes, below", into: nodes, in: integer("7"), want: `NUMA node limit 7 is less than 8`},
		{name: "NUMA nodes, above", into: nodes, in: integer("4294967296"), want: `NUMA node limit 4294967296 is more than 4294967295`},
		{name: "NUMA nodes, string", into: nodes, in: text("8"), want: `NUMA node limit "8" is not an integer`},

		{name: "ids, one block", into: ids, in: integer("65536"), want: `65536`},
		{name: "ids, most", into: ids, in: integer("4294901760"), want: `4294901760`},
		{name: "ids, part of a block", into: ids, in: integer("65537"), want: `number of ids 65537 is not a multiple of 65536`},
		{name: "ids, too many", into: ids, in: integer("4294967296"), want: `number of ids 4294967296 is more than 4294967295`},

		{name: "factor, all", into: factor, in: integer("1"), want: `1`},
		{name: "factor, share", into: factor, in: float("0.90"), want: `0.9`},
		{name: "factor, none", into: factor, in: integer("0"), want: `throttling factor 0 is not above 0 and at most 1`},
		{name: "factor, more", into: factor, in: float("1.01"), want: `throttling factor 1.01 is not above 0 and at most 1`},
		{name: "factor, not a number", into: factor, in: float("nan"), want: `throttling factor nan is not above 0 and at most 1`},
		{name: "factor, string", into: factor, in: text("0.5"), want: `throttling factor "0.5" is not a number`},

		{name: "dns, one", into: dns, in: text("10.96.0.10"), want: `"10.96.0.10"`},
		{name: "dns, list", into: dns, in: list("10.96.0.10", "FD00::A"), want: `["10.96.0.10","fd00::a"]`},
		{name: "dns, list of one", into: dns, in: list("10.96.0.10"), want: `["10.96.0.10"]`},
		{name: "dns, empty list", into: dns, in: list(), want: `[]`},
		{name: "dns, number", into: dns, in: integer("10"), want: `cluster DNS 10 is neither an address nor a list of addresses`},
		{name: "dns, list of numbers", into: dns, in: syntax.NewArray(integer("10")), want: `address 1: 10 is not a string`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.into()
			err := v.UnmarshalSetting(tt.in)
			got := valuetest.ErrorText(err)
			if err == nil {
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatalf("json.Marshal(%T of %s): %v", v, tt.in.Describe(), err)
				}
				got = string(text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("UnmarshalSetting(%s) into %T (-want +got):\n%s", tt.in.Describe(), v, diff)
			}
		})
	}
}

func TestClusterDNSRefusesWhatIsNoAddress(t *testing.T) {
	for _, in := range []*syntax.Node{syntax.NewString("10.96.0.0/16"), valuetest.Strings("10.96.0.10", "fe80::1%eth0")} {
		var d kubernetes.ClusterDNS
		if err := d.UnmarshalSetting(in); err == nil {
			t.Errorf("UnmarshalSetting(%s) = nil, want an error", in.Describe())
		}
	}
}

func TestClusterDNSFirst(t *testing.T) {
	var d, empty kubernetes.ClusterDNS
	if err := d.UnmarshalSetting(valuetest.Strings("fd00::a", "10.96.0.10")); err != nil {
		t.Fatal(err)
	}
	if first, ok := d.First(); !ok || first.String() != "fd00::a" {
		t.Errorf("First() = %v, %v, want fd00::a, true", first, ok)
	}
	if first, ok := empty.First(); ok {
		t.Errorf("First() of an empty list = %v, true, want false", first)
	}
	if len(d.IPs()) != 2 || d.Equal(empty) || !d.Equal(d) {
		t.Errorf("IPs() = %v, Equal(empty) = %v, Equal(itself) = %v, want two, false, true", d.IPs(), d.Equal(empty), d.Equal(d))
	}
}

// A percentage comes back in the form it was given, and within its bounds.
func FuzzIntegerPercent(f *testing.F) {
	for _, s := range []string{"0", "100", "101", "-1", "+5", "05", "1e2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := kubernetes.ParseIntegerPercent(s)
		if err != nil {
			return
		}
		if p.String() != s || p.Value() < 0 || p.Value() > 100 {
			t.Errorf("ParseIntegerPercent(%q) = %v with value %d", s, p, p.Value())
		}
	})
}
