package vm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// prepare returns the repository and the emulator.
func prepare(t *testing.T) (workspace.Root, vm.Emulator) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the machines are x86_64, and so are the programs that run them")
	}
	root, err := workspace.Find(".")
	must(t, err)
	emulator, err := vm.Prepare(t.Context(), root, t.Output())
	if errors.Is(err, debtree.ErrNoTools) {
		t.Skip(err)
	}
	must(t, err)
	return root, emulator
}

// A machine without a disk stays in its firmware, which is enough to be switched
// on and off.
func TestSwitches(t *testing.T) {
	_, emulator := prepare(t)
	dir := t.TempDir()
	machine, err := vm.Start(t.Context(), emulator, vm.Machine{Name: "empty", Dir: dir, CPUs: 1, Memory: 128})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := machine.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait for a machine that runs: %v, want %v", err, context.DeadlineExceeded)
	}
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"InjectNMI", machine.InjectNMI},
		{"Reset", machine.Reset},
		{"PowerOff", machine.PowerOff},
		{"CutPower", machine.CutPower},
		{"CutPower again", machine.CutPower},
	} {
		if err := s.do(); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	if err := machine.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Wait after the power was cut: %v, want that it was killed", err)
	}
	if _, err := machine.Console.Await(t.Context(), "login:"); !errors.Is(err, vm.ErrOff) {
		t.Errorf("Await after the power was cut: %v, want %v", err, vm.ErrOff)
	}
	if err := machine.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for _, name := range []string{"console.log", "efivars.fd"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("after the machine was on: %v", err)
		}
	}
}

func TestStartTellsWhatTheEmulatorSays(t *testing.T) {
	_, emulator := prepare(t)
	machine, err := vm.Start(t.Context(), emulator, vm.Machine{
		Name: "no disk", Dir: t.TempDir(), Disks: []vm.Disk{{Path: "/nowhere/disk.raw"}},
	})
	if err == nil {
		t.Fatal(machine.Close())
	}
	for _, want := range []string{"start machine no disk: ", "/nowhere/disk.raw: Could not open '/nowhere/disk.raw': No such file or directory"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Start: error %v, want %q in it", err, want)
		}
	}
}
