package containerservice

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// What systemd and containerd know is put together.
func TestMerge(t *testing.T) {
	at := time.UnixMicro(1e15)
	loaded := []unit{
		{"host-container@up.service", "active", "running", at, 2},
		{"host-container@fetching.service", "active", "running", at, 0},
		{"host-container@waiting.service", "activating", "auto-restart", at, 7},
		{"host-container@ending.service", "deactivating", "stop-sigterm", at, 0},
		{"container@up.service", "failed", "failed", time.Time{}, 0},
		{"container@off.service", "inactive", "dead", time.Time{}, 0},
	}
	known := []hostcontainerd.Info{
		{ID: "up", Name: "up", Kind: hostcontainerd.Host, Image: "a", Digest: "sha256:1", Running: true},
		{ID: "ending", Name: "ending", Kind: hostcontainerd.Host, Image: "a", Running: true},
		{ID: "boot.disks", Name: "disks", Kind: hostcontainerd.Bootstrap, Image: "b", Ended: true, Code: 3},
		{ID: "debug-1", Name: "debug-1", Kind: hostcontainerd.Debug, Image: "c", Running: true},
	}
	ended := func(id string) (int, bool) { return 5, id == "waiting" || id == "up" }
	started := new(at.UTC())
	want := []containers.Container{
		{Name: "disks", Kind: containers.Bootstrap, Unit: bootstrapUnit, Image: "b", State: containers.Stopped, ExitStatus: new(3)},
		{Name: "debug-1", Kind: containers.Debug, Image: "c", State: containers.Running},
		{Name: "off", Kind: containers.Declared, Unit: "container@off.service", State: containers.Stopped},
		{Name: "up", Kind: containers.Declared, Unit: "container@up.service", State: containers.Failed},
		{Name: "ending", Kind: containers.Host, Unit: "host-container@ending.service", Image: "a", State: containers.Stopping},
		{Name: "fetching", Kind: containers.Host, Unit: "host-container@fetching.service", State: containers.Starting, Started: started},
		{Name: "up", Kind: containers.Host, Unit: "host-container@up.service", Image: "a", Digest: "sha256:1", State: containers.Running, Started: started, Restarts: 2},
		{Name: "waiting", Kind: containers.Host, Unit: "host-container@waiting.service", State: containers.Waiting, ExitStatus: new(5), Restarts: 7},
	}
	if diff := cmp.Diff(want, merge(loaded, known, ended)); diff != "" {
		t.Errorf("merge (-want +got):\n%s", diff)
	}
}
