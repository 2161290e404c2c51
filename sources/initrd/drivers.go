package initrd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/kmod"
)

// drivers loads the modules that devices ask for.
type drivers struct {
	set    *kmod.Set
	loader *kmod.Loader
	seen   map[string]bool // modaliases
	faults []error
}

// openDrivers returns the modules in the RAM disk for the kernel that runs.
func openDrivers() (*drivers, error) {
	version, err := kernelVersion()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path.Join("/usr/lib/modules", version))
	if err != nil {
		return nil, fmt.Errorf("kernel modules: %w", err)
	}
	set, err := kmod.Read(root.FS())
	if err != nil {
		return nil, err
	}
	return newDrivers(set, kmod.InsertFrom(root)), nil
}

func newDrivers(set *kmod.Set, insert func(path string) error) *drivers {
	return &drivers{set: set, loader: kmod.NewLoader(set, insert), seen: map[string]bool{}}
}

func kernelVersion() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}

// load loads modules by name. Those that are absent may be built into the
// kernel.
func (d *drivers) load(names ...string) error {
	for _, name := range names {
		if err := d.loader.Load(name); err != nil && !errors.Is(err, kmod.ErrAbsent) {
			return err
		}
	}
	return nil
}

// loadNext loads what drives the next device in sys that no call has seen, and
// reports whether there was one. What does not load is kept to be told if the
// root is not found: a module refuses to load for devices that it does not drive
// after all.
func (d *drivers) loadNext(sys fs.FS) bool {
	for _, modalias := range modaliases(sys) {
		if d.seen[modalias] {
			continue
		}
		d.seen[modalias] = true
		names := d.set.ForDevice(modalias)
		if len(names) == 0 {
			continue
		}
		if err := d.load(names...); err != nil {
			d.faults = append(d.faults, fmt.Errorf("device %s: %w", modalias, err))
		}
		return true
	}
	return false
}

// guards are modules that the root does not need, and that are to be there before
// anything else can go wrong: the place that keeps the kernel's last words, and
// watchdogs.
var guards = []string{"efi_pstore", "i6300esb", "wdat_wdt"}

// loadGuards loads the guards that the machine has. What other devices want is
// for udev to load: some keep others waiting.
func (d *drivers) loadGuards(sys fs.FS) error {
	var errs []error
	for _, modalias := range modaliases(sys) {
		for _, name := range d.set.ForDevice(modalias) {
			if slices.Contains(guards, name) {
				errs = append(errs, d.load(name))
			}
		}
	}
	return errors.Join(errs...)
}

// devices are the files that describe devices, those first whose drivers are
// loaded first. The processor has instructions by which the tree is checked faster. The root of a
// virtual machine is usually on the virtual disks, and then the controllers that
// it also has need not be waited for.
var devices = []string{
	"devices/system/cpu/modalias",
	"bus/virtio/devices/*/modalias",
	"bus/vmbus/devices/*/modalias",
	"bus/xen/devices/*/modalias",
	"bus/*/devices/*/modalias",
}

// modaliases returns how the kernel describes its devices to whoever loads
// modules.
func modaliases(sys fs.FS) []string {
	var texts []string
	for _, pattern := range devices {
		// Patterns have no faults, and what cannot be read is not there.
		files, _ := fs.Glob(sys, pattern)
		for _, file := range files {
			text, err := fs.ReadFile(sys, file)
			if s := strings.TrimSpace(string(text)); err == nil && s != "" {
				texts = append(texts, s)
			}
		}
	}
	return texts
}
