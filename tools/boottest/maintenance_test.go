package boottest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/cli"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
)

// apiclient runs the program of that name from outside, and returns what it says
// about a fault, or "".
func apiclient(t *testing.T, args ...string) string {
	t.Helper()
	var out, words bytes.Buffer
	cmd := cli.Command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&words)
	err := cmd.ExecuteContext(t.Context())
	t.Logf("apiclient %q: %v\n%s%s", args, err, &out, &words)
	if err != nil {
		return err.Error()
	}
	return ""
}

// field waits for the row of that name on the console, behind what was found last,
// and returns the first word of it.
func field(t *testing.T, n *boottest.Node, name string) string {
	t.Helper()
	line := strings.TrimSpace(n.Await("  " + name + " ").Text)
	words := strings.Fields(strings.TrimPrefix(line, name))
	if len(words) == 0 {
		t.Fatalf("console: %q, want a word behind %s", line, name)
	}
	return strings.TrimSuffix(words[0], ",")
}

// awaitSaid waits until the console has a line that contains text, wherever.
func awaitSaid(t *testing.T, n *boottest.Node, text string) {
	t.Helper()
	for end := time.Now().Add(boottest.Patience); !n.Said(text); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the console does not say %q", text)
		}
	}
}

// A node whose user data has nothing valid in it explains itself on its console,
// waits for somebody who stands before that, and becomes what he says.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	d := boottest.OpenFirst(t).NewDisk(t)
	n := d.Boot(boottest.Options{Local: true, UserData: "[settings]\nmotd = 5\nmtod = \"misspelt\"\n"})
	n.Await(") is degraded: ")
	if got, want := field(t, n, "address"), boottest.Address()+"/24"; got != want {
		t.Errorf("address on the console: %s, want %s", got, want)
	}
	fingerprint, code := field(t, n, "fingerprint"), field(t, n, "code")
	for _, want := range []string{"2:8: settings.motd: ", "3:1: settings.mtod: ", "waits for its first ones on the network"} {
		awaitSaid(t, n, want)
	}
	file := filepath.Join(t.TempDir(), "node.toml")
	must(t, os.WriteFile(file, []byte(d.Remote()+"[settings]\nmotd = \"from somebody\"\n"), 0o600))
	to := []string{"apply", "--endpoint", n.Endpoint, "--insecure-fingerprint"}
	if got := apiclient(t, append(to, strings.Repeat("0", 64), "--code", code, file)...); !strings.Contains(got, "fingerprint") {
		t.Errorf("apply with another fingerprint: %q, want that it is another one", got)
	}
	if got := apiclient(t, append(to, fingerprint, "--code", "AAAA-AAAA", file)...); !strings.Contains(got, "the code is not the one on the console") {
		t.Errorf("apply with another code: %q, want that it is another one", got)
	}
	if got := apiclient(t, append(to, fingerprint, "--code", code, file)...); got != "" {
		t.Fatalf("apply with fingerprint and code of the console: %s", got)
	}
	// What was wrong with its user data makes it degraded until it is restarted.
	h := n.AwaitHealth("degraded")
	if f, ok := fault(h, "waits-for-settings"); ok {
		t.Errorf("health with first settings: %+v, want that it waits no more", f)
	}
	if _, ok := fault(h, "mtod"); !ok {
		t.Errorf("health with first settings: %+v, want what was wrong with the user data", h.Faults)
	}
	if got := setting(t, n, "motd"); got != `"from somebody"` {
		t.Errorf("motd: %s, want that of the first settings", got)
	}
	m, err := n.API.Maintenance(t.Context())
	if err != nil || m.Waiting {
		t.Errorf("Maintenance: %+v, %v, want that the node waits no more", m, err)
	}
	if got := apiclient(t, append(to, fingerprint, "--code", code, file)...); got == "" {
		t.Error("apply of first settings for the second time: done, want it refused")
	}
	all, err := n.API.Generations(t.Context(), 0, 0)
	must(t, err)
	var messages []string
	for _, g := range all {
		messages = append(messages, g.Message)
	}
	if diff := cmp.Diff(1, len(messages)); diff != "" || !strings.HasSuffix(messages[0], "who had the code on the console") {
		t.Errorf("history: %q, want one generation by who had the code", messages)
	}
}
