// Package manual renders a tree of commands as reference pages: one Markdown
// page for all commands, and a manual page for each.
//
// The pages come from the help texts and from nothing else, and the same
// commands always give the same bytes.
package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Markdown returns the reference page of root and its commands.
func Markdown(root *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", root.Name())
	markdownBody(&b, root)
	if flags := visible(root.PersistentFlags()); len(flags) > 0 {
		b.WriteString("\n## Options of all commands\n")
		markdownFlags(&b, flags)
	}
	for _, c := range commands(root) {
		fmt.Fprintf(&b, "\n## %s\n", c.CommandPath())
		markdownBody(&b, c)
		if flags := visible(c.LocalNonPersistentFlags()); len(flags) > 0 {
			b.WriteString("\nOptions:\n")
			markdownFlags(&b, flags)
		}
	}
	return b.Bytes()
}

func markdownBody(b *bytes.Buffer, c *cobra.Command) {
	if c.Runnable() {
		fmt.Fprintf(b, "\n    %s\n", useLine(c))
	}
	for _, par := range paragraphs(text(c)) {
		fmt.Fprintf(b, "\n%s\n", escape(par))
	}
	if c.Example != "" {
		b.WriteString("\nExamples:\n\n")
		for line := range strings.Lines(dedent(c.Example)) {
			b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	if subs := c.Commands(); len(subs) > 0 && c.HasParent() {
		b.WriteByte('\n')
		for _, s := range subs {
			if s.IsAvailableCommand() {
				fmt.Fprintf(b, "* `%s`: %s\n", s.CommandPath(), escape(s.Short))
			}
		}
	}
}

func markdownFlags(b *bytes.Buffer, flags []*pflag.Flag) {
	b.WriteByte('\n')
	for _, f := range flags {
		value, usage := unquote(f)
		fmt.Fprintf(b, "* `%s`: %s%s\n", flagNames(f, value), escape(usage), escape(defaultOf(f)))
	}
}

// escape keeps Markdown from reading angle brackets and the like in text.
func escape(s string) string {
	return strings.NewReplacer("<", `\<`, ">", `\>`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "\\`").Replace(s)
}
