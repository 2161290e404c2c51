package boottest_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/secureboot"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
)

// Versions of the releases: what is there, what replaces it, and what fails.
const (
	goodVersion = "0.0.1"
	badVersion  = "0.0.2"
)

// A fallback is a release that does not hold.
type fallback struct {
	name   string
	change testimage.Change
	spoil  func(d *boottest.Disk) // what is staged; nil for nothing
	checks string                 // file of health checks at the activation
	tries  int                    // that it is given
	says   []string               // what one of its boots says last on the console, in one way or another
	want   string                 // begin of the reason
}

// restarts is what a node says before it restarts.
var restarts = []string{"reboot: Restarting system"}

func fallbacks(t *testing.T) []fallback {
	t.Helper()
	stranger, err := secureboot.LoadOrCreate(t.TempDir(), time.Now())
	must(t, err)
	const units = "/usr/lib/systemd/system/"
	return []fallback{
		{
			name: "broken unit", tries: 1, says: restarts, want: "not healthy within 1s: broken.service: the unit has failed: Broken by a test",
			change: testimage.Change{
				Files: map[string]string{units + "broken.service": "[Unit]\nDescription=Broken by a test\n[Service]\nType=oneshot\nExecStart=/usr/bin/no-such-program\n"},
				Links: map[string]string{units + "multi-user.target.wants/broken.service": "../broken.service"},
			},
		},
		{
			name: "hanging boot", tries: 1, says: restarts, want: "not booted within 40s: ", checks: `{"boot-deadline": "40s"}`,
			change: testimage.Change{Files: map[string]string{
				units + "configured.target.d/hang.conf": "[Unit]\nRequires=dev-never.device\nAfter=dev-never.device\n",
				units + "dev-never.device":              "[Unit]\nJobTimeoutSec=infinity\nJobRunningTimeoutSec=infinity\n",
			}},
		},
		{
			name: "corrupt root", tries: 3, says: []string{"is corrupted"}, want: "it was started 3 times and did not become healthy",
			spoil: func(d *boottest.Disk) { d.FlipBit(boottest.RootA, 0) },
		},
		{
			name: "refused by Secure Boot", tries: 3, says: []string{"Access Denied", "Access denied", "Security Violation"}, want: "it was started 3 times and did not become healthy",
			change: testimage.Change{Key: &stranger.Database},
		},
		{name: "failing health check", tries: 1, says: restarts, want: "not healthy within 1s: health check nobody: "},
	}
}

// An updated is the disk of a node that was updated once, and is off.
type updated struct {
	lab  *boottest.Lab
	disk *boottest.Disk
	// good is what runs, in slot B; the other slot has the image.
	good    testimage.Release
	program string // of good
	secure  string // variables of a firmware that starts only what is signed
	shop    *shop
}

// options are for the node.
func (u updated) options() boottest.Options {
	return boottest.Options{Firmware: true, SecureBoot: u.secure, UserData: userData}
}

// update makes a node, and updates it by hand.
func update(t *testing.T) updated {
	t.Helper()
	lab := boottest.Open(t)
	u := updated{lab: lab, disk: lab.NewDisk(t), program: "bulkhead-" + goodVersion + ".efi", secure: enrolled(t, lab), shop: newShop(t)}
	d, first := u.disk, u.disk.Programs()[0]
	n := d.Boot(u.options())
	n.AwaitReady()
	n.AwaitHealth("ok")
	n.Shutdown()

	u.good = lab.Derive(t, testimage.Change{Version: goodVersion, Files: u.shop.files(t, lab)})
	d.Stage(u.good, "B", first)
	d.BootSlot(boottest.Seen{Running: lab.Hash(t)}, "activate", goodVersion)
	n = d.Boot(u.options())
	awaitVersion(t, n, goodVersion)
	awaitLog(t, n, "boot-complete.service", "rename bulkhead-0.0.1+2-1.efi to bulkhead-0.0.1.efi: it runs, and is healthy")
	awaitLog(t, n, "boot-complete.service", "replace EFI/systemd/systemd-bootx64.efi: boot loader ")
	// A good version is not checked again, so this is for those that follow.
	set(t, n, "updates.health-deadline=1s", "updates.health-checks.nobody.tcp=127.0.0.1:9",
		"updates.metadata-base-url=http://"+shopAddress+"/metadata/", "updates.targets-base-url=http://"+shopAddress+"/targets/")
	n.Shutdown()
	if diff := cmp.Diff([]string{first, u.program}, d.Programs()); diff != "" {
		t.Fatalf("boot programs after an update (-want +got):\n%s", diff)
	}
	return u
}

