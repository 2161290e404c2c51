package bootstrapcommands_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/bootstrapcommands"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// client is a stand-in for the API client: it writes down how it was called, and
// ends with the status that its argument asks for.
const client = `#!/bin/sh
echo "$*" >> "$CALLS"
case "$1" in
fail) echo "first line"; echo "last line" >&2; exit "$2" ;;
set) exit "${SET_STATUS:-0}" ;;
esac
`

func TestRun(t *testing.T) {
	tests := []struct {
		name    string
		entries map[string]string
		set     string   // exit status of set
		calls   []string // of the client
		faults  []string
		status  int
	}{
		{name: "nothing"},
		{
			name: "in the order of names",
			entries: map[string]string{
				"b":   `mode = "always"` + "\n" + `commands = [["apiclient", "report", "b"], ["apiclient", "two words", "it's"]]`,
				"a":   `mode = "always"` + "\n" + `commands = [["apiclient", "report", "a"]]`,
				"a-b": `mode = "always"` + "\n" + `commands = [["apiclient", "report", "a-b"]]`,
			},
			calls: []string{"report a", "report a-b", "report b", "two words it's"},
		},
		{
			name:    "once, and off then",
			entries: map[string]string{"a": `mode = "once"` + "\n" + `commands = [["apiclient", "report"]]`},
			calls:   []string{"report", "set bootstrap-commands.a.mode=off"},
		},
		{
			name: "once, and not off", set: "4",
			entries: map[string]string{"a": `mode = "once"` + "\n" + `commands = [["apiclient", "report"]]`},
			calls:   []string{"report", "set bootstrap-commands.a.mode=off"},
			faults:  []string{"warning settings.bootstrap-commands.a.mode: bootstrap-not-off"},
		},
		{
			name: "a failure that does not matter",
			entries: map[string]string{
				"a": `mode = "once"` + "\n" + `commands = [["apiclient", "fail", "3", "secret"], ["apiclient", "report"]]`,
				"b": `mode = "always"` + "\n" + `commands = [["apiclient", "report", "b"]]`,
			},
			calls:  []string{"fail 3 secret", "report", "report b"},
			faults: []string{"warning settings.bootstrap-commands.a: bootstrap-failed: command 1 (apiclient fail …): exit status 3: last line"},
		},
		{
			name: "a failure that ends the boot",
			entries: map[string]string{
				"a": `mode = "once"` + "\n" + `essential = true` + "\n" + `commands = [["apiclient", "fail", "1"], ["apiclient", "report"]]`,
				"b": `mode = "always"` + "\n" + `commands = [["apiclient", "report", "b"]]`,
			},
			calls: []string{"fail 1"},
			faults: []string{"error settings.bootstrap-commands.a: bootstrap-failed: command 1 (apiclient fail …): exit status 1: last line; " +
				"it is essential, so nothing that needs a configured node was started"},
			status: 1,
		},
		{
			name: "unusable",
			entries: map[string]string{
				"a": `mode = "once"` + "\n" + `command = []`, "b": `mode = "always"` + "\n" + `commands = [["reboot"]]`,
				"c": `mode = "always"` + "\n" + `commands = [["apiclient", "report"]]`,
			},
			calls: []string{"report"},
			faults: []string{
				"error settings.bootstrap-commands.a: bootstrap-unusable",
				"warning settings.bootstrap-commands.b: bootstrap-failed: command 1 (reboot): it does not call apiclient",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			calls, program, health := filepath.Join(dir, "calls"), filepath.Join(dir, "apiclient"), filepath.Join(dir, "run", "health")
			t.Setenv("CALLS", calls)
			t.Setenv("SET_STATUS", tt.set)
			write(t, program, client, 0o755)
			for name, text := range tt.entries {
				write(t, filepath.Join(dir, "entries", name+".toml"), text+"\n", 0o600)
			}
			var out bytes.Buffer
			cmd := bootstrapcommands.Command()
			cmd.SetArgs([]string{"--client", program, "--health", health, filepath.Join(dir, "entries")})
			cmd.SetErr(&out)
			status := 0
			if err := cmd.Execute(); err != nil {
				status = 1
			}
			if status != tt.status {
				t.Errorf("exit status %d, want %d; it wrote:\n%s", status, tt.status, &out)
			}
			if diff := cmp.Diff(tt.calls, lines(calls)); diff != "" {
				t.Errorf("calls of the client (-want +got):\n%s", diff)
			}
			compareFaults(t, health, tt.faults)
			if strings.Contains(out.String(), "secret") {
				t.Errorf("the log tells the words of a command:\n%s", &out)
			}
		})
	}
}

// compareFaults compares the beginnings of what is reported in health with want.
func compareFaults(t *testing.T, health string, want []string) {
	t.Helper()
	faults, err := healthfile.ReadAll(health)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, f := range faults {
		text := string(f.Severity) + " " + f.Path + ": " + string(f.Code) + ": " + f.Detail
		if i < len(want) && strings.HasPrefix(text, want[i]) {
			text = want[i]
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{}, {"a", "b"}, {"--unknown"}} {
		cmd := bootstrapcommands.Command()
		cmd.SetArgs(args)
		err := cmd.Execute()
		if coder, ok := err.(interface{ ExitCode() int }); !ok || coder.ExitCode() != 2 {
			t.Errorf("bootstrap-commands %q: %v, want an error with status 2", args, err)
		}
	}
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func lines(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
