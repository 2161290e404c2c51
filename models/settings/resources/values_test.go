package resources_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/settings/resources"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

type value interface {
	UnmarshalSetting(*syntax.Node) error
	MarshalJSON() ([]byte, error)
}

func TestValues(t *testing.T) {
	integer := func(s string) *syntax.Node { return &syntax.Node{Kind: syntax.Integer, Text: s} }
	float := func(s string) *syntax.Node { return &syntax.Node{Kind: syntax.Float, Text: s} }
	text := func(s string) *syntax.Node { return &syntax.Node{Kind: syntax.String, Text: s} }
	tests := []struct {
		name string
		into value
		in   *syntax.Node
		want string // the JSON
		err  string
	}{
		{name: "memory in words", into: new(resources.Memory), in: text("512MiB"), want: "536870912"},
		{name: "least memory", into: new(resources.Memory), in: integer("33554432"), want: "33554432"},
		{
			name: "little memory", into: new(resources.Memory), in: text("16MiB"),
			err: "16777216 bytes of memory are too few to start a container, want 32MiB or more",
		},
		{name: "no memory", into: new(resources.Memory), in: text("much"), err: `byte size "much" is not a number with a unit`},
		{name: "a processor", into: new(resources.CPUs), in: integer("1"), want: `"1"`},
		{name: "processors and a half", into: new(resources.CPUs), in: float("2.50"), want: `"2.5"`},
		{name: "a hundredth in words", into: new(resources.CPUs), in: text("0.01"), want: `"0.01"`},
		{name: "no processor", into: new(resources.CPUs), in: text("0.00"), err: "number of processors 0.00 is out of range, want 0.01 to 10000"},
		{name: "too many processors", into: new(resources.CPUs), in: integer("10001"), err: "number of processors 10001 is out of range, want 0.01 to 10000"},
		{
			name: "less than a processor", into: new(resources.CPUs), in: integer("-1"),
			err: `number of processors "-1" is not a number such as 2 or 0.5 with at most two digits behind the point`,
		},
		{
			name: "a thousandth", into: new(resources.CPUs), in: float("0.001"),
			err: `number of processors "0.001" is not a number such as 2 or 0.5 with at most two digits behind the point`,
		},
		{name: "a list", into: new(resources.CPUs), in: &syntax.Node{Kind: syntax.Array}, err: "number of processors is a list, not a number"},
		{name: "processes", into: new(resources.PIDs), in: integer("32"), want: "32"},
		{name: "few processes", into: new(resources.PIDs), in: integer("31"), err: "number of processes 31 is out of range, want 32 to 2147483647"},
		{name: "processes in words", into: new(resources.PIDs), in: text("many"), err: `number of processes is "many", not an integer in range`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.into.UnmarshalSetting(tt.in); err != nil || tt.err != "" {
				if diff := cmp.Diff(tt.err, fmt.Sprint(err)); diff != "" {
					t.Errorf("UnmarshalSetting(%s): error (-want +got):\n%s", tt.in.Describe(), diff)
				}
				return
			}
			if got, err := tt.into.MarshalJSON(); err != nil || string(got) != tt.want {
				t.Errorf("MarshalJSON of %s: %s, %v, want %s", tt.in.Describe(), got, err, tt.want)
			}
		})
	}
}
