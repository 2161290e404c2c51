package store

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// inChild runs the calling test again in a process of its own with attr, and
// reports whether this is that process.
func inChild(t *testing.T, attr *syscall.SysProcAttr) bool {
	t.Helper()
	const mark = "BULKHEAD_STORE_CHILD"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("this process may not mount file systems: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%s in a process of its own: %v\n%s", t.Name(), err, out)
	}
	return false
}

// privateMounts lets a process mount what only it sees.
func privateMounts() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// onSmallDisk puts the state directory on a file system of its own. The
// function returned changes its mount options.
func onSmallDisk(t *testing.T, n *node) (remount func(flags uintptr, options string)) {
	t.Helper()
	if err := os.MkdirAll(n.opt.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	if err := unix.Mount("small", n.opt.Dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(n.opt.Dir, unix.MNT_DETACH) }) // it goes with the process anyway
	return func(flags uintptr, options string) {
		t.Helper()
		if err := unix.Mount("small", n.opt.Dir, "tmpfs", unix.MS_REMOUNT|flags, options); err != nil {
			t.Fatalf("remount with %#x, %q: %v", flags, options, err)
		}
	}
}

// fill takes all space that is left.
func fill(t *testing.T, n *node) (free func()) {
	t.Helper()
	f, err := os.Create(n.path("filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; size /= 2 {
		for err = nil; err == nil; _, err = f.Write(make([]byte, size)) {
		}
	}
	return func() {
		if err := os.Remove(n.path("filler")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	if !inChild(t, privateMounts()) {
		return
	}
	n := newNode(t)
	onSmallDisk(t, n)
	s := n.open()
	for i := range 3 {
		change(t, s, fmt.Sprintf("a = %d", i))
	}
	large := fmt.Sprintf("b = '%s'", strings.Repeat("x", 100_000))
	patch(t, s, "large", large)
	n.stop(s)
	s = n.open()
	n.told()
	free := fill(t, n)
	wantErr(t, "Patch on a full disk", s.Patch(t.Context(), PatchRequest{Tx: "small", Patch: set(t, "c = 1")}), ErrNoSpace)
	for range 3 {
		_, err := s.Commit(t.Context(), CommitRequest{Tx: "large"})
		wantErr(t, "Commit on a full disk", err, ErrNoSpace)
	}
	wantUser(t, s, "a = 2")
	wantHistory(t, s, "1<0", "2<1", "3<2")
	wantFault(t, s, CodeNotStaged, CodeNotWritable)
	wantEvents(t, n)
	n.kill(s) // what is on disk is what was said
	s = n.open()
	wantUser(t, s, "a = 2")
	wantFault(t, s)
	free()
	commit(t, s, "large")
	wantUser(t, s, "a = 2\n"+large)
	n.stop(s)
	s = n.open()
	wantUser(t, s, "a = 2\n"+large)
	wantCopy(t, n, 4, "a = 2\n"+large)
}

// The end of a try must not depend on space: the old settings are in force at
// once, and are written when that is possible.
func TestTryEndsOnFullDisk(t *testing.T) {
	if !inChild(t, privateMounts()) {
		return
	}
	n := newNode(t)
	onSmallDisk(t, n)
	s := n.open()
	pad := "p = '" + strings.Repeat("x", 40_000) + "'\n"
	change(t, s, pad+"a = 1")
	try(t, s, pad+"a = 2", time.Minute)
	n.told()
	free := fill(t, n)
	n.pass(time.Hour)
	for range 2 {
		s.tend()
		wantUser(t, s, pad+"a = 1")
	}
	wantEvents(t, n, "try-reverted 1 a")
	s.copyDue = time.Time{} // leave only the try to do
	if next := s.nextWork(); next != tryRetry {
		t.Errorf("next attempt in %v, want %v", next, tryRetry)
	}
	_, err := s.Confirm(t.Context(), ConfirmRequest{})
	wantErr(t, "Confirm too late, on a full disk", err, ErrNoSpace)
	n.kill(s)
	s = n.open()
	wantUser(t, s, pad+"a = 1")
	if got := s.Snapshot(); got.Current.ID != 1 || got.Try != nil {
		t.Errorf("after a restart: generation %d, try %v", got.Current.ID, got.Try)
	}
	n.told()
	free()
	s.tend()
	wantUser(t, s, pad+"a = 1")
	wantEvents(t, n, "try-reverted 3 a")
	wantHistory(t, s, "1<0", "2<1", "3<2 try-expired")
	wantFault(t, s, CodeNoCopy)
	s.writeCopy()
	wantFault(t, s)
}

func TestReadOnlyDisk(t *testing.T) {
	if !inChild(t, privateMounts()) {
		return
	}
	n := newNode(t)
	remount := onSmallDisk(t, n)
	remount(unix.MS_RDONLY, "")
	_, err := Open(n.opt)
	wantErr(t, "Open where nothing is and nothing can be", err, ErrReadOnly)
	remount(0, "")
	s := n.open()
	change(t, s, "a = 1")
	patch(t, s, "t", "b = 1")
	n.stop(s)
	remount(unix.MS_RDONLY, "")
	s = n.open()
	wantUser(t, s, "a = 1")
	wantFault(t, s, CodeNotWritable)
	_, err = s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantErr(t, "Commit on a read-only disk", err, ErrReadOnly)
	wantErr(t, "Patch on a read-only disk", s.Patch(t.Context(), PatchRequest{Tx: "t", Patch: set(t, "c = 1")}), ErrReadOnly)
	_, err = s.Drop("t")
	wantErr(t, "Drop on a read-only disk", err, ErrReadOnly)
	wantErr(t, "SetGenerated on a read-only disk", s.SetGenerated(t.Context(), GeneratedRequest{Patch: set(t, "g = 1")}), ErrReadOnly)
	if _, d, err := s.Generation(1); err != nil || d.Len() != 1 {
		t.Errorf("Generation(1) on a read-only disk = %s, %v", d.JSON(), err)
	}
	wantUser(t, s, "a = 1")
	remount(0, "")
	commit(t, s, "t")
	wantUser(t, s, "a = 1\nb = 1")
	wantFault(t, s)
}

// The same as a full disk, where nothing can be mounted: the system refuses to
// make files longer.
func TestFileSizeLimit(t *testing.T) {
	if !inChild(t, nil) {
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(bytes uint64) {
		t.Helper()
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: math.MaxUint64}); err != nil {
			t.Fatal(err)
		}
	}
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	large := "b = '" + strings.Repeat("x", 300_000) + "'"
	patch(t, s, "large", large)
	limit(64 << 10)
	for range 3 {
		_, err := s.Commit(t.Context(), CommitRequest{Tx: "large"})
		wantErr(t, "Commit beyond the limit", err, ErrNoSpace)
	}
	wantErr(t, "Patch beyond the limit", s.Patch(t.Context(), PatchRequest{Tx: "x", Patch: set(t, large)}), ErrNoSpace)
	wantUser(t, s, "a = 1")
	change(t, s, "a = 2") // what fits still works
	limit(math.MaxUint64)
	commit(t, s, "large")
	n.stop(s)
	wantUser(t, n.open(), "a = 2\n"+large)
}

// A directory in which nothing can be made: the way in which an ordinary user
// meets a read-only place. Root may write everywhere, so for root the parent
// is a file.
func TestNoDirectory(t *testing.T) {
	n := newNode(t)
	parent := t.TempDir()
	n.opt.Dir = parent + "/state"
	if os.Getuid() == 0 {
		n.opt.Dir = parent + "/file/state"
		writeFile(t, parent+"/file", nil)
	} else if err := os.Chmod(parent, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := Open(n.opt)
	wantErr(t, "Open", err, ErrReadOnly)
}

var errSync = fmt.Errorf("sync: %w", syscall.EIO)

// The last sync of a commit may fail although everything is in the file
// already. The refused commit must be gone all the same.
func TestCommitWhoseSyncFails(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	patch(t, s, "t", "a = 2")
	n.told()
	s.failing(func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
		return errors.Join(db.Update(fn), errSync)
	})
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantErr(t, "Commit", err, ErrReadOnly)
	wantErr(t, "Commit", err, syscall.EIO)
	wantUser(t, s, "a = 1")
	wantEvents(t, n)
	wantFault(t, s, CodeNotWritable)
	n.kill(s)
	s.commit = (*bbolt.DB).Update
	s = n.open()
	wantUser(t, s, "a = 1")
	wantHistory(t, s, "1<0")
	commit(t, s, "t")
	wantHistory(t, s, "1<0", "2<1")
}

// failing makes s write through commit.
func (s *Store) failing(commit committer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commit, s.db.commit = commit, commit
}

// When not even that can be undone, the store says so and goes by what is on
// disk.
func TestCommitThatCannotBeUndone(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	patch(t, s, "t", "a = 2")
	n.told()
	s.failing(func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
		return errors.Join(db.Update(fn), s.db.file.Close(), errSync)
	})
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantErr(t, "Commit", err, errUnsure)
	wantUser(t, s, "a = 2")
	wantEvents(t, n, "recovered 2 ")
	s.failing((*bbolt.DB).Update)
	change(t, s, "b = 1")
	wantHistory(t, s, "1<0", "2<1", "3<2")
}

// bbolt may panic, and pages of the file may vanish under it.
func TestDatabaseBreaksWhileOpen(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	change(t, s, "a = 2")
	patch(t, s, "t", "a = 3")
	s.failing(func(*bbolt.DB, func(*bbolt.Tx) error) error { panic("assertion failed") })
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantErr(t, "Commit that panics", err, ErrDamaged)
	wantUser(t, s, "a = 2")
	s.failing((*bbolt.DB).Update)

	whole := readFile(t, n.path("settings.db"))
	if err := os.Truncate(n.path("settings.db"), 8192); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Generation(1)
	wantErr(t, "Generation from a file that was cut off", err, ErrDamaged)
	for range 2 {
		_, err = s.Commit(t.Context(), CommitRequest{Tx: "t"})
		wantErr(t, "Commit to a file that was cut off", err, ErrReadOnly)
	}
	wantUser(t, s, "a = 2")
	wantFault(t, s, CodeNotWritable)
	f, err := os.OpenFile(n.path("settings.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	commit(t, s, "t")
	wantUser(t, s, "a = 3")
	wantFault(t, s)
}
