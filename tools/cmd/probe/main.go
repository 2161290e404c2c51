// Command probe tells on the console of a machine under test what it finds there.
//
// It is the first program that the kernel of the machine starts, and becomes the
// one that would have been. What it leaves behind sees the machine through mounts
// of its own, which whatever is started afterwards neither sees nor needs.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/probe"
)

// Where the program mounts what it needs.
const (
	processes = "/probe-proc"
	devices   = "/probe-dev"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "probe: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	if os.Getpid() != 1 {
		return watch()
	}
	for dir, kind := range map[string]string{processes: "proc", devices: "devtmpfs"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(kind, dir, kind, unix.MS_NOSUID, ""); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	// The memory of the files of a RAM disk is given back when the root is
	// entered. A program that runs keeps its own.
	if _, err := os.StartProcess(os.Args[0], []string{os.Args[0], "watch"}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}}); err != nil {
		return err
	}
	return fmt.Errorf("start the first program: %w", syscall.Exec("/init", append([]string{"/init"}, os.Args[1:]...), os.Environ()))
}

func watch() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return probe.Watch(ctx, os.DirFS(processes), probe.Healthy(processes+"/1/root/"+probe.API), console{})
}

// A console is the machine's. It is opened for each message: who logs people in
// there takes it away from everybody who has it open.
type console struct{}

func (console) Write(p []byte) (int, error) {
	f, err := os.OpenFile(devices+"/console", os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Write(p)
}
