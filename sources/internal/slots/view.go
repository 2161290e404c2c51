// Package slots says which versions of the system a node has, which of them runs
// and which is started next.
//
// The names of the boot programs on the ESP are where that is kept: the loader
// reads them, counts in them, and nothing else has to agree. A View is all that
// was seen; from it alone come the status and the plans for changes. What runs is
// known by the root hash on the command line of the kernel. Variables of the
// loader say what it meant to start, which after a refusal by the firmware is
// something else.
package slots

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/internal/healthcheck"
)

// An Entry is a boot program on the ESP.
type Entry struct {
	File    string // name in Dir
	Name    Name
	Root    string // root hash that it starts; empty when it cannot be read
	SortKey string // by which the loader puts entries in groups
	Sort    string // version by which the loader orders a group
	Cluster uint32 // entries with the same are one file
	// Short says that the file has lost its long name.
	Short bool
	Fault string // why it cannot be read
}

// A Slot is a pair of partitions, with what they hold.
type Slot struct {
	Name string // "A" or "B"
	Root string // root hash by which a boot program finds it
}

// A Boot is how this boot came about.
type Boot struct {
	ID   string // of the kernel
	Root string // root hash on the command line: what runs
	// Stub is the file that the boot stub was started from; empty if unknown.
	Stub string
	// Override is the entry that a variable of the loader insists on.
	Override string
}

// A View is all that a status or a plan depends on.
type View struct {
	Entries []Entry
	Slots   []Slot
	Boot    Boot
	Memory  Memory
	// Lost says why nothing is remembered, if there is a reason.
	Lost string
	// BootDeadline is what settings say now; an activation takes it along.
	BootDeadline healthcheck.Span
}

// running returns the entry that was started: one with the root hash that runs,
// and of several the one that the stub names.
func (v View) running() *Entry {
	var found *Entry
	for i, e := range v.Entries {
		if e.Root == "" || e.Root != v.Boot.Root || e.Name.Staged {
			continue
		}
		if found == nil || v.isStub(e) && !v.isStub(*found) {
			found = &v.Entries[i]
		}
	}
	return found
}

// isStub reports whether the stub was started from e, whose counter may have
// changed since.
func (v View) isStub(e Entry) bool {
	path := strings.ReplaceAll(v.Boot.Stub, `\`, "/")
	n, ok := ParseName(path[strings.LastIndexByte(path, '/')+1:])
	return ok && n.id() == e.Name.id()
}

// slot returns the slot that e starts.
func (v View) slot(e Entry) *Slot {
	for i, s := range v.Slots {
		if s.Root != "" && s.Root == e.Root {
			return &v.Slots[i]
		}
	}
	return nil
}

// order compares entries as the loader does (systemd-boot, boot_entry_compare):
// the first is started.
func order(a, b Entry) int {
	bad := func(e Entry) int {
		if e.Name.State() == Bad {
			return 1
		}
		return 0
	}
	tries := 0
	if a.Name.Counted && b.Name.Counted {
		tries = cmp.Or(-cmp.Compare(a.Name.Left, b.Name.Left), cmp.Compare(a.Name.Done, b.Name.Done))
	}
	return cmp.Or(
		cmp.Compare(bad(a), bad(b)),
		strings.Compare(a.SortKey, b.SortKey),
		-compareVersions(a.Sort, b.Sort),
		-compareVersions(a.Name.id(), b.Name.id()),
		tries,
	)
}

// next returns the entry that the loader starts at the next boot. An entry that
// cannot be read is none for the loader either.
func next(entries []Entry) *Entry {
	var first *Entry
	for i, e := range entries {
		if e.Name.Staged || e.Root == "" {
			continue
		}
		if first == nil || order(e, *first) < 0 {
			first = &entries[i]
		}
	}
	return first
}

// byVersion returns the entries of a version.
func (v View) byVersion(version string) []Entry {
	return slices.DeleteFunc(slices.Clone(v.Entries), func(e Entry) bool { return e.Name.Version != version })
}

// bootable returns the entries other than e that can be started: they have a
// slot, and are good or on trial.
func (v View) bootable(e Entry) []Entry {
	return slices.DeleteFunc(slices.Clone(v.Entries), func(o Entry) bool {
		s := o.Name.State()
		return o.File == e.File || v.slot(o) == nil || s != Good && s != Trial
	})
}

// with returns the entries as they are once file has another name.
func (v View) with(file string, n Name) []Entry {
	out := slices.Clone(v.Entries)
	for i := range out {
		if out[i].File == file {
			out[i].Name, out[i].File = n, n.String()
		}
	}
	return out
}
