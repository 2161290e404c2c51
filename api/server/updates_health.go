package server

import (
	"fmt"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// Codes of faults of updates.
const (
	codeUpdate      report.Code = "update-failed"       // the last action failed that would have led to another version
	codeUpdateCheck report.Code = "update-check-failed" // the last look for updates failed
)

// recentHistory is how much of the history says whether something is wrong.
const recentHistory = 50

// faults returns what has gone wrong with updates. None of it keeps the running
// version from being good.
func (u *updates) faults() []report.Fault {
	if u == nil {
		return nil
	}
	events, err := u.History(recentHistory)
	if err != nil {
		return []report.Fault{{Severity: report.Warning, Code: codeUpdate, Detail: err.Error()}}
	}
	var out []report.Fault
	looked := false
	for _, e := range events {
		action := updater.Action(e.Kind)
		if e.Version == "" && (action == updater.Apply || action == updater.Prepare) {
			action = updater.Refresh // it came no further
		}
		if action == updater.Refresh {
			if !looked && !e.OK {
				out = append(out, report.Fault{
					Severity: report.Info, Code: codeUpdateCheck, Hint: "apiclient update check looks again",
					Detail: fmt.Sprintf("%s failed at %s, before a version was chosen: %s", e.Kind, e.Time.UTC().Format(time.RFC3339), e.Detail),
				})
			}
			looked = true
		}
		if action == updater.Refresh || action == updater.Cancel {
			continue
		}
		// What became of a version that ran is for the slots to say.
		if !e.OK && e.Kind != "failed" {
			out = append(out, report.Fault{
				Severity: report.Warning, Code: codeUpdate, Hint: "apiclient update status says more; the same command goes on where it ended",
				Detail: fmt.Sprintf("%s failed at %s: %s", versioned(e), e.Time.UTC().Format(time.RFC3339), e.Detail),
			})
		}
		break
	}
	return out
}

// versioned names what e is about.
func versioned(e updater.Event) string {
	if e.Version == "" {
		return e.Kind
	}
	return e.Kind + " of " + e.Version
}
