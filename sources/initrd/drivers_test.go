package initrd

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/kmod"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestLoadNext(t *testing.T) {
	set, err := kmod.Read(fstest.MapFS{
		"modules.dep":   file("virtio_blk.ko:\nvirtio_9.ko:\nahci.ko: libahci.ko\nlibahci.ko:\nsha256.ko:\nrefuses.ko:\n"),
		"modules.alias": file("alias virtio:d2* virtio_blk\nalias virtio:d9 virtio_9\nalias pci:*sc06* ahci\nalias cpu:*feature:*9* sha256\nalias acpi:X* refuses\nalias acpi:Y* absent\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var loaded []string
	d := newDrivers(set, func(path string) error {
		loaded = append(loaded, path)
		if path == "refuses.ko" {
			return errors.New("no such device")
		}
		return nil
	})
	sys := fstest.MapFS{
		"devices/system/cpu/modalias":      file("cpu:type:x86,feature:,0009,\n"),
		"bus/pci/devices/0000:00/modalias": file("pci:v1sc06\n"),
		"bus/acpi/devices/X/modalias":      file("acpi:X:\n"),
		"bus/acpi/devices/Y/modalias":      file("acpi:Y:\n"),
		"bus/acpi/devices/Z/modalias":      file("\n"),
		"bus/pci/devices/other/uevent":     file(""),
		"bus/virtio/devices/9/modalias":    file("virtio:d9\n"),
	}
	steps := []struct {
		name string
		add  fstest.MapFS
		want []string
	}{
		{"at first, the likely ones first", nil, []string{"sha256.ko", "virtio_9.ko", "refuses.ko", "libahci.ko", "ahci.ko"}},
		{"nothing new", nil, nil},
		{"a device that a driver found", fstest.MapFS{"bus/virtio/devices/virtio0/modalias": file("virtio:d2v1\n")}, []string{"virtio_blk.ko"}},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			for name, f := range s.add {
				sys[name] = f
			}
			loaded = nil
			for d.loadNext(sys) {
			}
			if diff := cmp.Diff(s.want, loaded); diff != "" {
				t.Errorf("loadNext: modules (-want +got):\n%s", diff)
			}
		})
	}
	if got, want := text(errors.Join(d.faults...)), "device acpi:X:: load kernel module refuses: no such device"; got != want {
		t.Errorf("faults are %q, want %q", got, want)
	}
}

func TestLoadAbsent(t *testing.T) {
	set, err := kmod.Read(fstest.MapFS{"modules.dep": file(""), "modules.alias": file("")})
	if err != nil {
		t.Fatal(err)
	}
	if err := newDrivers(set, nil).load("erofs"); err != nil {
		t.Errorf("load of a module that may be built in: %v", err)
	}
}

func TestLoadGuards(t *testing.T) {
	set, err := kmod.Read(fstest.MapFS{
		"modules.dep":   file("efi-pstore.ko:\ni6300esb.ko: watchdog.ko\nwatchdog.ko:\nahci.ko:\n"),
		"modules.alias": file("alias platform:efivars efi_pstore\nalias pci:*25AB* i6300esb\nalias pci:*sc06* ahci\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var loaded []string
	d := newDrivers(set, func(path string) error {
		loaded = append(loaded, path)
		return nil
	})
	sys := fstest.MapFS{
		"bus/pci/devices/0000:00/modalias":      file("pci:v1sc06\n"),
		"bus/pci/devices/0000:01/modalias":      file("pci:v1d25AB\n"),
		"bus/platform/devices/efivars/modalias": file("platform:efivars\n"),
	}
	if err := d.loadGuards(sys); err != nil {
		t.Fatalf("loadGuards: %v", err)
	}
	if diff := cmp.Diff([]string{"watchdog.ko", "i6300esb.ko", "efi-pstore.ko"}, loaded); diff != "" {
		t.Errorf("loadGuards: modules (-want +got):\n%s", diff)
	}
}
