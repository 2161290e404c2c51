package policy_test

import (
	"os"
	"strings"
	"testing"
)

// The pipeline runs what the README tells people to run, and nothing else.
func TestPipelineRunsTheTestCommand(t *testing.T) {
	const command = "go run ./tools/cmd/shipyard test"
	root := repository(t)
	readme, err := os.ReadFile(root.Path("README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "\n    "+command+"\n") {
		t.Errorf("README.md does not have the line %q", command)
	}
	script, err := os.ReadFile(root.Path(".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(script), "\nexec "+command+"\n") {
		t.Errorf(".ci/run does not end with %q:\n%s", "exec "+command, script)
	}
	info, err := os.Stat(root.Path(".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o111 == 0 {
		t.Errorf(".ci/run has mode %v, want it executable", info.Mode())
	}
}
