package boottest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/vm"
)

// points returns when power is cut, as shares of the time that a boot takes: a
// sample that is always the same, or with BULKHEAD_SOAK a large one. That is another
// one each time, unless BULKHEAD_SOAK has the seed that an earlier run has told.
func points(t *testing.T) []float64 {
	t.Helper()
	count, seed := 3, uint64(5)
	if soak := os.Getenv("BULKHEAD_SOAK"); soak != "" {
		count, seed = 20, rand.Uint64()
		if given, err := strconv.ParseUint(soak, 10, 64); err == nil && given > 1 {
			seed = given
		}
		t.Logf("repeat this with BULKHEAD_SOAK=%d", seed)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var out []float64
	for i := range count {
		out = append(out, (float64(i)+r.Float64())/float64(count)) // one in each part of the boot
	}
	return out
}

// Whenever the power of a node is cut while it is on for the first time, it is as
// if that had never happened.
func TestPowerCutAtFirstBoot(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	fresh := lab.NewDisk(t)
	opt := boottest.Options{UserData: userData}
	n := fresh.Copy(t).Boot(opt)
	took := n.AwaitReady().At
	n.CutPower()
	for _, share := range points(t) {
		t.Run(fmt.Sprintf("%.2f", share), func(t *testing.T) {
			t.Parallel()
			d := fresh.Copy(t)
			d.Boot(opt).CutPowerAfter(time.Duration(share * float64(took)))
			n := d.Boot(opt)
			n.AwaitReady()
			n.AwaitHealth("ok")
			if got := setting(t, n, "motd"); got != `"from user data"` {
				t.Errorf("motd after a power cut: %s, want what user data says", got)
			}
			n.Shutdown()
			if got, want := d.SystemSize(boottest.Data), d.Size(boottest.Data); got < want-1<<20 || got < 900<<20 {
				t.Errorf("file system DATA has %d bytes, want the %d of its partition", got, want)
			}
		})
	}
}

// A node never goes on with a root that is not what was built.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	fresh := lab.NewDisk(t)
	tests := []struct {
		name, partition string
		block           int64
	}{
		{"in the superblock of the root", boottest.RootA, 0},
		{"in a program", boottest.RootA, lab.BlockOf(t, "/usr/lib/systemd/systemd")},
		{"in the hash tree", boottest.TreeA, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := fresh.Copy(t)
			d.FlipBit(tt.partition, tt.block)
			n := d.Boot(boottest.Options{UserData: userData, OnReboot: vm.TurnOff})
			n.AwaitOff()
			if !n.Said("is corrupted") {
				t.Error("the console does not say that a block is corrupted")
			}
			if n.Said("bulkhead 0.0.0") {
				t.Error("the node went on")
			}
		})
	}
}

// What is wrong in user data does not keep a node from being reached.
func TestWrongUserData(t *testing.T) {
	t.Parallel()
	n := boottest.Open(t).NewDisk(t).Boot(boottest.Options{UserData: userData + "mtod = \"a misspelt key\"\n"})
	line := n.Await(") is ready", ") is degraded")
	if !strings.Contains(line.Text, "degraded: ") || !strings.Contains(line.Text, "mtod") {
		t.Errorf("console: %q, want that the node is degraded by mtod", line.Text)
	}
	h := n.AwaitHealth("degraded")
	if f, ok := fault(h, "mtod"); !ok || f.Line == 0 || f.Hint == "" {
		t.Errorf("health: %+v, want a fault about mtod with its line and a hint", h.Faults)
	}
	if got := setting(t, n, "motd"); got != `"from user data"` {
		t.Errorf("motd beside a wrong key: %s, want what user data says", got)
	}
	n.Reboot() // after which it is no longer degraded
}

// fault returns the first fault that mentions text.
func fault(h client.Health, text string) (report.Fault, bool) {
	for _, f := range h.Faults {
		if strings.Contains(f.String()+string(f.Code)+f.Path, text) {
			return f, true
		}
	}
	return report.Fault{}, false
}

// checkLost boots a node that lost a partition: it can be reached and says so.
func checkLost(t *testing.T, d *boottest.Disk, partition string, code report.Code) {
	t.Helper()
	d.Wipe(partition)
	n := d.Boot(boottest.Options{UserData: userData})
	n.Await(") is degraded: ")
	h := n.AwaitHealth("degraded")
	if f, ok := fault(h, string(code)); !ok || f.Severity != report.Error || f.Hint == "" {
		t.Errorf("health without %s: %+v, want the error %s with a hint", partition, h.Faults, code)
	}
	if lines := n.Logs(client.LogsRequest{Boot: "0", Unit: "storage.service"}); len(lines) == 0 {
		t.Errorf("the journal without %s has no line of storage.service", partition)
	}
	set(t, n, "motd=lost and found")
	n.Shutdown()
	if d.Formatted(partition) {
		t.Errorf("partition %s was made anew", partition)
	}
}

// checkFull boots a node with a full file system: it can be reached and asked.
func checkFull(t *testing.T, d *boottest.Disk, partition string) {
	t.Helper()
	d.Fill(partition)
	n := d.Boot(boottest.Options{UserData: userData})
	n.Await(") is ready", ") is degraded")
	if got := setting(t, n, "motd"); got != `"hello"` {
		t.Errorf("motd with %s full: %s, want what was set before", partition, got)
	}
	if lines := n.Logs(client.LogsRequest{Boot: "0", Lines: 10}); len(lines) == 0 {
		t.Errorf("the journal with %s full is empty", partition)
	}
	if partition == boottest.Data {
		set(t, n, "motd=no room elsewhere")
		return
	}
	// The API may find room for a small change in what it has. If not, it says so.
	_, err := trySet(t.Context(), n, "motd="+strings.Repeat("a long line ", 400))
	var p *client.Problem
	if err != nil && (!errors.As(err, &p) || p.Status != http.StatusInsufficientStorage) {
		t.Errorf("set with %s full: %v, want it done, or the status %d", partition, err, http.StatusInsufficientStorage)
	}
}

// checkGrowth cuts the power of a node whose disk has become larger, and boots it
// again: it has the room.
func checkGrowth(t *testing.T, d *boottest.Disk, at time.Duration) {
	t.Helper()
	before := d.Size(boottest.Data)
	const more = 2 << 30
	d.Grow(more)
	d.Boot(boottest.Options{}).CutPowerAfter(at)
	n := d.Boot(boottest.Options{})
	n.AwaitReady()
	n.AwaitHealth("ok")
	if got := setting(t, n, "motd"); got != `"hello"` {
		t.Errorf("motd on a larger disk: %s, want what was set before", got)
	}
	n.Shutdown()
	if got := d.Size(boottest.Data); got != before+more {
		t.Errorf("partition DATA has %d bytes, want %d", got, before+more)
	}
	if got, want := d.SystemSize(boottest.Data), d.Size(boottest.Data); got < want-1<<20 {
		t.Errorf("file system DATA has %d bytes, want the %d of its partition", got, want)
	}
}
