// Package nsboot boots a real systemd in namespaces of its own, for tests.
//
// The machine that runs there has the programs of this one, in a /usr that it
// cannot write to and that a test may add files to, and nothing else of it: an /etc, a /run and a /var of its own
// that are gone afterwards, no network, and no other processes. It takes root's
// rights and the systemd that Debian's package of that name brings. A test
// program that boots machines calls Enter first of all in its TestMain.
package nsboot

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program is what is booted.
const program = "/usr/lib/systemd/systemd"

// patience is how long a machine may take to boot.
const patience = 60 * time.Second

// Options say what a machine has beside the programs of this one.
type Options struct {
	Usr   string            // directory with other programs, in place of this machine's; empty for those
	Files map[string]string // by path: text of files
	Binds map[string]string // by path: files and directories of this machine, not to be written
	Wants []string          // units to be started at boot
	Boots bool              // return while the machine still boots
}

// A Machine is a systemd that was booted.
type Machine struct {
	PID  int    // of its first process
	Root string // where its files are to be seen from here

	t       testing.TB
	console *console
	end     func() error // waits
}

// Missing says what keeps machines from being booted here, or "".
func Missing() string {
	if os.Geteuid() != 0 {
		return "it takes root's rights"
	}
	for _, file := range []string{program, "/usr/bin/nsenter"} {
		if _, err := os.Stat(file); err != nil {
			return "there is no " + file + " (Debian packages systemd, util-linux)"
		}
	}
	return ""
}

// Boot boots a machine that ends with the test.
func Boot(t testing.TB, opt Options) *Machine {
	t.Helper()
	if why := Missing(); why != "" {
		t.Skip("no machine can be booted: " + why)
	}
	m, err := boot(t, opt)
	if err != nil {
		t.Fatalf("boot a machine: %v", err)
	}
	return m
}

func boot(t testing.TB, opt Options) (*Machine, error) {
	dir := t.TempDir()
	cons, err := openConsole()
	if err != nil {
		return nil, err
	}
	group, err := newCgroup(t)
	if err != nil {
		return nil, err
	}
	plan := layout{Root: filepath.Join(dir, "root"), Console: cons.path, Usr: cmp.Or(opt.Usr, "/usr"), Binds: opt.Binds, Files: files(opt)}
	cmd, err := command(plan, group)
	if err != nil {
		return nil, err
	}
	m := &Machine{t: t, console: cons}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, cons.close())
	}
	m.PID, m.Root = cmd.Process.Pid, fmt.Sprintf("/proc/%d/root", cmd.Process.Pid)
	m.end = sync.OnceValue(cmd.Wait)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // takes all processes of the machine with it
		_ = m.end()
		if err := cons.close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("console of the machine:\n%s", cons)
		}
	})
	return m, m.up(opt.Boots)
}

// command returns the command that becomes the first process of a machine.
func command(plan layout, group *os.File) (*exec.Cmd, error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{layoutVariable + "=" + string(text)}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP,
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
		// The namespace takes the group that its first process is in for the
		// root of all.
		UseCgroupFD: true, CgroupFD: int(group.Fd()),
	}
	return cmd, nil
}

// up waits until the machine is up, or has at least a systemd that answers.
func (m *Machine) up(boots bool) error {
	deadline := time.Now().Add(patience)
	last := ""
	for time.Now().Before(deadline) {
		if _, err := os.Stat(filepath.Join(m.Root, "run/systemd/private")); err == nil {
			out, _ := m.Command("systemctl", "is-system-running").Output() // its status tells the same
			last = strings.TrimSpace(string(out))
			if last == "running" || last == "degraded" || (boots && last == "starting") {
				return nil
			}
		} else if _, err := os.Stat(fmt.Sprintf("/proc/%d", m.PID)); errors.Is(err, fs.ErrNotExist) {
			return errors.New("its first process has ended")
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("it is %q after %s", last, patience)
}

// Command returns a command that runs in the machine.
func (m *Machine) Command(words ...string) *exec.Cmd {
	return exec.Command("/usr/bin/nsenter", append([]string{
		"--target", strconv.Itoa(m.PID), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--",
	}, words...)...)
}

// Run runs a command in the machine and returns what it says.
func (m *Machine) Run(words ...string) string {
	m.t.Helper()
	out, err := m.Command(words...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%q in the machine: %v\n%s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Property returns a property of a unit as systemctl shows it.
func (m *Machine) Property(unit, name string) string {
	m.t.Helper()
	return m.Run("systemctl", "show", "--value", "--property="+name, unit)
}

// Path returns where a file of the machine is to be seen from here.
func (m *Machine) Path(file string) string { return filepath.Join(m.Root, file) }
