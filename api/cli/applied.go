package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/client"
)

// The times that a command waits for an apply.
const (
	usualWait   = 30 * time.Second
	longestWait = 10 * time.Minute
)

// A waiting is the option that says how long a command waits until the change
// it made is applied.
type waiting struct{ time time.Duration }

func (w *waiting) flag(cmd *cobra.Command) {
	f := cmd.Flags()
	f.DurationVar(&w.time, "wait", 0, "wait until the change is applied, as long as `TIME`, as in --wait=5m; without TIME 30s, as is usual on a terminal, while programs do not wait")
	f.Lookup("wait").NoOptDefVal = usualWait.String()
}

func (w *waiting) check() error {
	if w.time < 0 || w.time > longestWait {
		return usage("--wait=%s: want a time from 0s to %s", w.time, longestWait)
	}
	return nil
}

// of returns how long cmd waits. A person wants to know what became of a
// change; a program that does not ask gets its answer at once, as it always did.
func (w *waiting) of(cmd *cobra.Command) time.Duration {
	if !cmd.Flags().Changed("wait") && isTerminal(cmd.ErrOrStderr()) {
		return usualWait
	}
	return w.time
}

// An unapplied error says that a change was made and is not, or not in full,
// applied.
type unapplied struct{ apply client.Apply }

func (e *unapplied) Error() string {
	if !e.apply.Done() {
		return fmt.Sprintf("generation %d is committed, and still being applied", e.apply.Generation)
	}
	return fmt.Sprintf("generation %d is committed, and was not applied in full", e.apply.Generation)
}

// write prints what is not as it should be.
func (e *unapplied) write(w io.Writer) {
	fmt.Fprintf(w, "apiclient: %v\n", e)
	for _, l := range applyLines(e.apply, true) {
		fmt.Fprintf(w, "  %s\n", l)
	}
	fmt.Fprintf(w, "hint: apiclient apply-status %s\n", e.apply.ID)
}

// outcome tells what became of an apply that the command waited for.
func (p *program) outcome(cmd *cobra.Command, a client.Apply) error {
	if !a.Done() || a.Status == applier.Failed {
		return &unapplied{a}
	}
	p.remark(cmd, "%s", outcomeText(a))
	return nil
}

func outcomeText(a client.Apply) string {
	var done []string
	for _, f := range a.Files {
		done = append(done, fmt.Sprintf("%s %s", f.Action, f.Path))
	}
	for _, x := range a.Actions {
		done = append(done, "run "+x.Name)
	}
	for _, u := range a.Units {
		done = append(done, fmt.Sprintf("%s %s", u.Action, u.Name))
	}
	const most = 6
	if n := len(done); n > most {
		done = append(done[:most], fmt.Sprintf("and %d more", n-most))
	}
	if len(done) == 0 {
		return "applied: no file differs"
	}
	return visible("applied: " + strings.Join(done, ", "))
}

// applyLines returns a line for everything that a has done, or for what of it
// failed, with the ends of journals below.
func applyLines(a client.Apply, failed bool) []string {
	var out []string
	add := func(text, fault string, below []string) {
		switch {
		case fault != "":
			text += ": " + fault
		case failed:
			return
		}
		out = append(out, visible(text))
		if fault == "" {
			return
		}
		for _, l := range below {
			out = append(out, "    "+visible(l))
		}
	}
	if a.Error != "" {
		out = append(out, visible(a.Error))
	}
	for i := range a.Faults {
		add(a.Faults[i].Path, a.Faults[i].Error(), nil)
	}
	for _, f := range a.Files {
		add(fmt.Sprintf("%s %s", f.Action, f.Path), f.Error, nil)
	}
	for _, x := range a.Actions {
		add("run "+x.Name, x.Error, strings.Split(strings.TrimRight(x.Output, "\n"), "\n"))
	}
	for _, u := range a.Units {
		add(unitText(u), u.Error, u.Journal)
	}
	return out
}

func unitText(u applier.Unit) string {
	text := fmt.Sprintf("%s %s", u.Action, u.Name)
	if state := strings.Trim(u.State+", "+u.Sub, ", "); state != "" {
		text += " (" + state + ")"
	}
	if u.Note != "" {
		text += ": " + u.Note
	}
	return text
}

// visible replaces what could do something to a terminal. Journals hold what any
// program wrote.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
