package hostcontainers_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// An operator logs in to the admin container with the key in its user data, and
// gets from there to the node. Keys of the container stay when it is made anew.
func TestAdminImage(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	archive := root.Path("build", "oci", "images", "admin.tar")
	if _, err := os.Stat(archive); err != nil {
		t.Skipf("there is no %s; shipyard image admin makes it", archive)
	}
	for _, program := range []string{"ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	data := fmt.Sprintf(`{"ssh": {"authorized-keys": [%q]}}`, strings.TrimSpace(string(public)))
	definition := filepath.Join(dir, "admin.toml")
	text := fmt.Sprintf("source = \"ghcr.io/bulkhead-os/admin:v0.1.0\"\nsuperpowered = true\nuser-data = %q\n", base64.StdEncoding.EncodeToString([]byte(data)))
	if err := os.WriteFile(definition, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m := boot(t, map[string]string{
		"/usr/share/bulkhead/images/ghcr.io_bulkhead-os_admin_v0.1.0.tar": archive,
		"/etc/host-containers/admin.toml":                                 definition, "/root/key": key,
	})
	const unit = "host-container@admin.service"
	m.Run("systemctl", "start", unit)
	m.await(unit, "Server listening on 0.0.0.0", 1)
	login := func(command string) string {
		words := []string{"ssh", "-i", "/root/key", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/run/known", "-o", "LogLevel=ERROR", "ec2-user@127.0.0.1", command}
		var out, said bytes.Buffer
		cmd := m.Command(words...)
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("%q: %v\n%s%s\n%s", words, err, &out, &said, m.journal(unit))
		}
		return strings.TrimSpace(out.String())
	}
	if got := login("id -un; cat /.bulkhead/host-containers/current/user-data || echo denied"); !strings.Contains(got, "ec2-user") || !strings.Contains(got, "denied") {
		t.Errorf("who has logged in, and what he may read: %q, want ec2-user, denied", got)
	}
	if got, want := login("sudo cat /.bulkhead/host-containers/current/user-data"), data; got != want {
		t.Errorf("user data as root reads it: %q, want %q", got, want)
	}
	// What only the node has, seen by a shell that only the container has.
	if got := login("sudo sheltie -c 'cat /etc/hostname; echo $BASH_VERSION; cat < /proc/1/comm'"); !strings.HasPrefix(got, "machine\n5.") || !strings.HasSuffix(got, "systemd") {
		t.Errorf("sheltie: %q, want the name of the node, a version of bash, and systemd", got)
	}
	before := m.Run("cat", "/local/host-containers/admin/etc/ssh/ssh_host_ed25519_key.pub")
	m.Run("systemctl", "restart", unit)
	m.await(unit, "Server listening on 0.0.0.0", 2)
	login("true") // it would refuse a host whose key has changed
	if after := m.Run("cat", "/local/host-containers/admin/etc/ssh/ssh_host_ed25519_key.pub"); after != before {
		t.Errorf("key of the host after a restart: %s, want %s", after, before)
	}
	m.Run("systemctl", "stop", unit)
	m.expect(unit, "ActiveState", "inactive")
}
