package boottest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
)

// userData is what most nodes of these tests start with.
const userData = "[settings]\nmotd = \"from user data\"\n"

// A node that is switched on for the first time takes its user data, and what it
// is told then is there again after a restart. What may become of its disk later
// is tested with copies of that.
func TestNode(t *testing.T) {
	t.Parallel()
	d := boottest.Open(t).NewDisk(t)
	n := d.Boot(boottest.Options{UserData: userData})
	took := n.AwaitReady().At
	n.AwaitHealth("ok")
	if line, ok := n.KernelSaid("locked down from command line"); !ok {
		t.Errorf("the kernel says %q, want that it is locked down", line)
	}
	if got := setting(t, n, "motd"); got != `"from user data"` {
		t.Errorf("motd after the first boot: %s, want what user data says", got)
	}
	set(t, n, "motd=hello")
	checkHistory(t, n)
	follows(t, n)
	checkRestart(t, n)
	n.Shutdown()
	if t.Failed() {
		return
	}
	t.Run("DATA is lost", func(t *testing.T) {
		t.Parallel()
		checkLost(t, d.Copy(t), boottest.Data, "data-lost")
	})
	t.Run("PRIVATE is lost", func(t *testing.T) {
		t.Parallel()
		checkLost(t, d.Copy(t), boottest.Private, "private-lost")
	})
	for _, partition := range []string{boottest.Data, boottest.Private} {
		t.Run(partition+" is full", func(t *testing.T) {
			t.Parallel()
			checkFull(t, d.Copy(t), partition)
		})
	}
	for _, share := range points(t) {
		t.Run(fmt.Sprintf("power cut at %.2f of growth", share), func(t *testing.T) {
			t.Parallel()
			checkGrowth(t, d.Copy(t), time.Duration(share*float64(took)))
		})
	}
}

// checkRestart restarts the node and looks for what it keeps.
func checkRestart(t *testing.T, n *boottest.Node) {
	t.Helper()
	type kept struct {
		Machine    any
		Generation uint64
		Motd       string
	}
	look := func() kept {
		facts, err := n.API.OS(t.Context(), "")
		must(t, err)
		return kept{facts["machine_id"], generation(t, n), setting(t, n, "motd")}
	}
	first := look()
	if id, _ := first.Machine.(string); len(id) != 32 || first.Motd != `"hello"` {
		t.Errorf("before the restart: %+v, want an identity of 32 digits and the motd hello", first)
	}
	n.Reboot()
	if diff := cmp.Diff(first, look()); diff != "" {
		t.Errorf("what a node keeps over a restart (-before +after):\n%s", diff)
	}
	if lines := n.Logs(client.LogsRequest{Boot: "-1", Unit: "provision.service"}); len(lines) == 0 {
		t.Error("the journal of the boot before has no line of provision.service")
	}
}

func generation(t *testing.T, n *boottest.Node) uint64 {
	t.Helper()
	h, err := n.API.Health(t.Context())
	must(t, err)
	return h.Generation
}

// setting returns the value of a setting as the API shows it, in JSON.
func setting(t *testing.T, n *boottest.Node, name string) string {
	t.Helper()
	k, err := key.Parse(name)
	must(t, err)
	s, err := n.API.Settings(t.Context(), client.Query{Keys: []key.Key{k}})
	must(t, err)
	v, _ := s.Document.Get(k)
	return v.JSON()
}

// set makes a change as apiclient set does.
func set(t *testing.T, n *boottest.Node, pairs ...string) client.Committed {
	t.Helper()
	c, err := trySet(t.Context(), n, pairs...)
	if err != nil {
		t.Fatalf("set %q: %v", pairs, err)
	}
	return c
}

func trySet(ctx context.Context, n *boottest.Node, pairs ...string) (client.Committed, error) {
	if _, err := n.API.PatchPairs(ctx, "boottest", pairs); err != nil {
		return client.Committed{}, err
	}
	return n.API.Commit(ctx, client.CommitRequest{Tx: "boottest", Message: "a change", Apply: true, Wait: boottest.Patience})
}

// checkHistory looks for the two changes that the node has had.
func checkHistory(t *testing.T, n *boottest.Node) {
	t.Helper()
	all, err := n.API.Generations(t.Context(), 0, 0)
	must(t, err)
	var got []string
	for _, g := range all {
		got = append(got, strings.TrimSpace(g.Message+" "+g.Origin))
	}
	if len(got) < 2 || got[0] != "a change" || !strings.Contains(got[1], "user-data") {
		t.Errorf("history %q, want the change and before it the user data", got)
	}
}

// follows waits for a line of the journal that is written after it looks.
func follows(t *testing.T, n *boottest.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), boottest.Patience)
	defer cancel()
	s, err := n.API.Logs(ctx, client.LogsRequest{Unit: "apiserver.service", Lines: 1, Follow: true}, nil)
	must(t, err)
	defer s.Close()
	_, err = s.Next(ctx) // from now on lines are new
	must(t, err)
	var change sync.WaitGroup
	change.Go(func() { _, _ = trySet(ctx, n, "motd=hello again") }) // refused or not, it is told
	change.Go(func() { _, _ = trySet(ctx, n, "motd=hello") })
	line, err := s.Next(ctx)
	change.Wait()
	if err != nil || line.Unit != "apiserver.service" {
		t.Errorf("line of a followed journal: %+v, %v, want one of apiserver.service", line, err)
	}
	set(t, n, "motd=hello")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
