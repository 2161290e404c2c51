package hostcontainerd_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
)

// Images go that nobody has needed for a while, when the disk is full, and with
// them all that they took. What is needed stays.
func TestTidy(t *testing.T) {
	l := newLab(t)
	f := newFaulty(t)
	named := f.push(t, l.image("N=20"), "team/named:v1")
	running := f.push(t, l.image("N=21"), "team/running:v1")
	large := ociimage.Files{"/large": {Mode: 0o644, Data: make([]byte, 4<<20)}}
	image, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/large"}}, large)
	if err != nil {
		t.Fatal(err)
	}
	unwanted := f.push(t, image, "team/unwanted:v1")
	l.embed(l.image("N=22"), embedded)
	for _, ref := range []string{named, unwanted, embedded} {
		if _, err := l.pull(ref); err != nil {
			t.Fatal(err)
		}
	}
	l.start(l.definition(running, "wait"))
	l.journal.expect(t, "one: ready")
	snapshots := filepath.Join(l.opt.Data, "io.containerd.snapshotter.v1.overlayfs", "snapshots")
	has := func(ref string) bool {
		t.Helper()
		f.set(faults()["gone"])
		_, err := l.pull(ref)
		f.fault.Store(nil)
		return err == nil
	}
	tidy := func(what string, rules hostcontainerd.Rules, wanted ...string) bool {
		t.Helper()
		later, err := l.TidyImages(t.Context(), wanted, rules)
		if err != nil {
			t.Fatalf("TidyImages %s: %v", what, err)
		}
		return later
	}
	const always = 1e-9 // the disk counts as full
	before := count(t, snapshots)
	now := time.Now()
	if later := tidy("for the first time", hostcontainerd.Rules{Above: always, Now: now}, named); !later {
		t.Error("TidyImages with an image that nobody needs: nothing to be done later, want something")
	}
	if later := tidy("with room on the disk", hostcontainerd.Rules{Above: 1.1, Now: now.Add(25 * time.Hour)}, named); !later {
		t.Error("TidyImages with room on the disk: nothing to be done later, want something")
	}
	// A setting names it for a while, so that the time counts anew.
	tidy("while it is needed", hostcontainerd.Rules{Above: always, Now: now.Add(26 * time.Hour)}, named, unwanted)
	tidy("again", hostcontainerd.Rules{Above: always, Now: now.Add(27 * time.Hour)}, named)
	if !has(unwanted) {
		t.Fatal("the image went before its time")
	}
	if later := tidy("after a day", hostcontainerd.Rules{Above: always, Now: now.Add(52 * time.Hour)}, named); later {
		t.Error("TidyImages after all is done: something to be done later, want nothing")
	}
	got := map[string]bool{}
	for name, ref := range map[string]string{"named": named, "running": running, "unwanted": unwanted, "embedded": embedded} {
		got[name] = has(ref)
	}
	if diff := cmp.Diff(map[string]bool{"named": true, "running": true, "unwanted": false, "embedded": true}, got); diff != "" {
		t.Errorf("images that are left (-want +got):\n%s", diff)
	}
	if after := count(t, snapshots); after != before-1 {
		t.Errorf("%d layers are unpacked after the removal of one image of %d, want one less", after, before)
	}
}

// count returns how many files are in dir.
func count(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
