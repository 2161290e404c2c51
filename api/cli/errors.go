package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A UsageError says that a command was called in a way it does not have.
type UsageError struct {
	Err  error
	Hint string
}

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

func usage(format string, args ...any) error {
	return &UsageError{Err: fmt.Errorf(format, args...)}
}

// A hinted error comes with advice.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// ExitCode returns the exit status for what a command returned.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[*UsageError](err); ok {
		return 2
	}
	if e, ok := errors.AsType[*exitStatus](err); ok {
		return e.code
	}
	return 1
}

// WriteError prints err for people: a line for each fault, each followed by
// its hint. It prints nothing for nil.
func WriteError(w io.Writer, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			WriteError(w, e)
		}
		return
	}
	if faults := faultsOf(err); len(faults) > 0 {
		writeFaults(w, faults)
		return
	}
	if e, ok := errors.AsType[*unapplied](err); ok {
		e.write(w)
		return
	}
	if _, ok := errors.AsType[*exitStatus](err); ok {
		return
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "apiclient: interrupted")
		return
	}
	fmt.Fprintf(w, "apiclient: %s%v\n", pathOf(err), err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
}

// faultsOf returns the faults that err consists of.
func faultsOf(err error) []report.Fault {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Errors
	}
	if r, ok := errors.AsType[*report.Refusal](err); ok {
		return r.Report.Faults
	}
	return nil
}

// writeFaults prints a line for each fault. Those that stand in a text begin
// with the place, as compilers write it.
func writeFaults(w io.Writer, faults []report.Fault) {
	for i, f := range faults {
		fmt.Fprintln(w, faultLine(f))
		last := i+1 == len(faults) || faults[i+1].Hint != f.Hint
		if f.Hint != "" && last {
			fmt.Fprintf(w, "hint: %s\n", f.Hint)
		}
	}
}

func faultLine(f report.Fault) string {
	hint := f.Hint
	f.Hint = "" // on a line of its own
	line := f.String()
	f.Hint = hint
	if f.Source == "" || f.Line == 0 {
		return "apiclient: " + line
	}
	return line
}

// pathOf names the setting of a problem that has no list of faults.
func pathOf(err error) string {
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Path != "" {
		return p.Path + ": "
	}
	return ""
}

func hintFor(err error) string {
	if e, ok := errors.AsType[*hinted](err); ok {
		return e.hint
	}
	if e, ok := errors.AsType[*UsageError](err); ok {
		return e.Hint
	}
	if hint := connectionHint(err); hint != "" {
		return hint
	}
	p, ok := errors.AsType[*client.Problem](err)
	switch {
	case !ok:
		return ""
	case ways[string(p.Code)] != "":
		return ways[string(p.Code)]
	case p.Hint != "":
		return p.Hint
	case p.Status == http.StatusForbidden && p.Endpoint != "":
		return "the role in the certificate does not allow that, or the node does not allow the role (settings.api.remote.allowed-roles): reader may read, operator change settings, admin do everything"
	case p.Status == http.StatusForbidden:
		return "root and members of group api may change settings, by " + client.DefaultSocket + "; those of api-read may read them"
	}
	return ""
}

// ways are the ways out of problems for which the API names routes, in the
// words of this command.
var ways = map[string]string{
	"try-pending":      "keep it with: apiclient confirm; or take it back with: apiclient revert GENERATION (see apiclient history)",
	"no-try":           "start one with: apiclient set --try 5m KEY=VALUE",
	"no-generation":    "see which there are with: apiclient history",
	"update-busy":      "see what it does with: apiclient update status; end that with: apiclient update cancel",
	"no-update-status": "look for updates with: apiclient update check",
	"nothing-staged":   "write a version into the other slot with: apiclient update stage",
	"unknown-update":   "see which versions there are with: apiclient update check, and apiclient update list",
	"unknown-apply":    "see the last one with: apiclient apply-status",
}

// withSource says which text the faults without a source are about.
func withSource(err error, source string) error {
	name := func(faults []report.Fault) {
		for i := range faults {
			if faults[i].Source == "" {
				faults[i].Source = source
			}
		}
	}
	name(faultsOf(err))
	return err
}
