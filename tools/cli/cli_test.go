package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestRun(t *testing.T) {
	tests := []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // what is in them
	}{
		{name: "no command", status: 0, stdout: "Available Commands:"},
		{name: "help", args: []string{"test", "--help"}, status: 0, stdout: "shipyard test -run TestCommit ./api/store"},
		{name: "unknown command", args: []string{"nonsense"}, status: 2, stderr: `shipyard: there is no command "shipyard nonsense"` + "\n"},
		{name: "misspelt command", args: []string{"chekc"}, status: 2, stderr: `shipyard: there is no command "shipyard chekc": did you mean shipyard check?` + "\n"},
		{name: "unknown flag", args: []string{"check", "--fast"}, status: 2, stderr: "shipyard: unknown flag: --fast\n"},
		{name: "a word too many", args: []string{"sandbox", "now"}, status: 2, stderr: `shipyard: shipyard sandbox takes no arguments, got "now"` + "\n"},
		{name: "no repository", args: []string{"check"}, status: 1, stderr: "run shipyard inside the repository\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var stdout, stderr bytes.Buffer
			if got := Run(t.Context(), tt.args, &stdout, &stderr); got != tt.status {
				t.Errorf("Run(%q) = %d, want %d", tt.args, got, tt.status)
			}
			if got := stdout.String(); !strings.Contains(got, tt.stdout) || tt.stdout == "" && got != "" {
				t.Errorf("Run(%q): standard output %q, want %q in it", tt.args, got, tt.stdout)
			}
			if got := stderr.String(); !strings.Contains(got, tt.stderr) || tt.stderr == "" && got != "" {
				t.Errorf("Run(%q): standard error %q, want %q in it", tt.args, got, tt.stderr)
			}
		})
	}
}

// Failed tests are told where they are found, and nothing follows the count.
func TestRunOfFailingTests(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.work":       "go 1.26.0\n\nuse ./one\n",
		"one/go.mod":    "module one.example\n\ngo 1.26.0\n",
		"one/a_test.go": "package one\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Fail() }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(dir, "one"))
	var stdout, stderr bytes.Buffer
	if got := Run(t.Context(), []string{"test", "-run=Bad"}, &stdout, &stderr); got != 1 {
		t.Errorf("Run(test -run=Bad) = %d, want 1", got)
	}
	if !strings.HasSuffix(stdout.String(), "\n0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("Run(test -run=Bad): standard output\n%swant the count in the last line", stdout.String())
	}
	if stderr.Len() > 0 {
		t.Errorf("Run(test -run=Bad): standard error %q, want nothing", stderr.String())
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s: short %q, long %q, example %q, want all three", cmd.CommandPath(), cmd.Short, cmd.Long, cmd.Example)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(Command())
}

func TestGoFlags(t *testing.T) {
	got := goFlags([]string{"test", "-run", "A", "-run=B", "--run=C", "-runner", "./x"})
	want := []string{"test", "--run", "A", "--run=B", "--run=C", "-runner", "./x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("goFlags (-want +got):\n%s", diff)
	}
}
