package boottest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/boottest"
)

// A node without a registry runs the containers whose images are part of it. Who
// has the key in the user data logs in, and gets from there to the node.
func TestEmbeddedImages(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	lab := boottest.OpenFirst(t)
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	must(t, err)
	login := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"ssh": {"authorized-keys": [%q]}}`, strings.TrimSpace(string(public))))
	n := lab.NewDisk(t).Boot(boottest.Options{UserData: fmt.Sprintf(`[settings.host-containers.control]
enabled = true

[settings.host-containers.admin]
enabled = true
user-data = %q
`, login)})
	n.AwaitReady()
	awaitJournal(t, n, "host-container@control.service", "container runs", 1)
	awaitJournal(t, n, "host-container@admin.service", "Server listening", 1)
	host, port, err := net.SplitHostPort(n.Forward(22))
	must(t, err)
	words := []string{
		"-i", key, "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "ec2-user@" + host,
		"sudo sheltie -c 'read name < /proc/1/comm; echo $name; . /etc/os-release; echo $VARIANT_ID'; apiclient get os | tr -d ' \\n'",
	}
	var out, said bytes.Buffer
	for end := time.Now().Add(boottest.Patience); ; time.Sleep(time.Second) {
		out.Reset()
		said.Reset()
		cmd := exec.CommandContext(t.Context(), "ssh", words...)
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatalf("ssh %q: %v\n%s%s", words, err, &out, &said)
		}
	}
	for _, want := range []string{"systemd\nqemu-first\n", `"variant_id":"qemu-first"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("a shell on the node says %q, want %q in it", &out, want)
		}
	}
}
