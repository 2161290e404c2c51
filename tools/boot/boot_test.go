package boot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
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

// The image that was built comes up, from its disk as on a computer and with its
// kernel started directly, which lets systemd tell what it does.
func TestImageComesUp(t *testing.T) {
	if testing.Short() {
		t.Skip("starts virtual machines, which takes long")
	}
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := root.Path("build", "images", "qemu-dev")
	if _, err := os.Stat(filepath.Join(dir, image.ManifestFile)); err != nil {
		t.Skipf("there is no image; shipyard build makes one: %v", err)
	}
	tests := []struct {
		name  string
		opt   Options
		shows []string
	}{
		{"from its disk", Options{Until: "msg=ready"}, nil},
		{
			"from its kernel",
			Options{Until: "Reached target multi-user.target", Direct: true, Append: "systemd.show_status=1"},
			[]string{"Listening on apiserver.socket", "Listening on apply.socket", "msg=ready", "Reached target configured.target"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Dir, tt.opt.State, tt.opt.Limit = dir, t.TempDir(), 3*time.Minute
			var console strings.Builder
			if err := Run(t.Context(), root, tt.opt, &console); err != nil {
				t.Fatal(err)
			}
			for _, text := range tt.shows {
				if !strings.Contains(console.String(), text) {
					t.Errorf("%q is missing on the console:\n%s", text, &console)
				}
			}
			if strings.Contains(console.String(), "FAILED") {
				t.Errorf("something failed:\n%s", &console)
			}
		})
	}
}
