package manual

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands returns all commands below c that people use, in the order of their
// names, each before its own.
func commands(c *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, s := range c.Commands() {
		if s.IsAvailableCommand() && s.Name() != "help" {
			all = append(append(all, s), commands(s)...)
		}
	}
	return all
}

// text returns the description of c.
func text(c *cobra.Command) string {
	if c.Long == "" {
		return c.Short + "."
	}
	return c.Long
}

// useLine returns how c is called, without the options that all commands have.
func useLine(c *cobra.Command) string {
	line := c.Use
	if c.HasParent() {
		line = c.Parent().CommandPath() + " " + c.Use
	}
	if c.HasAvailableLocalFlags() && c.HasParent() {
		name, rest, _ := strings.Cut(line[len(c.Parent().CommandPath())+1:], " ")
		line = strings.TrimRight(c.Parent().CommandPath()+" "+name+" [OPTION...] "+rest, " ")
	}
	return line
}

// visible returns the flags that the help shows, by name.
func visible(set *pflag.FlagSet) []*pflag.Flag {
	var flags []*pflag.Flag
	set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Deprecated == "" && f.Name != "help" {
			flags = append(flags, f)
		}
	})
	return flags
}

// unquote returns the name of the flag's value, empty for one without, and its
// description.
func unquote(f *pflag.Flag) (value, usage string) {
	value, usage = pflag.UnquoteUsage(f)
	return strings.ToUpper(value), usage
}

// flagNames returns how f is written: "-o, --output FORM".
func flagNames(f *pflag.Flag, value string) string {
	s := "--" + f.Name
	if f.Shorthand != "" {
		s = "-" + f.Shorthand + ", " + s
	}
	if value != "" {
		s += " " + value
	}
	return s
}

// defaultOf tells the default of f in parentheses, if it has one worth telling.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "0s", "[]":
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// paragraphs splits text at empty lines and joins the lines of each part.
func paragraphs(text string) []string {
	var out []string
	for par := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		out = append(out, strings.Join(strings.Fields(par), " "))
	}
	return out
}

// dedent removes the indentation that all of text has.
func dedent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, "  "))
	}
	return b.String()
}
