package server

import (
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// An Evaluator lays the layers over one another and checks the result.
type Evaluator func(user, generated document.Document, stage store.Stage) (document.Document, report.Report)

// Evaluate returns the evaluator for the settings of s.
//
// What s does not accept in a stored layer, because another image stored it,
// is left out and said. It refuses no change either: it is not what the change
// is about, and after going back to an older image nothing could be changed.
func Evaluate(s *schema.Schema, defaults document.Document) Evaluator {
	return func(user, generated document.Document, stage store.Stage) (document.Document, report.Report) {
		user, rep := s.Valid(user)
		generated, more := s.Valid(generated)
		rep.Merge(more)
		effective := document.Merge(user, generated, defaults)
		switch stage {
		case store.Stored:
			rep.Merge(s.Check(effective))
			return effective, rep
		case store.Pending:
			return effective, after(rep, s.CheckMembers(effective))
		}
		return effective, after(rep, s.Check(effective))
	}
}

// after returns rep behind what was left out, which is only a warning.
func after(left, rep report.Report) report.Report {
	for _, f := range left.Faults {
		f.Severity = report.Warning
		rep.Add(f)
	}
	return rep
}
