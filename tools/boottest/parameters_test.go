package boottest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
)

// breakParameters sets parameters with which no kernel comes up. The version that
// runs is started with them until its tries are used up; then the other one takes
// over, without them.
func (u updated) breakParameters(t *testing.T) {
	t.Helper()
	d := u.disk.Copy(t)
	firmware := boottest.Options{Firmware: true, UserData: userData} // that takes what nobody signed
	n := d.Boot(firmware)
	n.Await("provision: user data was taken on ")
	n.Await("provision: settings were applied: ")
	awaitVersion(t, n, goodVersion)
	n.AwaitHealth("ok")
	set(t, n, `boot.kernel.rdinit=["/none"]`)
	n.Shutdown()
	first := "bulkhead-" + testimage.Version + ".efi"
	if diff := cmp.Diff([]string{first, "bulkhead-" + goodVersion + "+3.efi"}, d.Programs()); diff != "" {
		t.Fatalf("boot programs with other parameters (-want +got):\n%s", diff)
	}

	n = d.Boot(firmware)
	n.Await("Kernel panic - not syncing")
	n.Await("bulkhead " + testimage.Version + " (" + testimage.Variant + ") is degraded")
	h := n.AwaitHealth("degraded")
	if _, ok := fault(h, "boot-settings-failed"); !ok {
		t.Errorf("health: %+v, want that the parameters have failed", h.Faults)
	}
	if f, ok := fault(h, "version-failed"); !ok || !strings.Contains(f.Detail, "settings.boot") {
		t.Errorf("health: %+v, want that version %s has failed for its parameters", h.Faults, goodVersion)
	}
	n.Shutdown()
	if diff := cmp.Diff([]string{first, "bulkhead-" + goodVersion + "+0-3.efi"}, d.Programs()); diff != "" {
		t.Errorf("boot programs in the end (-want +got):\n%s", diff)
	}
}
