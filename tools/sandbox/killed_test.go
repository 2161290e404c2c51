package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lingering is the name of a directory where the stand-in for apply runs on
// until it is told to end.
const lingering = "lingering"

// awaitTermination waits until the process is told to end.
func awaitTermination() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
}

// standInShipyard runs a sandbox: in a directory, with two programs, and with a
// file of user data.
func standInShipyard(args []string) int {
	prog := Programs{Bulkhead: args[1], Apiclient: args[2], Become: []string{os.Args[0], "become"}}
	if err := serve(context.Background(), prog, packages, args[3], Options{Dir: args[0]}, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return 1
	}
	return 0
}

// lock takes a lock that the end of the process gives back.
func lock(root, name string) error {
	fd, err := syscall.Open(filepath.Join(root, name+".lock"), syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
}

// ended reports whether the process has ended that took a lock.
func ended(t *testing.T, root, name string) bool {
	t.Helper()
	f, err := os.Open(filepath.Join(root, name+".lock"))
	if err != nil {
		t.Fatalf("%s was not started: %v", name, err)
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Fatal(err)
	}
	return err == nil
}

// What runs for a sandbox ends when the sandbox is killed, or dies because
// nobody reads what it says.
func TestKilled(t *testing.T) {
	tests := []struct {
		name string
		kill func(cmd *exec.Cmd, out io.Closer, userData string) error
	}{
		{"killed", func(cmd *exec.Cmd, _ io.Closer, _ string) error { return cmd.Process.Kill() }},
		{"without a reader", func(_ *exec.Cmd, out io.Closer, userData string) error {
			return errors.Join(out.Close(), os.WriteFile(userData, []byte("motd"), 0o600))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			dir := filepath.Join(shortDir(t), lingering)
			prog := standIns(t)
			// Nobody gets to the end of this file before there is a writer.
			userData := filepath.Join(t.TempDir(), "user-data")
			if err := syscall.Mkfifo(userData, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, os.Args[0], "sandbox", dir, prog.Bulkhead, prog.Apiclient, userData)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			readUntil(t, out, "is ready, ")
			root := filepath.Join(dir, "root")
			for _, name := range []string{"daemon", "apply"} {
				if ended(t, root, name) {
					t.Errorf("%s does not run", name)
				}
			}
			if err := tt.kill(cmd, out, userData); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); ctx.Err() != nil {
				t.Fatalf("the sandbox goes on: %v", err)
			}
			for _, name := range []string{"daemon", "apply"} {
				await(t, name, func() bool { return ended(t, root, name) })
			}
		})
	}
}

// A running is a sandbox in a temporary directory below base.
type running struct {
	cmd    *exec.Cmd
	dir    string
	daemon *os.File // which the daemon has locked
}

// startIn starts a sandbox that is given no directory.
func startIn(t *testing.T, base string) *running {
	t.Helper()
	// Signals that this process ignores, as one in the background of a shell does,
	// would be ignored by what it starts, too. Those that are caught are not.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	known := sandboxesIn(t, base)
	prog := standIns(t)
	userData := filepath.Join(t.TempDir(), "user-data") // as in TestKilled
	if err := syscall.Mkfifo(userData, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "sandbox", "", prog.Bulkhead, prog.Apiclient, userData)
	cmd.Env = append(os.Environ(), "TMPDIR="+base)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: cmd}
	readUntil(t, out, "is ready, ")
	for _, dir := range sandboxesIn(t, base) {
		if !slices.Contains(known, dir) {
			r.dir = dir
		}
	}
	r.daemon, err = os.Open(filepath.Join(r.dir, "root", "daemon.lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.daemon.Close() })
	return r
}

func sandboxesIn(t *testing.T, base string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(base, temporary+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// end sends a signal and waits for the end.
func (r *running) end(t *testing.T, s os.Signal) error {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	return r.cmd.Wait()
}

// Told to end, a sandbox ends what runs for it and leaves nothing.
func TestTold(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			base := shortDir(t)
			r := startIn(t, base)
			if err := r.end(t, s); err != nil {
				t.Errorf("sandbox after %s: %v, want a good end", s, err)
			}
			if err := flock(r.daemon); err != nil {
				t.Errorf("the daemon still runs after the end of the sandbox: %v", err)
			}
			if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
				t.Errorf("sandbox after %s: %v, %v is left behind, want nothing", s, left, err)
			}
		})
	}
}

// What a killed sandbox leaves the next one removes, and nothing else: not what
// is in use, nor what was kept.
func TestNextStart(t *testing.T) {
	base := shortDir(t)
	kept := filepath.Join(base, temporary+"kept")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	used, killed := startIn(t, base), startIn(t, base)
	if err := killed.end(t, syscall.SIGKILL); err == nil {
		t.Fatal("killed sandbox: a good end, want none")
	}
	await(t, "what the killed sandbox started", func() bool { return flock(killed.daemon) == nil })
	if _, err := os.Stat(killed.dir); err != nil {
		t.Fatalf("killed sandbox: %v, want its directory left", err)
	}
	next := startIn(t, base)
	want := []string{kept, used.dir, next.dir}
	slices.Sort(want)
	if diff := cmp.Diff(want, sandboxesIn(t, base)); diff != "" {
		t.Errorf("directories after the next start (-want +got):\n%s", diff)
	}
	for _, r := range []*running{used, next} {
		if err := r.end(t, syscall.SIGTERM); err != nil {
			t.Errorf("sandbox in %s: %v", r.dir, err)
		}
	}
	if diff := cmp.Diff([]string{kept}, sandboxesIn(t, base)); diff != "" {
		t.Errorf("directories at the end (-want +got):\n%s", diff)
	}
}

func readUntil(t *testing.T, r io.Reader, end string) {
	t.Helper()
	var said strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(said.String(), end) {
		n, err := r.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			t.Fatalf("read until %q: %v after %q", end, err, said.String())
		}
	}
}

func await(t *testing.T, name string, ok func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s still runs 20 seconds after the end of the sandbox", name)
		}
	}
}
