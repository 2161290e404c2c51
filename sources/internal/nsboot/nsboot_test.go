package nsboot_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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

// What a test puts into /usr is there beside what this machine has, and is not
// to be written.
func TestBootWithProgram(t *testing.T) {
	program := filepath.Join(t.TempDir(), "greet")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho good evening\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	m := nsboot.Boot(t, nsboot.Options{
		Files: map[string]string{"/usr/lib/systemd/system/hello.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/greet\n"},
		Binds: map[string]string{"/usr/bin/greet": program},
		Wants: []string{"hello.service"},
	})
	if got := m.Run("journalctl", "-u", "hello.service", "-o", "cat"); !strings.Contains(got, "good evening") {
		t.Errorf("journal of the unit: %q, want what the program says", got)
	}
	if out, err := m.Command("touch", "/usr/bin/other").CombinedOutput(); err == nil {
		t.Errorf("touch in /usr: %q, want it refused", out)
	}
	if _, err := os.Stat("/usr/bin/greet"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the program on this machine: error %v, want %v", err, fs.ErrNotExist)
	}
}
