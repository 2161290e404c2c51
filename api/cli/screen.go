package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// isTerminal reports whether v, a standard stream, is a person's terminal.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// note prints words on standard error.
func (p *program) note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "apiclient: "+format+"\n", args...)
}

// remark prints words that only a person wants: on a terminal, or with -v.
func (p *program) remark(cmd *cobra.Command, format string, args ...any) {
	if p.verbose || isTerminal(cmd.ErrOrStderr()) {
		p.note(cmd, format, args...)
	}
}

// detail prints words that are only wanted with -v.
func (p *program) detail(cmd *cobra.Command, format string, args ...any) {
	if p.verbose {
		p.note(cmd, format, args...)
	}
}

// A colour is a way to print on a terminal.
type colour string

const (
	red   colour = "31"
	green colour = "32"
	bold  colour = "1"
)

// painter returns a function that colours text, where the output is a terminal
// that wants it.
func (p *program) painter(cmd *cobra.Command) func(colour, string) string {
	if p.noColor || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !isTerminal(cmd.OutOrStdout()) {
		return func(_ colour, s string) string { return s }
	}
	return func(c colour, s string) string { return "\x1b[" + string(c) + "m" + s + "\x1b[0m" }
}

// rows are data with a heading for each column.
type rows struct {
	head  []string
	cells [][]string
}

// write prints r: with -o table and on a terminal aligned and with headings,
// else a line for each row with tabs between the cells.
func (p *program) writeRows(cmd *cobra.Command, r rows) error {
	out := cmd.OutOrStdout()
	if p.output != "table" && !isTerminal(out) {
		for _, c := range r.cells {
			if _, err := fmt.Fprintln(out, strings.Join(c, "\t")); err != nil {
				return err
			}
		}
		return nil
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range append([][]string{r.head}, r.cells...) {
		if isTerminal(out) {
			line = fit(line)
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// fit shortens the cells of a line for a terminal.
func fit(line []string) []string {
	out := make([]string, len(line))
	for i, c := range line {
		out[i] = shorten(c, 100)
	}
	return out
}

// shorten cuts s after most bytes and says how long it was.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:cut], len(s))
}
