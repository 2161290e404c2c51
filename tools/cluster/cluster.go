// Package cluster keeps virtual machines running in the background.
//
// A cluster is a directory. While its machines are on, one process, the
// supervisor, owns them: it holds a lock in the directory, runs the emulators
// and the network that they share, and answers on a socket. It belongs to no
// terminal and ends when it is told to. When it dies, however that happens, its
// machines end with it, the lock is free, and what the files tell about them is
// known to be out of date.
package cluster

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// MaxMachines is how many machines a cluster may have.
const MaxMachines = 64

// names are what clusters may be called: what becomes part of a host's name.
var names = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// A Cluster is a directory of machines.
type Cluster struct {
	Name string
	Dir  string
}

// New returns the cluster called name, whose directory lies in dir. It need not
// be there yet.
func New(dir, name string) (Cluster, error) {
	if !names.MatchString(name) {
		return Cluster{}, fmt.Errorf("cluster %q: want at most 32 small letters, digits and hyphens, the first a letter and the last no hyphen", name)
	}
	return Cluster{Name: name, Dir: filepath.Join(dir, name)}, nil
}

// Machine returns the name of the machine with a number, from 1.
func (c Cluster) Machine(number int) string { return c.Name + "-" + strconv.Itoa(number) }

// Number returns the number of the machine with a name.
func (c Cluster) Number(machine string) (int, error) {
	digits, ok := strings.CutPrefix(machine, c.Name+"-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > MaxMachines || c.Machine(n) != machine {
		return 0, fmt.Errorf("machine %q: want %s to %s", machine, c.Machine(1), c.Machine(MaxMachines))
	}
	return n, nil
}

// Path returns the directory of a machine.
func (c Cluster) Path(machine string, elem ...string) string {
	return filepath.Join(append([]string{c.Dir, machine}, elem...)...)
}

// Log is the file that the supervisor writes what it does to.
func (c Cluster) Log() string { return filepath.Join(c.Dir, "supervisor.log") }

// ConsoleLog is the file with all that a machine wrote to its console since it
// was switched on.
func (c Cluster) ConsoleLog(machine string) string {
	return vm.Machine{Dir: c.Path(machine)}.ConsoleLog()
}

// A Spec says what a machine is.
type Spec struct {
	Name        string            `json:"name"`
	Memory      int               `json:"memory"` // MiB
	CPUs        int               `json:"cpus"`
	Disk        string            `json:"disk,omitempty"`
	Kernel      *vm.Kernel        `json:"kernel,omitempty"`
	SecureBoot  string            `json:"secure_boot,omitempty"` // see vm.Machine
	Credentials map[string]string `json:"credentials,omitempty"`
	Forwards    []Forward         `json:"forwards,omitempty"`
}

// A Forward is a port of a machine that is reached from this computer.
type Forward struct {
	Listen string `json:"listen"` // here; another port is taken if this one is not free
	Port   uint16 `json:"port"`   // there
}

// A State is whether a machine is on.
type State string

// The states.
const (
	Running State = "running"
	Off     State = "off"
)

// A Status tells of a machine.
type Status struct {
	Name     string         `json:"name"`
	State    State          `json:"state"`
	Why      string         `json:"why,omitempty"` // it is off
	Since    time.Time      `json:"since"`
	Addr     netip.Addr     `json:"address"` // in the network of the cluster
	Forwards []Forward      `json:"forwards,omitempty"`
	Memory   int            `json:"memory"`
	CPUs     int            `json:"cpus"`
	Accel    vm.Accelerator `json:"accelerator,omitempty"`
	PID      int            `json:"pid,omitempty"`
}

// Forwarded returns the address here at which a port of the machine is reached.
func (s Status) Forwarded(port uint16) (string, bool) {
	for _, f := range s.Forwards {
		if f.Port == port {
			return f.Listen, true
		}
	}
	return "", false
}

// lost is why a machine is off that nobody switched off.
const lost = "lost: its supervisor ended without switching it off"

// hosts returns all machines there may be, as the network knows them.
func (c Cluster) hosts() []vmnet.Host {
	var hosts []vmnet.Host
	for i := range MaxMachines {
		hosts = append(hosts, vmnet.NewHost(i, c.Machine(i+1)))
	}
	return hosts
}

// statusFile holds the last status of a machine, in its directory. The
// supervisor writes it.
const statusFile = "machine.json"

func (c Cluster) save(s Status) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(c.Path(s.Name, statusFile), append(data, '\n'), 0o600)
}

// saved returns what the files tell, by number.
func (c Cluster) saved() ([]Status, error) {
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Status
	for _, e := range entries {
		if _, err := c.Number(e.Name()); err != nil {
			continue
		}
		s, err := c.load(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was never on
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	c.sort(all)
	return all, nil
}

func (c Cluster) load(machine string) (Status, error) {
	data, err := os.ReadFile(c.Path(machine, statusFile))
	if err != nil {
		return Status{}, err
	}
	var s Status
	if err := json.Unmarshal(data, &s); err != nil {
		return Status{}, fmt.Errorf("%s: %w", c.Path(machine, statusFile), err)
	}
	return s, nil
}

func (c Cluster) sort(all []Status) {
	number := func(s Status) int {
		n, _ := c.Number(s.Name) // all have one
		return n
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(number(a), number(b)) })
}
