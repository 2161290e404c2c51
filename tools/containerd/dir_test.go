package containerd

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What a killed run has left goes, and what somebody uses stays.
func TestSweep(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it takes root's rights to mount")
	}
	top := t.TempDir()
	left, used := filepath.Join(top, prefix+"1"), filepath.Join(top, prefix+"2")
	for _, dir := range []string{filepath.Join(left, "run", "mounted"), used, filepath.Join(top, prefix+"3")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{left, used} {
		lock, err := take(dir, os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		if dir == left {
			lock.Close()
		}
		t.Cleanup(func() { lock.Close() })
	}
	if err := unix.Mount("tmpfs", filepath.Join(left, "run", "mounted"), "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	shim := exec.Command("/bin/sh")
	shim.Args = []string{"containerd-shim-runc-v2", "-c", "read line", left + "/run"}
	in, err := shim.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := shim.Start(); err != nil {
		t.Fatal(err)
	}
	if err := sweep(top); err != nil {
		t.Fatal(err)
	}
	err = shim.Wait()
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the shim ended with %v, want that it was killed", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%s) = %v, want that it does not exist", left, err)
	}
	for _, dir := range []string{used, filepath.Join(top, prefix+"3")} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s, which no killed run has left: %v", dir, err)
		}
	}
}
