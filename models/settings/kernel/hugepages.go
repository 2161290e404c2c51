package kernel

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Hugepages says how much memory is kept in large pages.
type Hugepages struct {
	// Huge pages that are set aside during boot, before other programs break up
	// the memory. Changes take effect at the next boot.
	Static *StaticHugepages `setting:"static"`

	// How far the kernel gathers ordinary memory into huge pages by itself.
	// Changes take effect at once, for memory that is asked for from then on.
	Transparent *TransparentHugepages `setting:"transparent"`
}

// StaticHugepages are the pages set aside, by size.
type StaticHugepages struct {
	// Whether the boot depends on the pages: when true, a boot that cannot set
	// aside all of them stops; when false or unset, it goes on with what there
	// is.
	Essential *bool `setting:"essential"`

	// The pages of one size, by size: a number and one of Ki, Mi, Gi or Ti, as in
	// "2Mi" or "1Gi". Which sizes exist depends on the processor.
	Sizes map[HugepageSize]StaticPages `setting:"*"`
}

// StaticPages is the number of pages of one size.
type StaticPages struct {
	// How many pages to set aside: either a number of pages, as in "512", which
	// the kernel spreads over the NUMA nodes, or numbers for single nodes, as in
	// "0:256,1:256".
	Count *HugepageAllocation `setting:"count" required:"true"`
}

// TransparentHugepages is how the kernel makes huge pages by itself.
type TransparentHugepages struct {
	// Which memory may become huge pages: "always" all of it, "madvise" what
	// programs mark for it, "never" none.
	Enabled *TransparentMode `setting:"enabled"`

	// What happens when a huge page is wanted and none is free. "always" makes
	// the program wait until memory has been put together, "madvise" does so for
	// marked memory only, "defer" works in the background, "defer+madvise" does
	// the one for marked memory and the other for the rest, "never" does nothing.
	Defrag *TransparentDefrag `setting:"defrag"`
}

// TransparentMode says which memory may become huge pages.
type TransparentMode string

// Rule describes the type.
func (TransparentMode) Rule() scalar.Rule {
	return scalar.Enum("transparent huge page mode", "never", "madvise", "always")
}

// TransparentDefrag says how hard the kernel works for a huge page.
type TransparentDefrag string

// Rule describes the type.
func (TransparentDefrag) Rule() scalar.Rule {
	return scalar.Enum("transparent huge page defragmentation", "never", "madvise", "defer", "defer+madvise", "always")
}

func (h *Hugepages) check(p report.Place, sysctl map[SysctlKey]SysctlValue) {
	if h.Static == nil {
		return
	}
	static := p.In("static")
	if h.Static.Essential != nil && *h.Static.Essential && len(h.Static.Sizes) == 0 {
		static.Warn("essential", true,
			"essential is true and no pages are set aside, so it has no effect",
			`add a size, as in "2Mi" = { count = "512" }`)
	}
	sizes := slices.SortedFunc(maps.Keys(h.Static.Sizes), HugepageSize.Compare)
	for i, size := range sizes {
		if i > 0 && sizes[i-1].Bytes() == size.Bytes() {
			static.Conflict(size.String(), nil,
				"is the same size as "+sizes[i-1].String()+", which has a count of its own",
				"keep one of the two entries")
		}
		if count := h.Static.Sizes[size].Count; count != nil {
			checkNodes(*count, static.In(size.String()))
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(sysctl), SysctlKey.Compare) {
		if len(sizes) > 0 && key.Path() == "vm/nr_hugepages" {
			static.Warn(sizes[0].String(), nil,
				"kernel.sysctl sets "+key.String()+" to "+sysctl[key].String()+" as well, and the one applied last wins",
				"set the number of pages in one place")
		}
	}
}

// checkNodes reports a NUMA node that is given two numbers of pages.
func checkNodes(count HugepageAllocation, p report.Place) {
	seen := map[uint64]uint64{}
	for _, n := range count.Nodes() {
		if pages, dup := seen[n.Node]; dup {
			p.Conflict("count", count.String(),
				fmt.Sprintf("count is %s, which gives node %d both %d and %d pages", count, n.Node, pages, n.Pages),
				"name each node once")
		}
		seen[n.Node] = n.Pages
	}
}
