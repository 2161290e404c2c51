package boottest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
)

// A version on trial, which the loader counts down, is kept once the node is
// healthy; and the firmware is told to try the loader again.
func TestTrialIsKept(t *testing.T) {
	t.Parallel()
	d := boottest.Open(t).NewDisk(t)
	name := strings.TrimSuffix(d.Programs()[0], ".efi")
	d.RenameProgram(name+".efi", name+"+3.efi")
	n := d.Boot(boottest.Options{Firmware: true, UserData: userData})
	n.AwaitReady()
	n.AwaitHealth("ok")
	awaitLog(t, n, "boot-complete.service", "rename "+name+"+2-1.efi to "+name+".efi: it runs, and is healthy")
	awaitLog(t, n, "boot-slot.service", "write BootOrder: the loader comes first")
	n.Shutdown()
	if diff := cmp.Diff([]string{name + ".efi"}, d.Programs()); diff != "" {
		t.Errorf("boot programs once the node was healthy (-want +got):\n%s", diff)
	}
}

// awaitLog waits until a unit has said a text in this boot.
func awaitLog(t *testing.T, n *boottest.Node, unit, text string) {
	t.Helper()
	var said []string
	for end := time.Now().Add(boottest.Patience); time.Now().Before(end); {
		said = nil
		for _, l := range n.Logs(client.LogsRequest{Boot: "0", Unit: unit}) {
			if said = append(said, l.Message); strings.Contains(l.Message, text) {
				return
			}
		}
	}
	t.Errorf("%s says %q, want %q", unit, said, text)
}
