package slots

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Status is what a node says about its slots.
type Status struct {
	Running string       `json:"running,omitempty"` // version
	Next    string       `json:"next,omitempty"`    // version that the next boot starts
	Slots   []SlotStatus `json:"slots"`
	// Pending is the version that was activated and has not been healthy yet.
	Pending string `json:"pending,omitempty"`
	// Failed are versions that are not tried again without being named.
	Failed []Failure `json:"failed,omitempty"`
	// Firmware are the entries of the firmware, in the order of trying.
	Firmware []FirmwareEntry `json:"firmware,omitempty"`
	// Loaders are the boot loaders on the ESP: the one that the entries of the
	// firmware name, and the one for when there are none.
	Loaders []Loader       `json:"loaders,omitempty"`
	Faults  []report.Fault `json:"faults,omitempty"`
}

// A SlotStatus is what is known of one slot.
type SlotStatus struct {
	Slot      string   `json:"slot"`
	Root      string   `json:"root_hash,omitempty"`
	State     State    `json:"state"`
	Version   string   `json:"version,omitempty"`
	Entry     string   `json:"entry,omitempty"` // file on the ESP
	TriesLeft *int     `json:"tries_left,omitempty"`
	TriesDone *int     `json:"tries_done,omitempty"`
	Running   bool     `json:"running"`
	Next      bool     `json:"next"`
	Failed    *Failure `json:"failed,omitempty"`
}

// A FirmwareEntry is what the firmware may start.
type FirmwareEntry struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Path    string `json:"path,omitempty"` // of a file
	Current bool   `json:"current"`        // this boot came by it
}

// A Loader is a boot loader on the ESP.
type Loader struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// Codes of what can be wrong with the slots of a node.
const (
	codeUnknown  report.Code = "boot-slot-unknown"
	codeNoRoot   report.Code = "boot-slot-without-root"
	codeBroken   report.Code = "boot-entry-unreadable"
	codeOverride report.Code = "boot-entry-fixed"
	codeMemory   report.Code = "boot-memory-lost"
	codeAllBad   report.Code = "boot-slots-all-bad"
	codeFailed   report.Code = "version-failed"
)

// Status returns what v says.
func (v View) Status() Status {
	s := Status{Failed: v.Memory.Failed, Slots: []SlotStatus{}}
	run, first := v.running(), next(v.Entries)
	if run != nil {
		s.Running = run.Name.Version
	}
	if first != nil {
		s.Next = first.Name.Version
	}
	if a := v.Memory.Attempt; a != nil {
		s.Pending = a.Version
	}
	for _, slot := range v.Slots {
		s.Slots = append(s.Slots, v.slotStatus(slot, first))
	}
	s.Faults = v.faults(run)
	return s
}

func (v View) slotStatus(slot Slot, first *Entry) SlotStatus {
	out := SlotStatus{Slot: slot.Name, State: Empty, Running: slot.Root != "" && slot.Root == v.Boot.Root}
	for _, e := range v.Entries {
		if e.Root == "" || e.Root != slot.Root || out.Entry != "" && e.Name.Staged {
			continue
		}
		out.Root, out.State, out.Version, out.Entry = e.Root, e.Name.State(), e.Name.Version, e.File
		if e.Name.Counted {
			out.TriesLeft, out.TriesDone = &e.Name.Left, &e.Name.Done
		}
		out.Next = first != nil && first.File == e.File
	}
	if out.Running {
		out.Root = slot.Root
	}
	out.Failed = v.Memory.failure(out.Root)
	return out
}

func (v View) faults(run *Entry) []report.Fault {
	var all []report.Fault
	add := func(severity report.Severity, code report.Code, detail, hint string) {
		all = append(all, report.Fault{Severity: severity, Code: code, Detail: detail, Hint: hint})
	}
	if run == nil {
		add(report.Warning, codeUnknown, "no boot program on the ESP starts the root "+shorten(v.Boot.Root)+", which runs", "activate a version; until then no update is kept")
	}
	bad := 0
	for _, e := range v.Entries {
		switch {
		case e.Fault != "":
			add(report.Warning, codeBroken, fmt.Sprintf("boot program %s: %s", e.File, e.Fault), "it is replaced by the next update")
		case v.slot(e) == nil && !e.Name.Staged:
			add(report.Warning, codeNoRoot, fmt.Sprintf("boot program %s starts the root %s, which no slot has", e.File, shorten(e.Root)), "it is replaced by the next update")
		}
		if e.Name.State() == Bad && v.Memory.failure(e.Root) != nil {
			bad++
		}
	}
	if bad > 0 && bad == len(v.Entries) {
		add(report.Error, codeAllBad, "every version on the node has failed: "+v.reasons(), "install a version that is known to work, or write the image to the disk again")
	}
	if v.Boot.Override != "" {
		add(report.Warning, codeOverride, fmt.Sprintf("a variable of the loader insists on the entry %s, whether it is good or not", v.Boot.Override), "it is removed at the next boot")
	}
	if v.Lost != "" {
		add(report.Warning, codeMemory, "what is remembered of boots cannot be read: "+v.Lost, "it is written anew by the next change")
	}
	if run != nil && v.Memory.Attempt == nil {
		if n := len(v.Memory.Failed); n > 0 && v.Memory.Failed[n-1].Root != run.Root {
			f := v.Memory.Failed[n-1]
			add(report.Info, codeFailed, fmt.Sprintf("version %s has failed: %s", f.Version, f.Reason), "it is not installed again unless it is named")
		}
	}
	return all
}

func (v View) reasons() string {
	var all []string
	for _, f := range v.Memory.Failed {
		all = append(all, f.Version+": "+f.Reason)
	}
	return strings.Join(all, "; ")
}

// String renders s for a person.
func (s Status) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SLOT\tVERSION\tSTATE\tTRIES\tROOT\t")
	for _, slot := range s.Slots {
		tries := "-"
		if slot.TriesLeft != nil {
			tries = fmt.Sprintf("%d left, %d done", *slot.TriesLeft, *slot.TriesDone)
		}
		var marks []string
		if slot.Running {
			marks = append(marks, "running")
		}
		if slot.Next {
			marks = append(marks, "next")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", slot.Slot, dash(slot.Version), slot.State, tries, dash(shorten(slot.Root)), strings.Join(marks, ", "))
	}
	_ = w.Flush() // to memory
	for _, f := range s.Failed {
		fmt.Fprintf(&b, "failed %s: version %s: %s\n", f.Time.UTC().Format("2006-01-02 15:04:05Z"), f.Version, f.Reason)
	}
	for _, e := range s.Firmware {
		fmt.Fprintf(&b, "firmware %s: %s %s\n", e.ID, e.Name, e.Path)
	}
	for _, l := range s.Loaders {
		fmt.Fprintf(&b, "loader %s: %s\n", l.Path, l.Version)
	}
	for _, f := range s.Faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
