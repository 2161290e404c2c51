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
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// A VM is a machine that was started. Its Close must be called.
type VM struct {
	Console *Console
	input   *os.File // what is written to it is typed at the console
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
	c, err := connect(len(m.cards()))
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	vm = &VM{Console: NewConsole(log, m.Watch), input: c.input, log: log, done: make(chan struct{})}
	cmd.Stdin, cmd.Stdout = c.keyboard, vm.Console
	cmd.Files = c.files
	cmd.Bound = true
	cmd.Apart = true
	vm.process, err = cmd.Start(ctx)
	// The emulator has them now. While they are also open here, its end goes unnoticed.
	err = errors.Join(err, c.handOver())
	if vm.process == nil {
		return nil, errors.Join(err, c.close(), log.Close())
	}
	for i, card := range m.cards() {
		card.Plug(c.wires[i])
	}
	go vm.wait()
	if vm.monitor, err = newMonitor(c.monitor); err != nil {
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

// Interrupt sends the machine the interrupt that cannot be masked, at which our
// kernel panics.
func (v *VM) Interrupt() error { return v.monitor.execute("inject-nmi") }

// Reset restarts the machine without asking it.
func (v *VM) Reset() error { return v.monitor.execute("system_reset") }

// InjectNMI presses the button for emergencies: what the machine does then is up
// to its kernel.
func (v *VM) InjectNMI() error { return v.monitor.execute("inject-nmi") }

// Carry says whether a network card, of which the first is 0, has a link: without
// one, it is as if its cable was out.
func (v *VM) Carry(card int, link bool) error {
	return v.monitor.executeWith("set_link", map[string]any{"name": cardID(card), "up": link})
}

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
	return errors.Join(err, v.input.Close(), v.log.Close())
}

// typing is how long the machine may leave typed text unread. It takes none
// while it starts.
const typing = 2 * time.Second

// Type types text at the console.
func (v *VM) Type(text []byte) error {
	err := v.input.SetWriteDeadline(time.Now().Add(typing))
	if err == nil {
		_, err = v.input.Write(text)
	}
	if err != nil {
		return fmt.Errorf("type at the console: %w", err)
	}
	return nil
}

// PID returns the process id of the emulator.
func (v *VM) PID() int { return v.process.PID() }
