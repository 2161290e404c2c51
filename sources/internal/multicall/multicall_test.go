package multicall

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// A fault is an error with all that Run knows of errors.
type fault struct {
	hint   string
	status int
}

func (f fault) Error() string { return "it broke" }
func (f fault) Hint() string  { return f.hint }
func (f fault) ExitCode() int { return f.status }

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		stderr string
	}{
		{"well", nil, 0, ""},
		{"an error", errors.New("it broke"), 1, "prog: it broke\n"},
		{"with a status", fault{status: 5}, 5, "prog: it broke\n"},
		{"with a hint", fault{"mend it", 3}, 3, "prog: it broke\nhint: mend it\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prog := func() *cobra.Command {
				return &cobra.Command{
					Use: "prog", Short: "Do it", SilenceErrors: true, SilenceUsage: true,
					RunE: func(cmd *cobra.Command, args []string) error {
						cmd.OutOrStdout().Write([]byte(strings.Join(args, " ")))
						return tt.err
					},
				}
			}
			f := File{"many", map[string]func() *cobra.Command{"prog": prog}}
			for _, args := range [][]string{{"/usr/bin/prog", "a", "b"}, {"many", "prog", "a", "b"}} {
				var stdout, stderr strings.Builder
				status := f.Run(args, &stdout, &stderr)
				want := []any{tt.status, "a b", tt.stderr}
				if diff := cmp.Diff(want, []any{status, stdout.String(), stderr.String()}); diff != "" {
					t.Errorf("Run(%q): status, output and errors (-want +got):\n%s", args, diff)
				}
			}
		})
	}
}
