package kernel_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kernel"
)

func TestParseHugepageSize(t *testing.T) {
	valuetest.Texts(t, kernel.ParseHugepageSize, []valuetest.Text{
		{Name: "kibibytes", In: "64Ki"},
		{Name: "mebibytes", In: "2Mi"},
		{Name: "gibibytes", In: "16Gi"},
		{Name: "greatest", In: "8388608Ti"},
		{Name: "empty", In: "", Want: `huge page size "" is not a number followed by Ki, Mi, Gi or Ti`},
		{Name: "no unit", In: "2097152", Want: `huge page size "2097152" is not a number followed by Ki, Mi, Gi or Ti`},
		{Name: "decimal unit", In: "2M", Want: `huge page size "2M" is not a number followed by Ki, Mi, Gi or Ti`},
		{Name: "leading zero", In: "02Mi", Want: `huge page size "02Mi" is not a number followed by Ki, Mi, Gi or Ti`},
		{Name: "zero", In: "0Mi", Want: `huge page size "0Mi" is not a number followed by Ki, Mi, Gi or Ti`},
		{Name: "negative", In: "-2Mi", Want: `huge page size "-2Mi" is not a number followed by Ki, Mi, Gi or Ti`},
		{Name: "not a power of two", In: "3Mi", Want: `huge page size "3Mi" is 3145728 bytes, which is not a power of two`},
		{Name: "too great", In: "16777216Ti", Want: `huge page size "16777216Ti" does not fit in 64 bits`},
		{Name: "far too great", In: "99999999999999999999Ki", Want: `huge page size "99999999999999999999Ki" does not fit in 64 bits`},
	})
}

func TestHugepageSizeBytes(t *testing.T) {
	for in, want := range map[string]uint64{"64Ki": 64 << 10, "2Mi": 2 << 20, "1Gi": 1 << 30, "1Ti": 1 << 40} {
		if got := valuetest.Parse[kernel.HugepageSize](t, in).Bytes(); got != want {
			t.Errorf("Bytes of %s = %d, want %d", in, got, want)
		}
	}
}

func TestParseHugepageAllocation(t *testing.T) {
	valuetest.Texts(t, kernel.ParseHugepageAllocation, []valuetest.Text{
		{Name: "number", In: "512"},
		{Name: "zero", In: "0"},
		{Name: "one node", In: "1:256"},
		{Name: "two nodes", In: "0:256,1:128"},
		{Name: "empty", In: "", Want: `huge page count "" is not made of digits`},
		{Name: "negative", In: "-1", Want: `huge page count "-1" is not made of digits`},
		{Name: "two numbers", In: "1,2", Want: `huge page count "1,2" is not made of digits`},
		{Name: "too great", In: "18446744073709551616", Want: `huge page count "18446744073709551616" does not fit in 64 bits`},
		{Name: "trailing comma", In: "0:1,", Want: `huge page count "0:1,": "" lacks the colon between node and pages`},
		{Name: "no node", In: ":1", Want: `huge page count ":1": ":1" has a node that is not made of digits`},
		{Name: "no pages", In: "0:", Want: `huge page count "0:": "0:" has a number of pages that is not made of digits`},
		{Name: "space", In: "0:1, 1:1", Want: `huge page count "0:1, 1:1": " 1:1" has a node that is not made of digits`},
	})
}

func TestHugepageAllocationParts(t *testing.T) {
	number := valuetest.Parse[kernel.HugepageAllocation](t, "512")
	if pages, ok := number.Total(); pages != 512 || !ok {
		t.Errorf("Total of %s = %d, %t, want 512, true", number, pages, ok)
	}
	if got := number.Nodes(); got != nil {
		t.Errorf("Nodes of %s = %v, want none", number, got)
	}
	nodes := valuetest.Parse[kernel.HugepageAllocation](t, "0:256,1:128")
	if diff := cmp.Diff([]kernel.NodePages{{0, 256}, {1, 128}}, nodes.Nodes()); diff != "" {
		t.Errorf("Nodes of %s (-want +got):\n%s", nodes, diff)
	}
	if pages, ok := nodes.Total(); ok {
		t.Errorf("Total of %s = %d, true, want false", nodes, pages)
	}
}

func FuzzHugepages(f *testing.F) {
	for _, s := range []string{"2Mi", "3Mi", "16777216Ti", "512", "0:1,1:2", "0:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := kernel.ParseHugepageSize(s); err == nil {
			valuetest.PrintsAs(t, v, s)
			if v.Bytes() == 0 {
				t.Errorf("size %q has no bytes", s)
			}
		}
		if v, err := kernel.ParseHugepageAllocation(s); err == nil {
			valuetest.PrintsAs(t, v, s)
			if _, ok := v.Total(); ok == (len(v.Nodes()) > 0) {
				t.Errorf("count %q is both or neither of a number and a list of nodes", s)
			}
		}
	})
}
