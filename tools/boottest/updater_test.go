package boottest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/secureboot"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
	"github.com/bulkhead-os/bulkhead/tools/updatetest"
)

// nextVersion is what nodes are updated to over the network.
const nextVersion = "0.0.3"

// A shop publishes releases, at an address that nodes reach.
type shop struct{ *updatetest.Publisher }

const shopAddress = "169.254.169.250:80"

func newShop(t *testing.T) *shop {
	t.Helper()
	p, err := updatetest.NewPublisher(t.TempDir(), time.Now().Add(-time.Hour))
	must(t, err)
	must(t, p.Release(t.Context(), "root1", "root2", "targets", "online"))
	return &shop{p}
}

// files are what a release has that trusts the shop, and brings a newer boot
// loader.
func (s *shop) files(t *testing.T, lab *boottest.Lab) map[string]string {
	t.Helper()
	root, err := s.Root()
	must(t, err)
	return map[string]string{"/usr/share/bulkhead/updates/root.json": string(root), loaderFile: newerLoader(t, lab)}
}

const loaderFile = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"

// newerLoader returns a boot loader that says it is of a later release.
func newerLoader(t *testing.T, lab *boottest.Lab) string {
	t.Helper()
	plain, err := os.ReadFile(lab.Root.Path("build", "image", "tools", loaderFile))
	must(t, err)
	_, after, _ := strings.Cut(string(plain), "LoaderInfo: systemd-boot ")
	old, _, found := strings.Cut(after, ".")
	number, err := strconv.Atoi(old)
	must(t, err)
	if !found {
		t.Fatal("the boot loader does not say which it is")
	}
	wide := func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") } // as UEFI has texts
	was, is := fmt.Sprintf("systemd-boot %d.", number), fmt.Sprintf("systemd-boot %d.", number+1)
	changed := strings.NewReplacer(was, is, wide(was), wide(is)).Replace(string(plain))
	keys, err := secureboot.LoadOrCreate(lab.Root.Path("build", "keys"), time.Now())
	must(t, err)
	signed, err := secureboot.Sign([]byte(changed), keys.Database)
	must(t, err)
	return string(signed)
}

// migration is what a release does to settings.
const migration = "[[migration]]\nformat = 2\n[[migration.step]]\nkind = \"map\"\nkey = \"settings.motd\"\nvalues = [[\"old\", \"new\"]]\n"

// publish publishes a release that the lab makes, which changes settings.
func (s *shop) publish(t *testing.T, lab *boottest.Lab, version string) {
	t.Helper()
	files := s.files(t, lab)
	files["/usr/share/bulkhead/migrations/settings.toml"] = migration
	r := lab.Derive(t, testimage.Change{Version: version, Files: files})
	must(t, os.WriteFile(filepath.Join(r.Dir, "migrations.toml"), []byte(migration), 0o644))
	must(t, s.Publish(t.Context(), updatetest.Release{Dir: r.Dir, Version: r.Version, RootHash: r.Hash.String()}, repo.Addition{}))
}

// online are options for the node that let it reach the shop.
func (u updated) online() boottest.Options {
	opt := u.options()
	opt.Services = map[string]func(net.Listener) error{
		shopAddress: func(l net.Listener) error { return http.Serve(l, repo.Handler(u.shop.Dir)) },
	}
	return opt
}

// mend makes the health checks of the node ones that pass, and sets what the release
// changes.
func mend(t *testing.T, n *boottest.Node) {
	t.Helper()
	set(t, n, "updates.health-deadline=5m", "updates.health-checks.nobody.tcp=127.0.0.1:8443", "updates.health-checks.chrony.unit=chronyd.service", "motd=old")
}

// install publishes a release, and has a node install it as somebody asks it to who
// is elsewhere: it is kept, and the way back is open. Whenever the power is cut on
// the way, the node comes up again, and completes it.
func (u updated) install(t *testing.T) {
	t.Helper()
	u.shop.publish(t, u.lab, nextVersion)
	n := u.disk.Copy(t).Boot(u.online())
	awaitVersion(t, n, goodVersion)
	mend(t, n)
	began := time.Now()
	out := command(t, n, "update", "apply", "--reboot", "--wait")
	if h := n.AwaitHealth("ok"); h.Version != nextVersion {
		t.Fatalf("after apiclient update apply version %s runs, want %s; it said\n%s", h.Version, nextVersion, out)
	}
	awaitLog(t, n, "boot-complete.service", "rename bulkhead-0.0.3+2-1.efi to bulkhead-0.0.3.efi: it runs, and is healthy")
	took := time.Since(began)
	if n.Said("Failed to rename") {
		t.Error("the boot loader could not count the tries of a version that an update has put in place")
	}
	// The last boots came about by the loader that was new in the first place.
	awaitLog(t, n, "boot-complete.service", "replace EFI/BOOT/BOOTX64.EFI: boot loader ")
	checkMotd(t, n, "new")
	awaitKept(t, n)
	s, err := n.API.UpdateStatus(t.Context())
	must(t, err)
	if s.State != updater.Idle || s.ActivePartition == nil || s.ActivePartition.Image.Version != nextVersion {
		t.Errorf("status after an update: %+v, want idle with %s active", s, nextVersion)
	}
	t.Logf("an update took %s; it said\n%s", took, out)

	command(t, n, "update", "rollback", "--reboot", "--wait")
	if h := n.AwaitHealth("ok"); h.Version != goodVersion {
		t.Errorf("after apiclient update rollback version %s runs, want %s", h.Version, goodVersion)
	}
	checkMotd(t, n, "old")
	n.Shutdown()
	u.cutPower(t, took)
}

