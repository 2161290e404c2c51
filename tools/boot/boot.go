// Package boot starts an image in a virtual machine and shows its console.
package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/disk"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Options say what is started and when it is good.
type Options struct {
	Dir    string // of the image
	State  string // directory for what is kept between starts, and the console's log; empty for build/vm/NAME
	Until  string // end at the line that contains it; empty to wait until the machine is off
	Limit  time.Duration
	Direct bool   // start the kernel without firmware and boot loader
	Append string // words for the kernel command line of a direct start
	Memory int    // MiB
	CPUs   int
	Keep   bool // what the machine writes to its disk
}

// Run starts the image and copies its console to out. It returns an error when
// the line does not come in time.
func Run(ctx context.Context, root workspace.Root, opt Options, out io.Writer) (err error) {
	e, err := vm.Prepare(ctx, root, out)
	if err != nil {
		return err
	}
	m, err := machine(root, opt)
	if err != nil {
		return err
	}
	if !opt.Keep {
		if m.Disks[0].Path, err = enlarge(m); err != nil {
			return err
		}
	}
	m.Watch = out
	fmt.Fprintf(out, "starting %s with %s\n", opt.Dir, e.Accelerator())
	if opt.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opt.Limit)
		defer cancel()
	}
	machine, err := vm.Start(ctx, e, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if opt.Until == "" {
		return machine.Wait(ctx)
	}
	line, err := machine.Console.Await(ctx, opt.Until)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%q after %s\n", opt.Until, line.At.Round(100*time.Millisecond))
	return nil
}

// room is what a machine has on its disk besides the image, for DATA.
const room = 4 << 30

// enlarge makes a larger copy of the disk of m.
func enlarge(m vm.Machine) (string, error) {
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return "", err
	}
	info, err := os.Stat(m.Disks[0].Path)
	if err != nil {
		return "", err
	}
	file := filepath.Join(m.Dir, image.DiskFile)
	return file, disk.Copy(file, m.Disks[0].Path, info.Size()+room)
}

// machine returns the one that starts the image.
func machine(root workspace.Root, opt Options) (vm.Machine, error) {
	name := filepath.Base(opt.Dir)
	if opt.State == "" {
		opt.State = root.Path("build", "vm", name)
	}
	m := vm.Machine{
		Name: name, Dir: opt.State, Memory: opt.Memory, CPUs: opt.CPUs,
		Disks:    []vm.Disk{{Path: filepath.Join(opt.Dir, image.DiskFile), Write: vm.Forget}},
		OnReboot: vm.TurnOff,
	}
	if opt.Keep {
		m.Disks[0].Write = vm.Keep
	}
	if !opt.Direct {
		return m, nil
	}
	var err error
	m.Kernel, err = Kernel(opt.Dir, opt.Append)
	if err != nil {
		return vm.Machine{}, fmt.Errorf("start %s: %w", name, err)
	}
	return m, nil
}

// Kernel returns what starts the image at dir without firmware and boot loader,
// with more words on the kernel command line.
func Kernel(dir, more string) (*vm.Kernel, error) {
	words, err := os.ReadFile(filepath.Join(dir, image.CmdlineFile))
	if err != nil {
		return nil, err
	}
	return &vm.Kernel{
		Image:   filepath.Join(dir, image.KernelFile),
		Initrd:  filepath.Join(dir, image.InitrdFile),
		Cmdline: strings.TrimSpace(strings.TrimSpace(string(words)) + " " + more),
	}, nil
}
