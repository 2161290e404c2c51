package boottest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
)

// A node that is reset is what its user data makes of it, as it was when it was
// new, also when its power is cut meanwhile. Its data stay if that is wanted.
func TestReset(t *testing.T) {
	t.Parallel()
	d := boottest.Open(t).NewDisk(t)
	n := d.Boot(boottest.Options{UserData: userData})
	took := n.AwaitReady().At
	n.AwaitHealth("ok")
	asked := time.Now()
	was, err := n.API.Boot(t.Context())
	must(t, err)
	reset(t, n, true)
	ctx, cancel := context.WithTimeout(t.Context(), boottest.Patience)
	defer cancel()
	if _, err := n.API.AwaitBoot(ctx, was, func(error) {}); err != nil {
		t.Fatalf("the node does not start after it was reset: %v", err)
	}
	checkReset(t, n, "settings", true, asked)

	asked = time.Now()
	reset(t, n, false)
	n.CutPowerAfter(time.Duration(0.5 * float64(took)))
	n = d.Boot(boottest.Options{UserData: userData})
	n.AwaitReady()
	checkReset(t, n, "settings and data", false, asked)
}

// reset has the node say what a reset would destroy, and do it to settings that
// somebody has changed.
func reset(t *testing.T, n *boottest.Node, keepData bool) {
	t.Helper()
	set(t, n, "motd=hello", "ntp.time-servers=[\"mine.example.org\"]")
	plan, err := n.API.ResetPlan(t.Context(), keepData)
	must(t, err)
	if len(plan.Destroys) == 0 || len(plan.Keeps) == 0 {
		t.Errorf("ResetPlan(%t): %+v, want what goes and what stays", keepData, plan)
	}
	must(t, n.API.Reset(t.Context(), keepData))
	n.Await("reboot: Restarting system")
}

// checkReset looks at a node that was reset.
func checkReset(t *testing.T, n *boottest.Node, what string, keepData bool, asked time.Time) {
	t.Helper()
	h := n.AwaitHealth("ok")
	// Whether it was done by this boot depends on when the power was cut.
	if f, ok := fault(h, "the node was reset: its "+what+" are"); keepData && !ok || ok && f.Severity != report.Info {
		t.Errorf("health after a reset of %s: %+v, want an information", what, h.Faults)
	}
	if got := setting(t, n, "motd"); got != `"from user data"` {
		t.Errorf("motd after a reset of %s: %s, want what user data says", what, got)
	}
	if got := setting(t, n, "ntp.time-servers"); strings.Contains(got, "mine") {
		t.Errorf("time servers after a reset of %s: %s, want those of the image", what, got)
	}
	all, err := n.API.Generations(t.Context(), 0, 0)
	must(t, err)
	if len(all) != 1 || !strings.HasPrefix(all[0].Message, "user data of ") {
		t.Errorf("history after a reset of %s: %+v, want user data only", what, all)
	}
	// The journal is among the data.
	lines := n.Logs(client.LogsRequest{Unit: "provision.service", Lines: 1000})
	kept := slices.ContainsFunc(lines, func(l client.LogLine) bool { return l.Time.Before(asked) })
	if len(lines) == 0 || kept != keepData {
		t.Errorf("journal after a reset of %s: %d lines, and that it has some from before is %t, want %t", what, len(lines), kept, keepData)
	}
}