// What becomes of updates, from one node that was updated once.
func TestUpdate(t *testing.T) {
	t.Parallel()
	u := update(t)
	for _, f := range fallbacks(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			u.fallBack(t, f)
		})
	}
	t.Run("good version that cannot be opened", func(t *testing.T) {
		t.Parallel()
		u.takeBack(t)
	})
	t.Run("parameters that break it", func(t *testing.T) {
		t.Parallel()
		u.breakParameters(t)
	})
	t.Run("over the network", func(t *testing.T) {
		t.Parallel()
		u.install(t)
	})
}

// fallBack updates the node to a release that does not hold, put in place by hand,
// past all checks. The node returns to the version before by itself, with its
// settings, and says why.
func (u updated) fallBack(t *testing.T, f fallback) {
	t.Helper()
	d := u.disk.Copy(t)
	f.change.Version = badVersion
	d.Stage(u.lab.Derive(t, f.change), "A", u.program)
	if f.spoil != nil {
		f.spoil(d)
	}
	d.BootSlot(boottest.Seen{Running: u.good.Hash.String(), Checks: f.checks}, "activate", badVersion)
	if f.tries != 3 {
		d.RenameProgram("bulkhead-0.0.2+3.efi", fmt.Sprintf("bulkhead-0.0.2+%d.efi", f.tries))
	}
	u.checkFallback(t, d, f)
}

// takeBack damages the good version that runs: the one before it takes over all the
// same.
func (u updated) takeBack(t *testing.T) {
	t.Helper()
	d := u.disk.Copy(t)
	d.Wipe("ROOT-B-VERITY")
	n := d.Boot(u.options())
	n.Await("initrd: " + u.program + " is now bulkhead-0.0.1+0-1.efi: it is started only when there is nothing else")
	awaitVersion(t, n, testimage.Version)
	h := n.AwaitHealth("ok")
	if fault, ok := fault(h, "version-failed"); !ok || !strings.HasPrefix(fault.Detail, "version 0.0.1 has failed: it was started once") {
		t.Errorf("health after a good version was taken back: %+v, want that it has failed", h.Faults)
	}
	checkMotd(t, n, "from user data")
	n.Shutdown()
}

// checkFallback boots a node that is to return to the version before.
func (u updated) checkFallback(t *testing.T, d *boottest.Disk, f fallback) {
	t.Helper()
	n := d.Boot(u.options())
	n.Await(f.says...)
	awaitVersion(t, n, goodVersion)
	h := n.AwaitHealth("ok")
	if fault, ok := fault(h, "version-failed"); !ok || !strings.HasPrefix(fault.Detail, "version 0.0.2 has failed: "+f.want) {
		t.Errorf("health after a fallback: %+v, want that version 0.0.2 has failed: %s", h.Faults, f.want)
	}
	checkMotd(t, n, "from user data")
	n.Shutdown()
	want := []string{u.program, fmt.Sprintf("bulkhead-0.0.2+0-%d.efi", f.tries)}
	if diff := cmp.Diff(want, d.Programs()); diff != "" {
		t.Errorf("boot programs after a fallback (-want +got):\n%s", diff)
	}
	if out := d.BootSlot(boottest.Seen{Running: u.good.Hash.String()}, "status"); !strings.Contains(out, "version 0.0.2: "+f.want) {
		t.Errorf("boot-slot status after a fallback:\n%swant that version 0.0.2 has failed: %s", out, f.want)
	}
}

// checkMotd checks that a setting is there in another version.
func checkMotd(t *testing.T, n *boottest.Node, want string) {
	t.Helper()
	if got := setting(t, n, "motd"); got != strconv.Quote(want) {
		t.Errorf("motd in another version: %s, want %q", got, want)
	}
}

// awaitVersion waits until a version says that it is ready, whatever others say
// before.
func awaitVersion(t *testing.T, n *boottest.Node, version string) {
	t.Helper()
	n.Await("bulkhead " + version + " (" + testimage.Variant + ") is ready")
}
