package report

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// A Place collects the faults that a check across fields finds in one table
// of settings.
type Place struct {
	r    *Report
	path key.Key
}

// NewPlace returns the place at path; its faults go to r.
func NewPlace(r *Report, path key.Key) Place { return Place{r: r, path: path} }

// In returns the place of the member called name.
func (p Place) In(name string) Place { return Place{r: p.r, path: p.path.Child(name)} }

// Conflict reports that the members of p contradict one another. The fault is
// filed under member, the one to change; value is that member's, or nil where
// it is secret or absent; detail says what contradicts what, hint what would
// be right.
func (p Place) Conflict(member string, value any, detail, hint string) {
	p.add(Error, Conflict, member, value, detail, hint)
}

// Missing reports that member is needed because of what else is set.
func (p Place) Missing(member, detail, hint string) {
	p.add(Error, MissingMember, member, nil, detail, hint)
}

// Warn reports something that is accepted and probably not meant.
func (p Place) Warn(member string, value any, detail, hint string) {
	p.add(Warning, Conflict, member, value, detail, hint)
}

func (p Place) add(s Severity, c Code, member string, value any, detail, hint string) {
	f := Fault{Severity: s, Code: c, Path: p.path.Child(member).String(), Detail: detail, Hint: hint}
	if value != nil {
		f.Value = fmt.Sprint(value)
	}
	p.r.Add(f)
}
