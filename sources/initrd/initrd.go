// Package initrd is the first program of a node: it finds the root that belongs
// to the kernel which runs, and starts systemd from it.
//
// The kernel command line names the root by the root hash of its dm-verity tree,
// and everything else follows from that: the UUIDs of the two partitions are the
// halves of the hash, and each block that is read is checked by it. Whoever
// signed the command line has thereby signed the whole system.
package initrd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// system is where the root is mounted before it becomes the root.
const system = "/sysroot"

// program is what the root is handed to.
const program = "/usr/lib/systemd/systemd"

// pause is how long the cause of a failure stays on the screen.
const pause = 5 * time.Second

// ErrNotFirst says that the program was started by hand.
var ErrNotFirst = errors.New("this is the first program of an initial RAM disk, and works as process 1 only")

// Run brings the node from the RAM disk to its root, and passes args on to
// systemd. It returns only when this is not process 1: what else goes wrong is
// told, and the machine restarted, so that the boot loader counts the try and
// comes to another version.
func Run(args []string) error {
	if os.Getpid() != 1 {
		return ErrNotFirst
	}
	err := start(args)
	k := openKernelLog()
	k.fault(err)
	if text := takeBackOwn(); text != "" {
		k.fault(errors.New(text))
	}
	k.fault(fmt.Errorf("this version does not start; restarting in %s for the boot loader to try again or take another", pause))
	time.Sleep(pause)
	unix.Sync()
	err = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	// The kernel restarts by its panic parameter when process 1 ends.
	return fmt.Errorf("restart: %w", err)
}

// takeBackOwn is takeBack for what the command line names.
func takeBackOwn() string {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	opt, err := readOptions(string(line))
	if err != nil {
		return ""
	}
	return takeBack(os.DirFS("/sys"), opt.root)
}

// start returns only when something went wrong.
func start(args []string) (err error) {
	// A broken program is a failure to start like another: the panic would be
	// told too, but far from the last lines on the screen.
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("broken program: %v", fault)
		}
	}()
	began := time.Now()
	if err := mountKernel(); err != nil {
		return err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	opt, err := readOptions(string(line))
	if err != nil {
		return err
	}
	parts, err := mountRoot(opt)
	if err != nil {
		return err
	}
	if err := fillEtc(); err != nil {
		return err
	}
	k := openKernelLog()
	defer k.close()
	if err := nameNode(parts); err != nil {
		k.fault(err)
	}
	if err := mountHome(); err != nil {
		k.fault(err)
	}
	if err := mountTmp(); err != nil {
		k.fault(err) // systemd mounts it
	}
	if err := keepLessFree(); err != nil {
		k.fault(err) // the node has less memory to give, and works
	}
	if err := handOver(); err != nil {
		return err
	}
	k.info(fmt.Sprintf("root %s of disk %s opened in %s", opt.root, parts.disk, time.Since(began).Round(time.Millisecond)))
	return switchRoot(args)
}

// mountRoot mounts the root that opt names, and returns where it is.
func mountRoot(opt options) (rootParts, error) {
	drivers, err := openDrivers()
	if err != nil {
		return rootParts{}, err
	}
	if err := drivers.load("dm-verity", "erofs", "ext4"); err != nil {
		return rootParts{}, err
	}
	parts, err := awaitRoot(drivers, opt)
	if err != nil {
		return rootParts{}, err
	}
	if err := drivers.loadGuards(os.DirFS("/sys")); err != nil {
		k := openKernelLog()
		k.fault(err) // the node starts without
		k.close()
	}
	slowDown(parts.disk)
	node, err := openVerity(parts, opt.root)
	if err != nil {
		return rootParts{}, fmt.Errorf("root on disk %s: %w", parts.disk, err)
	}
	return parts, mountImage(node)
}

// A kernelLog is where messages reach every console, and later the journal.
type kernelLog struct{ io.WriteCloser }

func openKernelLog() kernelLog {
	f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return kernelLog{os.Stderr} // the console, if the kernel found one
	}
	return kernelLog{f}
}

// fault writes each line of err by itself, at a level that a quiet kernel shows.
func (k kernelLog) fault(err error) {
	for _, line := range lines(err.Error()) {
		fmt.Fprintf(k, "<3>initrd: %s\n", line)
	}
}

func (k kernelLog) info(text string) { fmt.Fprintf(k, "<6>initrd: %s\n", text) }

func (k kernelLog) close() { _ = k.Close() }
