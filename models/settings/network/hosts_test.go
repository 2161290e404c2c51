package network_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/network"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func TestHostEntry(t *testing.T) {
	address := syntax.NewString("2001:DB8::1")
	tests := []struct {
		name string
		in   *syntax.Node
		out  string // the JSON
		want string // the error, or empty where in is accepted
	}{
		{name: "two names", in: syntax.NewArray(address, valuetest.Strings("db.example.org", "db")), out: `["2001:db8::1",["db.example.org","db"]]`},
		{name: "no names", in: syntax.NewArray(address, valuetest.Strings()), out: `["2001:db8::1",[]]`},
		{name: "string", in: syntax.NewString("192.0.2.1 db"), want: `host entry is "192.0.2.1 db", not a pair`},
		{name: "one element", in: syntax.NewArray(address), want: `host entry is a list of 1 elements, not a pair`},
		{name: "three elements", in: valuetest.Strings("192.0.2.1", "a", "b"), want: `host entry is a list of 3 elements, not a pair`},
		{name: "address is a number", in: syntax.NewArray(valuetest.Integer("1"), valuetest.Strings()), want: `host entry: the address is 1, not a string`},
		{name: "address is a network", in: syntax.NewArray(syntax.NewString("192.0.2.0/24"), valuetest.Strings()), want: `host entry: IP address "192.0.2.0/24" has a prefix length`},
		{name: "names are a string", in: valuetest.Strings("192.0.2.1", "db"), want: `host entry for "192.0.2.1": the names are "db", not a list`},
		{name: "name is a number", in: syntax.NewArray(address, syntax.NewArray(valuetest.Integer("1"))), want: `host entry for 2001:db8::1: name 1 is 1, not a string`},
		{name: "name is invalid", in: syntax.NewArray(address, valuetest.Strings("-db")), want: `host entry for 2001:db8::1: host name "-db": label "-db" starts with a hyphen`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h network.HostEntry
			err := h.UnmarshalSetting(tt.in)
			if diff := cmp.Diff(tt.want, valuetest.ErrorText(err)); diff != "" {
				t.Fatalf("UnmarshalSetting of %s: error (-want +got):\n%s", tt.in.Describe(), diff)
			}
			if err != nil {
				return
			}
			if got, err := h.MarshalJSON(); string(got) != tt.out || err != nil {
				t.Errorf("MarshalJSON of %s = %s, %v, want %s", h, got, err, tt.out)
			}
		})
	}
}

func TestNewHostEntry(t *testing.T) {
	address, name := *valuetest.Parse[scalar.IP](t, "192.0.2.1"), *valuetest.Parse[scalar.Hostname](t, "db")
	h := network.NewHostEntry(address, name)
	if got := h.String(); got != "192.0.2.1 db" {
		t.Errorf("String = %q, want %q", got, "192.0.2.1 db")
	}
	if same := network.NewHostEntry(h.Address(), h.Names()...); !same.Equal(h) {
		t.Errorf("entry made of the parts of %s = %s", h, same)
	}
	if other := network.NewHostEntry(address); other.Equal(h) {
		t.Errorf("%s equals %s", other, h)
	}
}
