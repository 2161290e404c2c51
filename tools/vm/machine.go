package vm

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
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
	// SecureBoot is a file of firmware variables with keys in them: the firmware
	// then starts only what they signed. Empty for a firmware without keys.
	SecureBoot string
	// Credentials reach systemd in the machine, by name. The machine's directory
	// keeps them; the list of processes does not show them.
	Credentials map[string]string
	// ByDevice has credentials reach systemd by QEMU's device for such things
	// instead of the firmware's tables.
	ByDevice bool
	// Maker is who the firmware says has made the machine, such as "Amazon EC2";
	// QEMU if empty.
	Maker string
	// NIC connects the machine to a network; nil for none.
	NIC *NIC
	// More are cards beside that one.
	More []NIC
	// Clock is what its clock says when it is switched on, such as
	// 2016-01-02T03:04:05; empty for the time.
	Clock string
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

// A NIC is a network card.
type NIC struct {
	MAC string
	// Plug is called with the other end of the cable when the machine is on, and
	// closes it. Over it go frames, each behind its length in four bytes.
	Plug func(net.Conn)
}

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
	for name, value := range m.Credentials {
		if m.ByDevice {
			if err := os.WriteFile(m.credential(name), []byte(value), 0o600); err != nil {
				return err
			}
			continue
		}
		text := "io.systemd.credential.binary:" + name + "=" + base64.StdEncoding.EncodeToString([]byte(value))
		if err := os.WriteFile(m.credential(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if m.Kernel != nil {
		return nil
	}
	if _, err := os.Stat(m.variables()); err == nil {
		return nil
	}
	if m.SecureBoot != "" {
		return copyFile(m.SecureBoot, m.variables())
	}
	return copyFile(e.path(firmwareVariables), m.variables())
}

// credential is the file that the emulator reads a credential from.
func (m Machine) credential(name string) string { return filepath.Join(m.Dir, "credential."+name) }

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
	board := base(e.accel)
	if m.SecureBoot != "" {
		board = append(board, "-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on")
	}
	args := append(board,
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
		if m.ByDevice {
			args = append(args, "-fw_cfg", "name=opt/io.systemd.credentials/"+name+",file="+escapeCommas(m.credential(name)))
			continue
		}
		args = append(args, "-smbios", "type=11,path="+escapeCommas(m.credential(name)))
	}
	if m.Maker != "" {
		args = append(args, "-smbios", "type=1,manufacturer="+escapeCommas(m.Maker))
	}
	if m.Clock != "" {
		args = append(args, "-rtc", "base="+m.Clock)
	}
	for i, c := range m.cards() {
		args = append(args, "-netdev", fmt.Sprintf("stream,id=%s,server=off,addr.type=fd,addr.str=%d", cardID(i), firstWire+i),
			"-device", "virtio-net-pci,romfile=,netdev="+cardID(i)+",mac="+c.MAC)
	}
	return append(args, m.start(e)...)
}

func (m Machine) cards() []NIC {
	if m.NIC == nil {
		return m.More
	}
	return append([]NIC{*m.NIC}, m.More...)
}

// cardID is how the emulator calls the cable of a card.
func cardID(i int) string { return "net" + strconv.Itoa(i) }

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
	id := "disk" + strconv.Itoa(i)
	drive := "if=none,id=" + id + ",format=raw,cache=unsafe,discard=unmap,file=" + escapeCommas(d.Path)
	if d.Write == Forget {
		drive += ",snapshot=on"
	}
	return []string{"-drive", drive, "-device", "virtio-blk-pci,drive=" + id + ",bootindex=" + strconv.Itoa(i+1)}
}

func (m Machine) start(e Emulator) []string {
	if k := m.Kernel; k != nil {
		args := []string{"-kernel", k.Image, "-append", k.Cmdline}
		if k.Initrd != "" {
			args = append(args, "-initrd", escapeCommas(k.Initrd))
		}
		return args
	}
	code := firmwareCode
	if m.SecureBoot != "" {
		code = firmwareSecureCode
	}
	return []string{
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + escapeCommas(e.path(code)),
		"-drive", "if=pflash,unit=1,format=raw,file=" + escapeCommas(m.variables()),
		// A disk that does not start is told at once, not after minutes of asking
		// the network for another.
		"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
		"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n",
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
