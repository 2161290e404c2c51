// Package vm runs virtual machines in QEMU.
//
// The emulator is that of the Debian release which images are made of, from a
// tree of packages: nothing is installed, and what a machine does is the same
// wherever it runs. KVM is used where a probe shows that it works, else QEMU's
// own translation.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// A VM is a machine that was started. Its Close must be called.
type VM struct {
	Console *Console
	process *run.Process
	monitor *monitor
	log     io.Closer
	done    chan struct{} // closed when the emulator has ended
	err     error         // how, once done is closed
}

// Start switches a machine on. It runs until it switches itself off, ctx ends or
// Close is called, and at the latest ends with this program.
func Start(ctx context.Context, e Emulator, m Machine) (vm *VM, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start machine %s: %w", m.Name, err)
		}
	}()
	cmd, err := e.command(m.arguments(e))
	if err != nil {
		return nil, err
	}
	if err := m.prepare(e); err != nil {
		return nil, err
	}
	log, err := os.Create(m.ConsoleLog())
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	vm = &VM{Console: NewConsole(log, m.Watch), log: log, done: make(chan struct{})}
	cmd.Stdout = vm.Console
	cmd.Files = []*os.File{theirs}
	cmd.Bound = true
	cmd.Apart = true
	vm.process, err = cmd.Start(ctx)
	// The emulator has it now. While it is also open here, its end goes unnoticed.
	err = errors.Join(err, theirs.Close())
	if vm.process == nil {
		return nil, errors.Join(err, ours.Close(), log.Close())
	}
	go vm.wait()
	if vm.monitor, err = newMonitor(ours); err != nil {
		err = errors.Join(err, vm.Close())
		return nil, errors.Join(vm.err, err) // an emulator that ended by itself says why
	}
	return vm, nil
}

func (v *VM) wait() {
	v.err = v.process.Wait() // after which all that was written has been taken
	v.Console.end()
	close(v.done)
}

// socketPair returns the two ends of a connection, one of them for a child.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor")
	defer ours.Close() // FileConn has a copy of it
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}

// Wait waits until the machine is off. Its error tells of a fault of the
// emulator, not of what runs in it.
func (v *VM) Wait(ctx context.Context) error {
	select {
	case <-v.done:
		return v.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the machine to switch off: %w; its last lines:\n%s", context.Cause(ctx), v.Console.Tail())
	}
}

// PowerOff presses the button that asks a machine to shut down.
func (v *VM) PowerOff() error { return v.monitor.execute("system_powerdown") }

// Reset restarts the machine without asking it.
func (v *VM) Reset() error { return v.monitor.execute("system_reset") }

// CutPower ends the machine at once. What the emulator took for its disks is in
// their files; what the guest kept in memory is lost.
func (v *VM) CutPower() error {
	if err := v.process.Signal(unix.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cut power: %w", err)
	}
	<-v.done
	return nil
}

// Close ends the machine if it still runs, and frees what it used.
func (v *VM) Close() error {
	err := v.CutPower()
	if v.monitor != nil {
		err = errors.Join(err, v.monitor.close())
	}
	return errors.Join(err, v.log.Close())
}
