package boottest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/probe"
)

// Without a setting that says so, nothing of a node listens to others.
func TestNoListeners(t *testing.T) {
	t.Parallel()
	n := boottest.Open(t).NewDisk(t).Boot(boottest.Options{Local: true, Probe: true})
	facts := n.Facts()
	if !n.Said("api          on this node only") || !n.Said(") is ready") {
		t.Error("the console does not say that the node is ready and its API on the node only")
	}
	if diff := cmp.Diff([]probe.Listener(nil), facts.Listens(), cmp.Comparer(func(a, b probe.Listener) bool { return a == b })); diff != "" {
		t.Errorf("sockets that listen to others (-want +got):\n%s", diff)
	}
	for _, p := range facts.Processes {
		if p.Name == "containerd" {
			t.Error("containerd runs although nothing asked for it")
		}
	}
}
