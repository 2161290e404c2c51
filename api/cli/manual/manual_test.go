package manual_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/cli/manual"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "tool", Short: "Keep things", Long: "tool keeps\nthings.\n\n.dots begin this line."}
	root.PersistentFlags().StringP("socket", "s", "", "talk to `PATH`")
	hidden := root.PersistentFlags().Bool("secret", false, "nobody sees this")
	_ = hidden
	root.PersistentFlags().Lookup("secret").Hidden = true
	get := &cobra.Command{
		Use: "get [KEY...]", Short: "Print things", Long: "Print <things> as they are.",
		Example: "  tool get a\n  tool get 'b c'", Run: func(*cobra.Command, []string) {},
	}
	get.Flags().StringP("output", "o", "json", "print as `FORM`")
	root.AddCommand(get)
	return root
}

func TestMarkdown(t *testing.T) {
	want := "# tool\n\ntool keeps things.\n\n.dots begin this line.\n\n## Options of all commands\n\n* `-s, --socket PATH`: talk to PATH\n\n" +
		"## tool get\n\n    tool get [OPTION...] [KEY...]\n\nPrint \\<things\\> as they are.\n\nExamples:\n\n    tool get a\n    tool get 'b c'\n\n" +
		"Options:\n\n* `-o, --output FORM`: print as FORM (default json)\n"
	if diff := cmp.Diff(want, string(manual.Markdown(tree()))); diff != "" {
		t.Errorf("Markdown (-want +got):\n%s", diff)
	}
}

func TestPages(t *testing.T) {
	got := map[string]string{}
	for name, data := range manual.Pages(tree()) {
		got[name] = string(data)
	}
	want := map[string]string{
		"tool.1": `.TH TOOL 1 "" Bulkhead "Bulkhead Manual"
.SH NAME
tool \- keep things
.SH DESCRIPTION
tool keeps things.
.PP
\&.dots begin this line.
.SH OPTIONS OF ALL COMMANDS
.TP
.B \-s, \-\-socket PATH
talk to PATH
.SH SEE ALSO
.BR tool\-get (1)
`,
		"tool-get.1": `.TH TOOL\-GET 1 "" Bulkhead "Bulkhead Manual"
.SH NAME
tool\-get \- print things
.SH SYNOPSIS
.nf
tool get [OPTION...] [KEY...]
.fi
.SH DESCRIPTION
Print <things> as they are.
.SH OPTIONS
.TP
.B \-o, \-\-output FORM
print as FORM (default json)
.SH EXAMPLES
.nf
tool get a
tool get \(aqb c\(aq
.fi
.SH SEE ALSO
.BR tool (1)
`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Pages (-want +got):\n%s", diff)
	}
}
