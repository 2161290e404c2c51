package vm

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// An Emulator is a QEMU that can be started.
type Emulator struct {
	dir   string // the tree it is in
	accel Accelerator
}

// An Accelerator is what carries out a machine's instructions.
type Accelerator string

// The accelerators that are used.
const (
	KVM Accelerator = "kvm" // the processor itself
	TCG Accelerator = "tcg" // translation: everywhere, and many times slower
)

// Accelerator returns what e uses.
func (e Emulator) Accelerator() Accelerator { return e.accel }

// FreshVariables returns what a firmware has for variables before its first
// start.
func (e Emulator) FreshVariables() ([]byte, error) { return os.ReadFile(e.path(firmwareVariables)) }

// Files of the tree.
const (
	program            = "usr/bin/qemu-system-x86_64"
	modules            = "usr/lib/x86_64-linux-gnu/qemu"
	firmwareCode       = "usr/share/OVMF/OVMF_CODE_4M.fd"
	firmwareSecureCode = "usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
	firmwareVariables  = "usr/share/OVMF/OVMF_VARS_4M.fd"
)

// roms are the directories of what the emulator puts into a machine's memory.
var roms = []string{"usr/share/qemu", "usr/share/seabios"}

func tree(root workspace.Root) debtree.Tree {
	return debtree.Tree{
		Dir: root.Path("build", "tools", "qemu"), Suite: "trixie",
		Packages: []string{"ovmf", "qemu-system-x86"},
	}
}

// Prepare returns the emulator, which is fetched when it is not there yet.
func Prepare(ctx context.Context, root workspace.Root, out io.Writer) (Emulator, error) {
	t := tree(root)
	if err := t.Fetch(ctx, out); err != nil {
		return Emulator{}, err
	}
	return newEmulator(ctx, t.Dir), nil
}

// Find returns the emulator if it is there.
func Find(ctx context.Context, root workspace.Root) (Emulator, bool) {
	t := tree(root)
	if !t.Find() {
		return Emulator{}, false
	}
	return newEmulator(ctx, t.Dir), true
}

func newEmulator(ctx context.Context, dir string) Emulator {
	e := Emulator{dir: dir, accel: KVM}
	if err := e.probe(ctx); err != nil {
		e.accel = TCG
	}
	return e
}

func (e Emulator) path(name string) string { return filepath.Join(e.dir, filepath.FromSlash(name)) }

// command returns a call of the emulator.
func (e Emulator) command(args []string) (run.Command, error) {
	var words []string
	for _, dir := range roms {
		words = append(words, "-L", e.path(dir))
	}
	cmd, err := debtree.Program(e.dir, program, append(words, args...)...)
	cmd.Env = append(cmd.Env, "QEMU_MODULE_DIR="+e.path(modules))
	return cmd, err
}

// probeTime is how long a machine may take to do nothing. It takes a fraction of
// a second where all is well.
const probeTime = 5 * time.Second

// probed is the exit status of an emulator whose machine ran bootSector.
const probed = 0x10<<1 | 1

// bootSector writes a byte to the port of QEMU's exit device.
var bootSector = []byte{
	0xba, 0xf4, 0x00, // mov dx, 0xf4
	0xb0, 0x10, // mov al, 0x10
	0xee,       // out dx, al
	0xf4,       // hlt
	0xeb, 0xfd, // back to it
}

// probe starts a machine that ends at once. Only that shows that an accelerator
// works: /dev/kvm may exist, and even be opened, without being of any use.
func (e Emulator) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	disk, err := os.CreateTemp("", "probe-*.raw")
	if err != nil {
		return err
	}
	defer os.Remove(disk.Name())
	defer disk.Close()
	image := make([]byte, 1<<20) // of a smaller one the firmware does not start
	copy(image, bootSector)
	image[510], image[511] = 0x55, 0xaa
	if _, err := disk.Write(image); err != nil {
		return err
	}
	cmd, err := e.command(append(base(e.accel), "-m", "16", "-no-reboot",
		"-drive", "if=virtio,format=raw,file="+escapeCommas(disk.Name()),
		"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"))
	if err != nil {
		return err
	}
	if err := cmd.Run(ctx); run.Status(err) != probed {
		return fmt.Errorf("probe accelerator %s: %w", e.accel, err)
	}
	return nil
}
