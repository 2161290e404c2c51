package plan

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/bulkhead-os/bulkhead/models/document"
)

// WriteText writes p for people. Control characters in what users wrote come
// out escaped, so that a plan cannot do anything to a terminal.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s: %s → %s\n", c.Key, value(c.Old), value(c.New))
	}
	for _, f := range p.Files {
		b.WriteString(f.summary())
		for line := range strings.Lines(f.Diff) {
			b.WriteString("    " + line)
		}
	}
	if p.DaemonReload {
		b.WriteString("let systemd read its units again\n")
	}
	for _, a := range p.Actions {
		fmt.Fprintf(&b, "run %s of %s (%s)\n", a.Name, a.Package, because(a.Because, nil))
	}
	for _, u := range p.Units {
		fmt.Fprintf(&b, "%s %s (%s)\n", u.Action, u.Name, because(u.Because, u.After))
	}
	for i := range p.Faults {
		fmt.Fprintf(&b, "fault: %s\n", p.Faults[i].Error())
	}
	if b.Len() == 0 {
		b.WriteString("nothing to do\n")
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

func (f *FileChange) summary() string {
	var notes []string
	switch f.Action {
	case Create, Update, Chmod:
		notes = append(notes, fmt.Sprintf("%s %s:%s", f.Mode, f.Owner, f.Group))
	case Settle:
		notes = append(notes, "content in place, units not done")
	}
	if f.Secret && f.Action != Chmod {
		notes = append(notes, "secret")
	}
	if len(notes) == 0 {
		return fmt.Sprintf("%s %s\n", f.Action, f.Path)
	}
	return fmt.Sprintf("%s %s (%s)\n", f.Action, f.Path, strings.Join(notes, ", "))
}

func because(paths, after []string) string {
	s := strings.Join(paths, ", ")
	if len(after) > 0 {
		s += "; after " + strings.Join(after, ", ")
	}
	return s
}

func value(v *document.Value) string {
	if v == nil {
		return "not set"
	}
	return v.JSON()
}

// printable escapes what is neither printable nor the end of a line or a tab.
func printable(s string) string {
	ok := func(r rune) bool { return r == '\n' || r == '\t' || unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if ok(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
