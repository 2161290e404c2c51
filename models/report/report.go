// Package report holds the faults found in a settings document.
//
// A report lists everything that is wrong at once, so that a person mends a
// document in one go. A fault names the setting, the value as given, what is
// wrong, what would be right, and where it stands when the input was text.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Severity says what a fault means for the document.
type Severity string

// The severities: an error refuses the document, a warning does not, an
// information is only worth reading.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// A Code names a kind of fault for programs. docs/reference/problems.md
// describes each.
type Code string

// The kinds of fault.
const (
	Syntax         Code = "syntax"          // the text is not JSON or TOML
	DuplicateKey   Code = "duplicate-key"   // a key is given twice
	UnknownSetting Code = "unknown-setting" // the variant has no such setting
	InvalidKey     Code = "invalid-key"     // a key of a map is not acceptable
	WrongType      Code = "wrong-type"      // a string where a number belongs, and the like
	InvalidValue   Code = "invalid-value"   // right type, value not acceptable
	MissingMember  Code = "missing-member"  // a mandatory member of an entry is absent
	Conflict       Code = "conflict"        // two settings contradict one another
	Deprecated     Code = "deprecated"      // works, and will go away
	TooLarge       Code = "too-large"       // size, depth or length above a limit
	Redacted       Code = "redacted-value"  // the placeholder of a secret given as its value
	Unsupported    Code = "unsupported"     // user data in a language of others asks for what no setting stands for
)

// A Fault is one thing that is wrong with a document.
type Fault struct {
	Severity Severity `json:"severity"`
	Path     string   `json:"path,omitempty"`  // from "settings." on; empty for faults of the text as a whole
	Value    string   `json:"value,omitempty"` // as given, shortened, "<redacted>" for secrets
	Code     Code     `json:"code"`
	Detail   string   `json:"detail"`           // what is wrong
	Hint     string   `json:"hint,omitempty"`   // what would be right
	Source   string   `json:"source,omitempty"` // name of the file or transaction
	Line     int      `json:"line,omitempty"`   // from 1; 0 where the input was not text
	Column   int      `json:"column,omitempty"` // from 1, in bytes
}

// String renders f on one line, position first, in the form compilers use.
func (f Fault) String() string {
	var b strings.Builder
	if f.Source != "" {
		b.WriteString(f.Source + ":")
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if f.Severity != Error {
		b.WriteString(string(f.Severity) + ": ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Detail)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// A Report is the list of faults of one document. The zero value is an empty
// report, ready for use. It is not safe for concurrent use.
type Report struct {
	Faults []Fault
}

// Add appends faults; a severity left empty means Error.
func (r *Report) Add(faults ...Fault) {
	for _, f := range faults {
		if f.Severity == "" {
			f.Severity = Error
		}
		r.Faults = append(r.Faults, f)
	}
}

// Merge appends the faults of o.
func (r *Report) Merge(o Report) { r.Faults = append(r.Faults, o.Faults...) }

// HasErrors reports whether a fault refuses the document.
func (r Report) HasErrors() bool {
	return slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Severity == Error })
}

// Sort orders the faults by position, then severity, then path.
func (r *Report) Sort() {
	rank := map[Severity]int{Error: 0, Warning: 1, Info: 2}
	slices.SortStableFunc(r.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Path, b.Path))
	})
}

// Err returns the report as an error, or nil when no fault refuses the document.
func (r Report) Err() error {
	if !r.HasErrors() {
		return nil
	}
	return &Refusal{Report: r}
}

// A Refusal is a report with at least one fault of severity Error.
type Refusal struct{ Report Report }

// Error gives the first error and the number of the others.
func (e *Refusal) Error() string {
	var first string
	n := 0
	for _, f := range e.Report.Faults {
		if f.Severity != Error {
			continue
		}
		if n == 0 {
			first = f.String()
		}
		n++
	}
	if n > 1 {
		return fmt.Sprintf("%s (and %d more)", first, n-1)
	}
	return first
}
