package nsboot_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
)

func TestMain(m *testing.M) {
	nsboot.Enter()
	os.Exit(m.Run())
}

func TestBoot(t *testing.T) {
	m := nsboot.Boot(t, nsboot.Options{
		Files: map[string]string{"/etc/systemd/system/hello.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=echo good morning\n"},
		Wants: []string{"hello.service"},
	})
	if got := m.Run("systemctl", "is-system-running"); got != "running" {
		t.Errorf("state of the machine: %s, want running; failed units:\n%s", got, m.Run("systemctl", "--failed"))
	}
	if got := m.Property("hello.service", "ActiveState"); got != "active" {
		t.Errorf("unit that the machine wants: %s, want active", got)
	}
	if got := m.Run("journalctl", "-u", "hello.service", "-o", "cat"); !strings.Contains(got, "good morning") {
		t.Errorf("journal of the unit: %q, want its text", got)
	}
	if data, err := os.ReadFile(m.Path("/etc/hostname")); err != nil || string(data) != "machine\n" {
		t.Errorf("a file seen from outside: %q, %v", data, err)
	}
	if diff := cmp.Diff("", nsboot.Missing()); diff != "" {
		t.Errorf("Missing after a boot (-want +got):\n%s", diff)
	}
}