// command runs apiclient. While the node sees to what became of an update before, it
// is asked again.
func command(t *testing.T, n *boottest.Node, args ...string) string {
	t.Helper()
	var out string
	var err error
	poll(t, func() bool {
		out, err = n.Apiclient(args...)
		return err == nil || !strings.Contains(err.Error(), "another action goes on")
	})
	if err != nil {
		t.Fatalf("apiclient %q: %v, output\n%s", args, err, out)
	}
	return out
}

// cuts returns when power is cut, as shares of the time from the request to the
// end of the first boot that was healthy.
func cuts(t *testing.T) []float64 {
	t.Helper()
	count, seed := 3, uint64(7)
	if os.Getenv("BULKHEAD_SOAK") != "" {
		count, seed = 40, rand.Uint64()
		t.Logf("seed %d", seed)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var out []float64
	for i := range count {
		out = append(out, (float64(i)+r.Float64())/float64(count))
	}
	return out
}

// cutPower cuts the power of a node that is updating, which takes so long, at one
// point after the other. The node comes up with a version that is whole each time,
// and goes on with the update from what it has. In the end the update is completed.
func (u updated) cutPower(t *testing.T, took time.Duration) {
	t.Helper()
	var d *boottest.Disk
	var n *boottest.Node // that has something left to do
	for _, share := range cuts(t) {
		if n == nil {
			d = u.disk.Copy(t)
			n = d.Boot(u.online())
			awaitVersion(t, n, goodVersion)
			mend(t, n)
		}
		after := time.Duration(share * float64(took))
		beginUpdate(t, n)
		n.CutPowerAfter(after)
		n = d.Boot(u.online())
		n.Await(") is ready", ") is degraded")
		h := n.AwaitBooted()
		for _, f := range h.Faults {
			if f.Severity == report.Error {
				t.Errorf("after a cut at %s: %s", after, f)
			}
		}
		t.Logf("after a cut at %s version %s runs", after, h.Version)
		switch h.Version {
		case nextVersion:
			u.checkUpdated(t, n)
			n = nil // the next point is one of another node
		case goodVersion:
		default:
			t.Fatalf("after a cut at %s version %s runs, want %s or %s", after, h.Version, goodVersion, nextVersion)
		}
	}
	if n != nil {
		command(t, n, "update", "apply", "--reboot", "--wait")
		u.checkUpdated(t, n)
	}
}

// beginUpdate has the node update itself. While it sees to what became of an update
// before, it is asked again.
func beginUpdate(t *testing.T, n *boottest.Node) {
	t.Helper()
	var err error
	poll(t, func() bool {
		err = n.API.Update(t.Context(), updater.Apply, client.UpdateRequest{Reboot: true})
		p, ok := errors.AsType[*client.Problem](err)
		return !ok || p.Status != http.StatusLocked
	})
	must(t, err)
}

// checkUpdated waits until a node has kept the release that was published, and
// switches it off.
func (u updated) checkUpdated(t *testing.T, n *boottest.Node) {
	t.Helper()
	if h := n.AwaitBooted(); h.Version != nextVersion {
		t.Errorf("after an update version %s runs, want %s", h.Version, nextVersion)
	}
	checkMotd(t, n, "new")
	awaitKept(t, n)
	n.Shutdown()
}

// awaitKept waits until the node says that it has kept what it was updated to.
func awaitKept(t *testing.T, n *boottest.Node) {
	t.Helper()
	var events []updater.Event
	kept := poll(t, func() bool {
		var err error
		events, err = n.API.UpdateHistory(t.Context(), 0)
		return err == nil && slices.ContainsFunc(events, func(e updater.Event) bool { return e.Kind == "kept" && e.Version == nextVersion })
	})
	if !kept {
		t.Errorf("history of updates: %+v, want that %s was kept", events, nextVersion)
	}
}
