package bootprobe_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/bootprobe"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestAdd(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := bootprobe.Build(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(archive, []byte("070701")) || !bytes.Contains(archive, []byte("\x7fELF")) {
		t.Errorf("Build: archive of %d bytes, want one with a program", len(archive))
	}
	dir := t.TempDir()
	initrd := filepath.Join(dir, "initrd")
	if err := os.WriteFile(initrd, []byte("five."), 0o644); err != nil {
		t.Fatal(err)
	}
	k, err := bootprobe.Add(vm.Kernel{Image: "vmlinuz", Initrd: initrd, Cmdline: "quiet"}, archive, dir)
	if err != nil {
		t.Fatal(err)
	}
	if k.Image != "vmlinuz" || k.Cmdline != "quiet rdinit=/probe" {
		t.Errorf("Add: kernel %+v, want the same, told to start the probe", k)
	}
	got, err := os.ReadFile(k.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	if want := append([]byte("five.\x00\x00\x00"), archive...); !bytes.Equal(got, want) {
		t.Errorf("Add: RAM disk of %d bytes, want the two archives in %d, the second at a multiple of four", len(got), len(want))
	}
	if text, err := os.ReadFile(initrd); err != nil || string(text) != "five." {
		t.Errorf("after Add: the RAM disk it began with is %q, %v", text, err)
	}
}

func TestAddWithoutRAMDisk(t *testing.T) {
	if _, err := bootprobe.Add(vm.Kernel{Initrd: "/nowhere/initrd"}, nil, t.TempDir()); err == nil || !strings.Contains(err.Error(), "/nowhere/initrd") {
		t.Errorf("Add to a RAM disk that is not there: %v, want its name", err)
	}
}
