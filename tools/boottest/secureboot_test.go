package boottest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/secureboot"
)

// enrolled returns the variables of a firmware that starts only what the keys of
// the image signed.
func enrolled(t *testing.T, lab *boottest.Lab) string {
	t.Helper()
	keys, err := secureboot.LoadOrCreate(lab.Root.Path("build", "keys"), time.Now())
	must(t, err)
	fresh, err := lab.Emulator.FreshVariables()
	must(t, err)
	variables, err := secureboot.Enrol(fresh, keys, time.Now())
	must(t, err)
	file := filepath.Join(t.TempDir(), "enrolled.fd")
	must(t, os.WriteFile(file, variables, 0o600))
	return file
}

// With Secure Boot on, the image boots, and what a panic of its kernel said is told
// after the restart.
func TestSecureBoot(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	n := lab.NewDisk(t).Boot(boottest.Options{Firmware: true, SecureBoot: enrolled(t, lab), UserData: userData})
	n.AwaitReady()
	n.AwaitHealth("ok")
	if line, ok := n.KernelSaid("Secure boot enabled"); !ok {
		t.Errorf("the kernel says %q, want that Secure Boot is on", line)
	}
	checkUnsigned(t, n)
	n.Reboot() // in order: that is when parameters are put in place
	if line, ok := n.KernelSaid("bulkhead.addon=nosmt mitigations=auto,nosmt"); !ok {
		t.Errorf("command line: %q, want the addon in it that was asked for", line)
	}
	n.InjectNMI()
	n.Await("Kernel panic - not syncing")
	n.Await(") is ready", ") is degraded")
	h, err := n.API.Health(t.Context())
	must(t, err)
	if f, ok := fault(h, "kernel-crash"); !ok || !strings.Contains(f.Detail, "NMI") {
		t.Errorf("health after a panic: %+v, want that it was one by an NMI", h.Faults)
	}
	if lines := n.Logs(client.LogsRequest{Boot: "0", Unit: "crash-report.service"}); len(lines) < 10 {
		t.Errorf("the journal has %d lines of the panic, want what the kernel said before it", len(lines))
	}
}

// checkUnsigned asks for a kernel parameter that nobody has signed, and then for an
// addon that was signed with the image.
func checkUnsigned(t *testing.T, n *boottest.Node) {
	t.Helper()
	set(t, n, `boot.kernel.quiet=["1"]`)
	h := n.AwaitHealth("degraded")
	if f, ok := fault(h, "boot-settings-refused"); !ok || !strings.Contains(f.Detail, "Secure Boot is on") || !strings.Contains(f.Hint, "nosmt") {
		t.Errorf("health with a parameter that nobody has signed: %+v, want it refused, and the addons there are", h.Faults)
	}
	k, err := key.Parse("boot.kernel")
	must(t, err)
	must(t, n.API.Unset(t.Context(), "boottest", []key.Key{k}))
	set(t, n, `boot.addons=["nosmt"]`)
}

// A boot program that is not what was signed is refused.
func TestSecureBootRefuses(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	d := lab.NewDisk(t)
	d.Replace(boottest.ESP, "module.sig_enforce=1", "module.sig_enforce=0")
	n := d.Boot(boottest.Options{Firmware: true, SecureBoot: enrolled(t, lab), UserData: userData})
	n.Await("Access Denied", "Access denied", "Security Violation")
	if n.Said("Linux version") || n.Said("initrd: ") || n.Said("bulkhead 0.0.0") {
		t.Error("the kernel of a changed boot program ran")
	}
	n.CutPower()
}
