package updatetest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

// A small file system stands for one that fills up: what has no room in it cannot be
// written, at whatever place that comes to be.
type small struct {
	b   *bench
	dir string
}

// small mounts an empty file system.
func (b *bench) small(size string) small {
	b.Helper()
	s := small{b, b.TempDir()}
	if err := syscall.Mount("tmpfs", s.dir, "tmpfs", 0, "size="+size); err != nil {
		b.Skipf("mount a small file system: %v", err)
	}
	b.Cleanup(func() { _ = syscall.Unmount(s.dir, syscall.MNT_DETACH) })
	return s
}

// grow makes it larger.
func (s small) grow(size string) {
	s.b.Helper()
	s.b.must(syscall.Mount("", s.dir, "", syscall.MS_REMOUNT, "size="+size))
}

// replaces makes it what is at a name of the node.
func (s small) replaces(name string) {
	s.b.Helper()
	s.b.must(os.RemoveAll(s.b.path(name)))
	s.b.must(os.Symlink(s.dir, s.b.path(name)))
}

// finishes updates the node once a fault is gone.
func (b *bench) finishes() {
	b.Helper()
	b.run("apply")
	b.wantState(updater.Ready, "1.1.0")
	b.wantNext("1.1.0")
}

func TestESPFull(t *testing.T) {
	b := newBench(t)
	b.Node.Foreign = 3700 << 10
	b.must(os.Remove(b.path("disk")))
	b.must(b.Install(b.releases["1.0.0"]))
	b.wantFailure("not enough room on the file system")
	b.Node.Foreign = 0
	b.must(os.Remove(b.path("disk")))
	b.must(b.Install(b.releases["1.0.0"]))
	b.finishes()
}

func TestSlotTooSmall(t *testing.T) {
	b := newBench(t)
	b.release("1.2.0", Image(9, 1500))
	b.wantFailure("the slot has room for")
}

func TestDataFull(t *testing.T) {
	b := newBench(t)
	s := b.small("64k")
	s.replaces("data")
	b.wantFailure("bytes left, and")
	s.grow("16m")
	b.finishes()
}

// Where the updater keeps what it knows, nothing more can be written.
func TestPrivateFull(t *testing.T) {
	b := newBench(t)
	s := b.small("512k")
	s.replaces("private")
	b.run("refresh")
	filler := filepath.Join(s.dir, "filler")
	// It ends where there is no more room.
	_ = os.WriteFile(filler, make([]byte, 1<<20), 0o600)
	if err := b.Updater(t.Context(), "apply"); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("apply without room for the status: %v, want that it says so", err)
	}
	b.wantNext("1.0.0")
	b.must(os.Remove(filler))
	b.finishes()
}

// The disk takes no more in the middle of the slot: what was begun leads to nothing, what
// is there stays, and once the disk is well the update is gone on with.
func TestSlotNotWritable(t *testing.T) {
	b := newBench(t)
	disk, err := os.ReadFile(b.path("disk"))
	b.must(err)
	s := b.small("64m")
	at := filepath.Join(s.dir, "disk")
	b.must(sparsely(at, disk))
	var room syscall.Statfs_t
	b.must(syscall.Statfs(s.dir, &room))
	b.must(os.WriteFile(filepath.Join(s.dir, "filler"), make([]byte, int64(room.Bfree)*room.Bsize-(1<<20)), 0o600)) // a part of the image still fits
	b.must(os.Remove(b.path("disk")))
	b.must(os.Symlink(at, b.path("disk")))
	for range 2 {
		b.wantFailure("write the slot: ")
		if p := b.status().Progress; p.Total == 0 || p.Done() == 0 || p.Done() >= p.Total {
			t.Errorf("progress %+v, want that a part was written", p)
		}
	}
	b.must(os.Remove(filepath.Join(s.dir, "filler")))
	b.run("apply")
	b.wantNext("1.1.0")
}

// sparsely writes a file without its empty blocks: for these there may be no room later.
func sparsely(name string, data []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	const block = 4096
	empty := string(make([]byte, block))
	for at := 0; at+block <= len(data); at += block {
		if part := data[at : at+block]; string(part) != empty {
			if _, err := f.WriteAt(part, int64(at)); err != nil {
				return err
			}
		}
	}
	return f.Truncate(int64(len(data)))
}
