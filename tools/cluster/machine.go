package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// A machine is one that the supervisor knows.
type machine struct {
	status   Status
	vm       *vm.VM        // the last one, if it was on under this supervisor
	off      chan struct{} // closed when that is off and the status says so
	stopping bool          // it was told to end
	cut      bool          // and its power was cut
}

// A Way is how a machine is switched off.
type Way string

// The ways.
const (
	Press Way = "press" // the power button, and after a while the cable
	Cut   Way = "cut"   // the cable
)

// pressTime is how long a machine may take to shut down when its button was
// pressed.
const pressTime = 30 * time.Second

// start switches a machine on, unless it is.
func (s *supervisor) start(spec Spec) (Status, error) {
	number, err := s.cluster.Number(spec.Name)
	if err != nil {
		return Status{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, ok := s.machines[spec.Name]
	if ok && before.status.State == Running {
		return before.status, nil
	}
	if s.ending {
		return Status{}, errors.New("the supervisor is ending")
	}
	host := vmnet.NewHost(number-1, spec.Name)
	m := &machine{off: make(chan struct{}), status: Status{
		Name: spec.Name, State: Running, Since: time.Now(), Addr: host.Addr,
		Memory: spec.Memory, CPUs: spec.CPUs, Accel: s.emulator.Accelerator(),
	}}
	if m.status.Forwards, err = s.forward(spec, host); err != nil {
		return Status{}, err
	}
	if err := keepOld(s.cluster.ConsoleLog(spec.Name)); err != nil {
		return Status{}, err
	}
	// Not the request's context: the machine outlives the request.
	if m.vm, err = vm.Start(context.Background(), s.emulator, s.describe(spec, host)); err != nil {
		return Status{}, err
	}
	m.status.PID = m.vm.PID()
	s.machines[spec.Name] = m
	s.watchers.Go(func() { s.watch(m) })
	s.log.Info("machine on", "machine", spec.Name, "pid", m.status.PID)
	return m.status, s.cluster.save(m.status)
}

func (s *supervisor) describe(spec Spec, host vmnet.Host) vm.Machine {
	m := vm.Machine{
		Name: spec.Name, Dir: s.cluster.Path(spec.Name), CPUs: spec.CPUs, Memory: spec.Memory,
		Kernel: spec.Kernel, SecureBoot: spec.SecureBoot, Credentials: spec.Credentials,
		NIC:      &vm.NIC{MAC: host.MAC, Plug: s.net.Plug},
		OnReboot: vm.Restart,
	}
	if spec.Disk != "" {
		m.Disks = []vm.Disk{{Path: spec.Disk, Write: vm.Keep}}
	}
	return m
}

// forward opens the ports of a machine. They stay open, also while it is off, as
// long as the supervisor lives.
func (s *supervisor) forward(spec Spec, host vmnet.Host) ([]Forward, error) {
	if open, ok := s.forwards[spec.Name]; ok {
		return open, nil
	}
	var open []Forward
	for _, f := range spec.Forwards {
		at, err := s.net.Forward(f.Listen, host, f.Port)
		if err != nil {
			at, err = s.net.Forward("127.0.0.1:0", host, f.Port)
		}
		if err != nil {
			return nil, err
		}
		open = append(open, Forward{Listen: at, Port: f.Port})
	}
	s.forwards[spec.Name] = open
	return open, nil
}

// keepOld renames what the machine wrote when it was last on: it may tell why it
// is not on any more.
func keepOld(log string) error {
	if err := os.Rename(log, log+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// watch waits until the machine is off and notes it.
func (s *supervisor) watch(m *machine) {
	err := m.vm.Wait(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	m.status.State, m.status.Since, m.status.PID = Off, time.Now(), 0
	switch {
	case m.cut:
		m.status.Why = "its power was cut"
	case m.stopping:
		m.status.Why = "it was shut down"
	case err == nil:
		m.status.Why = "it switched itself off"
	default:
		m.status.Why = fmt.Sprintf("its emulator ended: %v", err)
	}
	s.log.Info("machine off", "machine", m.status.Name, "why", m.status.Why)
	if err := errors.Join(m.vm.Close(), s.cluster.save(m.status)); err != nil && !m.stopping {
		s.log.Error("note that a machine is off", "machine", m.status.Name, "err", err)
	}
	close(m.off)
}

// endMachine switches a machine off and waits until it is.
func (s *supervisor) endMachine(m *machine, way Way) error {
	s.mu.Lock()
	m.stopping = true
	s.mu.Unlock()
	if way != Cut && m.vm.PowerOff() == nil {
		select {
		case <-m.off:
			return nil
		case <-time.After(pressTime):
			s.log.Warn("machine did not shut down, power cut", "machine", m.status.Name)
		}
	}
	s.mu.Lock()
	m.cut = true
	s.mu.Unlock()
	err := m.vm.CutPower()
	<-m.off
	return err
}

// endMachines switches all machines off that are on. None is switched on behind
// it.
func (s *supervisor) endMachines(way Way) {
	var all sync.WaitGroup
	s.mu.Lock()
	s.ending = true
	for _, m := range s.machines {
		if m.status.State == Running {
			all.Go(func() {
				if err := s.endMachine(m, way); err != nil {
					s.log.Error("switch a machine off", "err", err)
				}
			})
		}
	}
	s.mu.Unlock()
	all.Wait()
}
