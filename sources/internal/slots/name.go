package slots

import (
	"fmt"
	"strconv"
	"strings"
)

// Parts of the names of boot programs on the ESP.
const (
	// Dir is where they are.
	Dir = "EFI/Linux"

	prefix = "bulkhead-"
	suffix = ".efi"
	// StagedSuffix ends the name of a boot program that the loader passes over.
	StagedSuffix = ".staged"
	// doubleSuffix ends the name of a second program for the same root.
	doubleSuffix = ".double"
)

// Tries is how often a new version may be started before it has to be healthy.
const Tries = 3

// A Name is what the name of a boot program says: the one place in which the
// state of a slot is kept.
type Name struct {
	Version string
	// Counted says that the loader counts: it takes one from Left, and adds it to
	// Done, before it starts the program. Without that, the program is good.
	Counted    bool
	Left, Done int
	// Staged says that the loader does not see the program.
	Staged bool
}

// FileName returns the name under which a boot program for version is put on the
// ESP, to be activated later.
func FileName(version string) string { return Name{Version: version, Staged: true}.String() }

// ParseName returns what the name of a file says, if it is that of a boot
// program of ours.
func ParseName(file string) (Name, bool) {
	var n Name
	file, n.Staged = strings.CutSuffix(file, StagedSuffix)
	rest, ok := strings.CutPrefix(file, prefix)
	if !ok || !strings.HasSuffix(rest, suffix) {
		return Name{}, false
	}
	rest = strings.TrimSuffix(rest, suffix)
	if i := strings.LastIndexByte(rest, '+'); i >= 0 {
		if left, done, ok := parseCounter(rest[i+1:]); ok {
			rest, n.Counted, n.Left, n.Done = rest[:i], true, left, done
		}
	}
	n.Version = rest
	return n, n.Version != ""
}

// parseCounter reads LEFT or LEFT-DONE.
func parseCounter(s string) (left, done int, ok bool) {
	a, b, has := strings.Cut(s, "-")
	l, err := strconv.ParseUint(a, 10, 16)
	if err != nil {
		return 0, 0, false
	}
	if !has {
		return int(l), 0, true
	}
	d, err := strconv.ParseUint(b, 10, 16)
	return int(l), int(d), err == nil
}

func (n Name) String() string {
	s := prefix + n.Version
	if n.Counted {
		s += fmt.Sprintf("+%d", n.Left)
		if n.Done > 0 {
			s += fmt.Sprintf("-%d", n.Done)
		}
	}
	s += suffix
	if n.Staged {
		s += StagedSuffix
	}
	return s
}

// id returns what the loader calls the program: its name without a counter.
func (n Name) id() string { return prefix + n.Version + suffix }

// A State is how far a version has come.
type State string

// The states.
const (
	Staged State = "staged" // complete, not to be started
	Trial  State = "trial"  // is started until its tries are used up
	Good   State = "good"   // was healthy once
	Bad    State = "bad"    // has no tries left: failed, or was set aside
	Empty  State = "empty"  // of a slot without a boot program
)

// State returns the state that n says.
func (n Name) State() State {
	switch {
	case n.Staged:
		return Staged
	case !n.Counted:
		return Good
	case n.Left == 0:
		return Bad
	}
	return Trial
}

func (n Name) good() Name { return Name{Version: n.Version} }

func (n Name) trial() Name { return Name{Version: n.Version, Counted: true, Left: Tries} }

func (n Name) staged() Name { return Name{Version: n.Version, Staged: true} }

// setAside returns n without tries, with those that it has had.
func (n Name) setAside() Name { return Name{Version: n.Version, Counted: true, Done: n.Done} }
