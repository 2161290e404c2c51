package boot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/vm"
)

func TestMachine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "qemu-dev")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, image.CmdlineFile), []byte("quiet roothash=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(dir, image.DiskFile)
	kernel := vm.Kernel{Image: filepath.Join(dir, image.KernelFile), Initrd: filepath.Join(dir, image.InitrdFile)}
	tests := []struct {
		name    string
		opt     Options
		write   vm.Write
		cmdline string // empty where firmware starts it
	}{
		{"as on a computer", Options{}, vm.Forget, ""},
		{"kept", Options{Keep: true}, vm.Keep, ""},
		{"elsewhere", Options{State: "/s"}, vm.Forget, ""},
		{"kernel", Options{Direct: true}, vm.Forget, "quiet roothash=1"},
		{"kernel with words", Options{Direct: true, Append: "loglevel=7"}, vm.Forget, "quiet roothash=1 loglevel=7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Dir = dir
			want := vm.Machine{Name: "qemu-dev", Dir: "/r/build/vm/qemu-dev", Disks: []vm.Disk{{Path: disk, Write: tt.write}}, OnReboot: vm.TurnOff}
			if tt.opt.State != "" {
				want.Dir = tt.opt.State
			}
			if tt.cmdline != "" {
				k := kernel
				k.Cmdline = tt.cmdline
				want.Kernel = &k
			}
			got, err := machine("/r", tt.opt)
			if err != nil {
				t.Fatalf("machine(%+v): %v", tt.opt, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("machine(%+v) (-want +got):\n%s", tt.opt, diff)
			}
		})
	}
	if _, err := machine("/r", Options{Dir: t.TempDir(), Direct: true}); err == nil {
		t.Error("machine took a directory without an image")
	}
}
