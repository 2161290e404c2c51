package boottest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
)

// bonded is a network in which the node is reached over a VLAN, over two cards of
// which one is used at a time. One is known by its address, the other by its
// driver.
func bonded() string {
	return fmt.Sprintf(`
[settings.network.interfaces.leg-a]
match.mac = %q
[settings.network.interfaces.leg-b]
match.driver = "virtio_net"
[settings.network.interfaces.bond0]
bond = { mode = "active-backup", interfaces = ["leg-a", "leg-b"], mii-monitor-ms = 50, up-delay-ms = 100, down-delay-ms = 50 }
[settings.network.interfaces."bond0.7"]
vlan = { device = "bond0", id = 7 }
addresses = ["%s/24"]
routes = [{ to = "default", via = "192.168.127.1" }]
`, boottest.CardMAC(0), boottest.Address())
}

// Whichever of two cards loses its link, the node is reached over the other. That
// its clock is ten years behind keeps nobody out.
func TestBond(t *testing.T) {
	t.Parallel()
	n := boottest.Open(t).NewDisk(t).Boot(boottest.Options{UserData: userData + bonded(), Cards: 2, VLAN: 7, Clock: "2016-01-02T03:04:05"})
	n.AwaitReady()
	n.AwaitHealth("ok")
	up := links(t, n)
	for _, leg := range []int{0, 1, 0} {
		n.Carry(leg, false)
		n.AwaitHealth("ok")
		n.Carry(leg, true)
		// The other is taken away when this one counts again.
		up = awaitLink(t, n, up)
	}
}

// links returns how often the kernel has said that a card of the bond has a link.
func links(t *testing.T, n *boottest.Node) int {
	t.Helper()
	count := 0
	for _, l := range n.Logs(client.LogsRequest{Boot: "0", Kernel: true}) {
		if strings.Contains(l.Message, "bond0") && strings.Contains(l.Message, "link status definitely up") {
			count++
		}
	}
	return count
}

// awaitLink waits until a card has a link again, besides those of earlier.
func awaitLink(t *testing.T, n *boottest.Node, before int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), boottest.Patience)
	defer cancel()
	for ctx.Err() == nil {
		if now := links(t, n); now > before {
			return now
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	t.Fatalf("no card has its link again; the kernel has said so %d times", before)
	return 0
}
