package boottest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
)

// A node of which every version has failed goes on trying, and slows down; what
// comes up well in the end is kept. And the firmware is told to try the loader
// again.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	d := boottest.Open(t).NewDisk(t)
	name := strings.TrimSuffix(d.Programs()[0], ".efi")
	d.RenameProgram(name+".efi", name+"+0-3.efi")
	n := d.Boot(boottest.Options{Firmware: true, UserData: userData})
	n.Await("initrd: every version on this node has failed: " + name + "+0-4.efi")
	n.Await("initrd: trying again in 10s, and later each time")
	n.AwaitReady()
	n.AwaitHealth("ok")
	awaitLog(t, n, "boot-complete.service", "rename "+name+"+0-4.efi to "+name+".efi: it runs, and is healthy")
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
	found := poll(t, func() bool {
		said = nil
		for _, l := range n.Logs(client.LogsRequest{Boot: "0", Unit: unit}) {
			if said = append(said, l.Message); strings.Contains(l.Message, text) {
				return true
			}
		}
		return false
	})
	if !found {
		t.Errorf("%s says %q, want %q", unit, said, text)
	}
}

// poll asks until the answer is yes, which it returns, or Patience is over. It asks
// less often than a node lets one caller.
func poll(t *testing.T, ask func() bool) bool {
	t.Helper()
	for end := time.Now().Add(boottest.Patience); time.Now().Before(end); {
		if ask() {
			return true
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-t.Context().Done():
			return false
		}
	}
	return false
}
