package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Pages returns a manual page for root and each of its commands, by file name:
// apiclient.1, apiclient-get.1.
func Pages(root *cobra.Command) map[string][]byte {
	pages := map[string][]byte{}
	for _, c := range append([]*cobra.Command{root}, commands(root)...) {
		pages[pageName(c)+".1"] = page(c)
	}
	return pages
}

// pageName joins the words of a command as manual pages do.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func page(c *cobra.Command) []byte {
	var b bytes.Buffer
	name := pageName(c)
	fmt.Fprintf(&b, ".TH %s 1 \"\" Bulkhead \"Bulkhead Manual\"\n", strings.ToUpper(roff(name)))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(strings.ToLower(c.Short[:1])+c.Short[1:]))
	if c.Runnable() {
		fmt.Fprintf(&b, ".SH SYNOPSIS\n.nf\n%s\n.fi\n", roff(useLine(c)))
	}
	b.WriteString(".SH DESCRIPTION\n")
	for i, par := range paragraphs(text(c)) {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(par) + "\n")
	}
	if c.HasParent() {
		roffFlags(&b, "OPTIONS", visible(c.LocalNonPersistentFlags()))
	} else {
		roffFlags(&b, "OPTIONS OF ALL COMMANDS", visible(c.PersistentFlags()))
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(strings.TrimRight(dedent(c.Example), "\n")))
	}
	seeAlso(&b, c)
	return b.Bytes()
}

func roffFlags(b *bytes.Buffer, title string, flags []*pflag.Flag) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, f := range flags {
		value, usage := unquote(f)
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(flagNames(f, value)), roff(usage+defaultOf(f)))
	}
}

func seeAlso(b *bytes.Buffer, c *cobra.Command) {
	var names []string
	if c.HasParent() {
		names = append(names, pageName(c.Parent()))
	}
	for _, s := range c.Commands() {
		if s.IsAvailableCommand() && s.Name() != "help" {
			names = append(names, pageName(s))
		}
	}
	if len(names) == 0 {
		return
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, n := range names {
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		fmt.Fprintf(b, ".BR %s (1)%s\n", roff(n), comma)
	}
}

// roff keeps troff from reading text as requests or escapes.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\`", "^", `\(ha`, "~", `\(ti`).Replace(s)
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, ".") {
			b.WriteString(`\&`)
		}
		b.WriteString(line)
	}
	return b.String()
}
