package kernel

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A HugepageAllocation says how many pages to set aside: in all, or on single
// NUMA nodes.
type HugepageAllocation struct{ s string }

// NodePages is a number of pages on one NUMA node.
type NodePages struct{ Node, Pages uint64 }

// ParseHugepageAllocation returns the HugepageAllocation written as s.
func ParseHugepageAllocation(s string) (HugepageAllocation, error) {
	if !strings.Contains(s, ":") {
		if _, fault := number(s); fault != "" {
			return HugepageAllocation{}, fmt.Errorf("huge page count %.80q %s", s, fault)
		}
		return HugepageAllocation{s}, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		if _, fault := nodePages(part); fault != "" {
			return HugepageAllocation{}, fmt.Errorf("huge page count %.80q: %.80q %s", s, part, fault)
		}
	}
	return HugepageAllocation{s}, nil
}

func nodePages(s string) (n NodePages, fault string) {
	node, pages, found := strings.Cut(s, ":")
	if !found {
		return NodePages{}, "lacks the colon between node and pages"
	}
	if n.Node, fault = number(node); fault != "" {
		return NodePages{}, "has a node that " + fault
	}
	if n.Pages, fault = number(pages); fault != "" {
		return NodePages{}, "has a number of pages that " + fault
	}
	return n, ""
}

func number(s string) (n uint64, fault string) {
	if !isDigits(s) {
		return 0, "is not made of digits"
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, "does not fit in 64 bits"
	}
	return n, ""
}

// Total returns the number of pages to spread over all nodes; ok is false
// where there are numbers for single nodes instead.
func (h HugepageAllocation) Total() (pages uint64, ok bool) {
	pages, fault := number(h.s)
	return pages, fault == ""
}

// Nodes returns the numbers for single nodes, in the order they were written.
func (h HugepageAllocation) Nodes() []NodePages {
	var nodes []NodePages
	for part := range strings.SplitSeq(h.s, ",") {
		if n, fault := nodePages(part); fault == "" {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// String returns the count as it was written.
func (h HugepageAllocation) String() string { return h.s }

// MarshalText returns the count as it was written.
func (h HugepageAllocation) MarshalText() ([]byte, error) { return []byte(h.s), nil }

// UnmarshalText reads what ParseHugepageAllocation accepts.
func (h *HugepageAllocation) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHugepageAllocation(string(b))
	return err
}

// Rule describes the type.
func (HugepageAllocation) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "huge page count",
		Want:     `a number of pages in quotes such as "512", or node:pages pairs such as "0:256,1:256"`,
		Pattern:  `^([0-9]+|[0-9]+:[0-9]+(,[0-9]+:[0-9]+)*)$`,
		Examples: []string{"512", "0:256,1:256"},
	}
}
