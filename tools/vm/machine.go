package vm

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Machine says what a virtual machine is made of.
type Machine struct {
	Name   string
	Dir    string // for its console log and what its firmware remembers; made
	CPUs   int    // 2 if zero. More than the computer has makes it slower
	Memory int    // MiB; 2048 if zero
	Disks  []Disk
	// Kernel is started directly. Without it, the firmware starts the first disk.
	Kernel *Kernel
	// Credentials reach systemd in the machine, by name.
	Credentials map[string]string
	// OnReboot says what becomes of the machine when it restarts itself.
	OnReboot Reboot
	// Watch is told each line of the console with its time; nil for nobody.
	Watch io.Writer
}

// A Disk is a raw image.
type Disk struct {
	Path  string
	Write Write
}

// Write says what becomes of what is written to a disk.
type Write int

// Ways to write.
const (
	Keep   Write = iota // into the image
	Forget              // when the machine goes off; many machines may share the image
)

// Reboot says what becomes of a machine that restarts itself.
type Reboot int

// Ways to restart.
const (
	Restart Reboot = iota
	TurnOff        // so that a test sees that it wanted to
)

// A Kernel is started without firmware and boot loader.
type Kernel struct {
	Image, Initrd, Cmdline string
}

// ConsoleLog is the file that gets all that the machine writes to its console.
func (m Machine) ConsoleLog() string { return filepath.Join(m.Dir, "console.log") }

// variables is the file in which the firmware keeps its variables.
func (m Machine) variables() string { return filepath.Join(m.Dir, "efivars.fd") }

// prepare makes what the machine needs besides its disks. What its firmware
// remembers from earlier starts stays.
func (m Machine) prepare(e Emulator) error {
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return err
	}
	if m.Kernel != nil {
		return nil
	}
	if _, err := os.Stat(m.variables()); err == nil {
		return nil
	}
	return copyFile(e.path(firmwareVariables), m.variables())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// arguments returns the emulator's for m.
func (m Machine) arguments(e Emulator) []string {
	args := append(base(e.accel),
		"-name", escapeCommas(m.Name),
		"-smp", strconv.Itoa(orElse(m.CPUs, 2)),
		"-m", strconv.Itoa(orElse(m.Memory, 2048)),
		// The console. Signals are for the emulator, not for the guest.
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control",
		"-device", "virtio-rng-pci",
		"-device", "i6300esb", "-action", "watchdog=reset",
	)
	if m.OnReboot == TurnOff {
		args = append(args, "-no-reboot")
	}
	for i, d := range m.Disks {
		args = append(args, d.arguments(i)...)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Credentials)) {
		value := fmt.Sprintf("io.systemd.credential:%s=%s", name, m.Credentials[name])
		args = append(args, "-smbios", "type=11,value="+escapeCommas(value))
	}
	return append(args, m.start(e)...)
}

// base returns what all machines have, so that nothing depends on the
// emulator's version or on files of the user's.
func base(accel Accelerator) []string {
	// Without the board's disk controller, which has no disk, nobody waits for its
	// ports.
	args := []string{"-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,sata=off"}
	if accel == TCG {
		return append(args, "-accel", "tcg,thread=multi", "-cpu", "max")
	}
	return append(args, "-accel", string(accel), "-cpu", "host")
}

// arguments returns the emulator's for the disk with number i. The computer is
// not asked to write its files out: what must not survive is a crash of the
// guest, and that does not touch them.
func (d Disk) arguments(i int) []string {
	id := fmt.Sprintf("disk%d", i)
	drive := fmt.Sprintf("if=none,id=%s,format=raw,cache=unsafe,discard=unmap,file=%s", id, escapeCommas(d.Path))
	if d.Write == Forget {
		drive += ",snapshot=on"
	}
	return []string{"-drive", drive, "-device", fmt.Sprintf("virtio-blk-pci,drive=%s,bootindex=%d", id, i+1)}
}

func (m Machine) start(e Emulator) []string {
	if k := m.Kernel; k != nil {
		args := []string{"-kernel", k.Image, "-append", k.Cmdline}
		if k.Initrd != "" {
			args = append(args, "-initrd", escapeCommas(k.Initrd))
		}
		return args
	}
	return []string{
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + escapeCommas(e.path(firmwareCode)),
		"-drive", "if=pflash,unit=1,format=raw,file=" + escapeCommas(m.variables()),
	}
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// escapeCommas returns a value as it stands among others.
func escapeCommas(s string) string { return strings.ReplaceAll(s, ",", ",,") }
