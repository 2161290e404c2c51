package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

// A progressLine shows how far an action is on standard error: on a terminal on
// one line that changes, else on a line for every step and every tenth.
type progressLine struct {
	p        *program
	cmd      *cobra.Command
	terminal bool
	began    bool // something goes on at the node

	shown string    // on the terminal
	mark  string    // of the last line off a terminal
	last  time.Time // that the terminal was written to
}

func (p *program) newProgressLine(cmd *cobra.Command) *progressLine {
	return &progressLine{p: p, cmd: cmd, terminal: isTerminal(cmd.ErrOrStderr())}
}

// show shows how far s is.
func (l *progressLine) show(s updater.Status) {
	p := s.Progress
	if p == nil || !p.Running || p.Action == "" { // it begins, or ends
		return
	}
	tenth := int64(-1)
	if p.Total > 0 {
		tenth = 10 * p.Done() / p.Total
	}
	l.write(progressText(*p), fmt.Sprint(p.Action, p.Step, tenth))
}

// sent shows how much of a bundle the node has.
func (l *progressLine) sent(n, size int64) {
	l.write(fmt.Sprintf("sending the bundle: %d %%, %s of %s", 100*n/size, bytesText(n), bytesText(size)), fmt.Sprint("send ", 10*n/size))
}

// write shows text. Off a terminal it does so only for another mark than before.
func (l *progressLine) write(text, mark string) {
	text = visible(text)
	if !l.terminal {
		if mark != l.mark {
			l.mark = mark
			l.p.note(l.cmd, "%s", text)
		}
		return
	}
	if now := time.Now(); mark != l.mark || now.Sub(l.last) >= 100*time.Millisecond {
		l.mark, l.last, l.shown = mark, now, text
		fmt.Fprintf(l.cmd.ErrOrStderr(), "\r\x1b[K%s", shorten(text, 120))
	}
}

// end leaves what the terminal shows and goes on below.
func (l *progressLine) end() {
	if l.shown != "" {
		fmt.Fprintln(l.cmd.ErrOrStderr())
		l.shown = ""
	}
}

func progressText(p updater.Progress) string {
	text := string(p.Action)
	if p.Version != "" {
		text += " " + p.Version
	}
	text += ": " + p.Step
	if p.Total > 0 {
		text += fmt.Sprintf(" %d %%, %s of %s", 100*p.Done()/p.Total, bytesText(p.Done()), bytesText(p.Total))
	}
	if parts := sourcesText(p); parts != "" {
		text += " (" + parts + ")"
	}
	return text
}

// sourcesText says where the bytes came from.
func sourcesText(p updater.Progress) string {
	var parts []string
	for _, part := range []struct {
		name string
		n    int64
	}{{"patched", p.Patched}, {"reused", p.Reused}, {"fetched", p.Fetched}, {"received", p.Received}} {
		if part.n > 0 {
			parts = append(parts, part.name+" "+bytesText(part.n))
		}
	}
	return strings.Join(parts, ", ")
}

// bytesText gives a number of bytes in the largest unit that leaves a digit before
// the point.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, units := float64(n)/1000, []string{"kB", "MB", "GB", "TB"}
	for len(units) > 1 && v >= 999.95 {
		v, units = v/1000, units[1:]
	}
	return fmt.Sprintf("%.1f %s", v, units[0])
}
