package storage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/nodereset"
)

// boot is one start of a node, in a process of its own that has the mounts. The
// process lives until its input ends.
type boot struct {
	Disk string // in sysfs; empty for that of the node
	Root string
	Stop int // the step to stop at, from 1; 0 for none
	// Twice runs the program a second time.
	Twice bool
	Keep  string // what to write to DATA when all is mounted
	// Reset is the mark of a reset to leave on PRIVATE; nil for none.
	Reset *nodereset.Mark
}

// A view is what a node sees when its storage is set up.
type view struct {
	Var, Private, Opt string // kinds of file systems
	Size              int64  // of DATA, in MiB
	Secret, Kept      string // contents of files on PRIVATE and DATA
	Flags             [2]int64
	Journal           bool // journald may write to DATA
	Err               string
}

// bootVariable has the boot in the environment of the process.
const bootVariable = "BULKHEAD_STORAGE_BOOT"

func TestMain(m *testing.M) {
	text := os.Getenv(bootVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var b boot
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		panic(err)
	}
	runtime.LockOSThread() // which alone is in the new namespace
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run prints a line for each step, then what the node sees, and after what it
// was to keep is safe another line.
func (b boot) run() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	n := 0
	step := func(s string) {
		n++
		fmt.Println("step", s)
		if n == b.Stop {
			fmt.Println("stopped")
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err := setUp(context.Background(), options{disk: b.Disk, root: b.Root, step: step}, log)
	if done := n; b.Twice {
		err = errors.Join(err, setUp(context.Background(), options{disk: b.Disk, root: b.Root, step: step}, log))
		if n > done {
			err = errors.Join(err, fmt.Errorf("the second run took %d steps", n-done))
		}
	}
	v := b.look()
	if err != nil {
		v.Err = err.Error()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fmt.Printf("view %s\n", text)
	if b.Keep != "" {
		if err := keep(filepath.Join(b.Root, "var/kept"), b.Keep); err != nil {
			return err
		}
		fmt.Println("kept")
	}
	if b.Reset != nil {
		if err := mark(filepath.Join(b.Root, "var/lib/bulkhead"), *b.Reset); err != nil {
			return err
		}
		fmt.Println("marked")
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, dir := range []string{"opt", "var/lib/bulkhead", "var"} {
		if err := unix.Unmount(filepath.Join(b.Root, dir), 0); err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
	return nil
}

func keep(name, text string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func mark(dir string, m nodereset.Mark) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(nodereset.Set(root, m), root.Close())
}

func (b boot) look() view {
	kind := func(dir string) (string, *unix.Statfs_t) {
		var s unix.Statfs_t
		if err := unix.Statfs(filepath.Join(b.Root, dir), &s); err != nil {
			return err.Error(), &s
		}
		switch int64(s.Type) {
		case unix.EXT4_SUPER_MAGIC:
			return "ext4", &s
		case unix.TMPFS_MAGIC:
			return "memory", &s
		}
		return fmt.Sprintf("%x", s.Type), &s
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(b.Root, name))
		if err != nil {
			return ""
		}
		return string(text)
	}
	data, dataFS := kind("var")
	private, privateFS := kind("var/lib/bulkhead")
	opt, _ := kind("opt")
	_, dirErr := os.Stat(filepath.Join(b.Root, "var/log/journal"))
	_, markErr := os.Stat(filepath.Join(b.Root, journalMark))
	const known = unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC | unix.ST_NOATIME | unix.ST_RDONLY
	return view{
		Var: data, Private: private, Opt: opt, Size: int64(dataFS.Blocks) * dataFS.Bsize / mebibyte,
		Secret: read("var/lib/bulkhead/secret"), Kept: read("var/kept"),
		Flags:   [2]int64{int64(dataFS.Flags) & known, int64(privateFS.Flags) & known},
		Journal: dirErr == nil && markErr == nil,
	}
}

// A running boot can be waited for and ended.
type running struct {
	n     *node
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string
	log   strings.Builder
	free  func()
}

// start boots the node.
func (n *node) start(b boot) *running {
	n.t.Helper()
	free := func() {}
	if b.Disk == "" {
		b.Disk, free = n.attach()
	}
	b.Root = n.root
	text, err := json.Marshal(b)
	n.must(err)
	cmd := exec.CommandContext(n.t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), bootVariable+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r := &running{n: n, cmd: cmd, lines: make(chan string, 100), free: free}
	cmd.Stderr = &r.log
	stdin, err := cmd.StdinPipe()
	n.must(err)
	r.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	n.must(err)
	n.must(cmd.Start())
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	return r
}

// await returns what follows word in the first line that begins with it.
func (r *running) await(word string) string {
	r.n.t.Helper()
	for line := range r.lines {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimSpace(rest)
		}
	}
	_ = r.cmd.Wait()
	r.n.t.Fatalf("the boot ended without %q:\n%s", word, r.log.String())
	return ""
}

// shutDown ends the boot as a node shuts down.
func (r *running) shutDown() {
	r.n.t.Helper()
	r.n.must(r.stdin.Close())
	for range r.lines {
	}
	if err := r.cmd.Wait(); err != nil {
		r.n.t.Errorf("boot: %v:\n%s", err, r.log.String())
	}
	r.free()
}

// cutPower ends the boot as a power cut does, and returns the lines it printed
// before and nobody has read.
func (r *running) cutPower() []string {
	r.n.t.Helper()
	group := -r.cmd.Process.Pid
	r.n.must(unix.Kill(group, unix.SIGSTOP))
	r.n.copy()
	r.n.must(unix.Kill(group, unix.SIGKILL))
	var unread []string
	for line := range r.lines {
		unread = append(unread, line)
	}
	_ = r.cmd.Wait() // it was killed
	r.free()
	r.n.adopt()
	return unread
}

// boot boots the node, and shuts it down again.
func (n *node) boot(keep string) view {
	n.t.Helper()
	return n.bootWith(boot{Keep: keep})
}

// bootDisk is boot with another disk than that of the node.
func (n *node) bootDisk(disk string) view {
	n.t.Helper()
	return n.bootWith(boot{Disk: disk})
}

func (n *node) bootWith(b boot) view {
	n.t.Helper()
	r := n.start(b)
	var v view
	n.must(json.Unmarshal([]byte(r.await("view")), &v))
	if b.Keep != "" {
		r.await("kept")
	}
	r.shutDown()
	return v
}
