package bootbench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/probe"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// patience is how long a start may take, with the time to come to rest.
const patience = 5 * time.Minute

// first starts a system for the first time, and shuts it down when it is at rest:
// what is done only once is not to be measured.
func (b *bench) first(ctx context.Context, s *system) error {
	_, err := b.start(ctx, s, vm.Keep, func(ctx context.Context, m *vm.VM) error {
		if err := m.PowerOff(); err != nil {
			return err
		}
		return m.Wait(ctx)
	})
	return err
}

// measure starts a system once more. What it writes is forgotten, so that each
// time is the second.
func (b *bench) measure(ctx context.Context, s *system) error {
	seen, err := b.start(ctx, s, vm.Forget, func(context.Context, *vm.VM) error { return nil })
	if err == nil {
		s.starts = append(s.starts, seen)
	}
	return err
}

// start starts a system and waits until it is at rest.
func (b *bench) start(ctx context.Context, s *system, write vm.Write, end func(context.Context, *vm.VM) error) (seen start, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %s: %w", s.name, err)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp(b.dir, "machine-")
	if err != nil {
		return seen, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	host := vmnet.NewHost(0, "node")
	network, err := vmnet.New([]vmnet.Host{host})
	if err != nil {
		return seen, err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	m, err := vm.Start(ctx, b.emulator, vm.Machine{
		Name: "bench", Dir: dir, Kernel: &s.kernel, Disks: []vm.Disk{{Path: s.disk, Write: write}},
		NIC: &vm.NIC{MAC: host.MAC, Plug: network.Plug}, OnReboot: vm.TurnOff,
	})
	if err != nil {
		return seen, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	line, err := m.Console.Await(ctx, s.up)
	if err != nil {
		return seen, err
	}
	seen.seconds = line.At.Seconds()
	if line, err = m.Console.Await(ctx, probe.Found); err != nil {
		return seen, err
	}
	if seen.facts, err = probe.Parse(line.Text); err != nil {
		return seen, err
	}
	return seen, end(ctx, m)
}
