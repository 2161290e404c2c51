package validators

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// A Validator is a program that says whether it can read a file.
type Validator struct {
	Name string // of the program
	// Reads reports whether the program reads the file at a path.
	Reads func(path string) bool
	// Bad is a file that the program complains about.
	Bad Bad

	check func(context.Context, *Machine, string) error
}

// A Bad is a file with something wrong in it, and what is in the complaint. It
// shows that a program does look at what it is given.
type Bad struct{ Path, Text, Complaint string }

// ErrUnable says that a program cannot be asked by this user.
var ErrUnable = errors.New("wants to be run by root")

// Check lets the program read the file at path.
func (v Validator) Check(ctx context.Context, m *Machine, path string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := v.check(ctx, m, path); err != nil {
		return fmt.Errorf("%s: %s: %w", v.Name, path, err)
	}
	return nil
}

// patience is how long a program may take, on a machine that does much else.
const patience = 30 * time.Second

// For returns the validators for a node whose kubelet, if it has one, is of the
// given version.
func For(kubelet string) []Validator {
	all := []Validator{
		containerd, mirrors, chronyd, dockerd, sysctl, modulesLoad, modprobe, resolved, networkd, network, units, tmpfiles, sysusers,
	}
	if kubelet != "" {
		all = append(all, kubeletFiles(kubelet))
	}
	return all
}

func is(paths ...string) func(string) bool {
	return func(p string) bool {
		for _, want := range paths {
			if p == want {
				return true
			}
		}
		return false
	}
}

// in returns whether a file is in a directory called dir of /etc or /usr/lib.
func in(dir, ext string) func(string) bool {
	return func(p string) bool {
		return (path.Dir(p) == "/etc/"+dir || path.Dir(p) == "/usr/lib/"+dir) && strings.HasSuffix(p, ext)
	}
}

var containerd = Validator{
	Name:  "containerd",
	Reads: is("/etc/containerd/config.toml", "/usr/share/containerd/host-containerd.toml"),
	Bad:   Bad{"/etc/containerd/config.toml", "version = 4\n[plugins.\"io.containerd.cri.v1.images\"]\n  no_such = 1\n", "key=no_such"},
	check: func(ctx context.Context, m *Machine, file string) error {
		// It warns of what it does not know, and of older versions, and goes on.
		return complaints(ctx, m.cage.Command(containerdPath, "--config", file, "config", "dump"), "")
	},
}

var hostsFile = regexp.MustCompile(`^/etc/containerd/certs\.d/[^/]+/hosts\.toml$`)

// containerd reads these files when it pulls an image.
var mirrors = Validator{
	Name:  "containerd's mirrors",
	Reads: hostsFile.MatchString,
	Bad:   Bad{"/etc/containerd/certs.d/docker.io/hosts.toml", "[host.\"https://mirror.example.org/%zz\"]\n", "unable to parse server"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return complaints(ctx, m.cage.Command(hostsCheck, file), "")
	},
}

var chronyd = Validator{
	Name:  "chronyd",
	Reads: is("/etc/chrony/chrony.conf"),
	Bad:   Bad{"/etc/chrony/chrony.conf", "pool ntp.example.org iburst nosuch\n", "Could not parse pool directive"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return complaints(ctx, m.cage.Command("/usr/sbin/chronyd", "-p", "-f", file), "")
	},
}

var dockerd = Validator{
	Name:  "dockerd",
	Reads: is("/etc/docker/daemon.json"),
	Bad:   Bad{"/etc/docker/daemon.json", `{"no-such": 1}`, "no-such"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return complaints(ctx, m.cage.Command("/usr/sbin/dockerd", "--validate", "--config-file", file), `^configuration OK$`)
	},
}

// systemd-sysctl would write to /proc, which a cage does not have.
var sysctl = Validator{
	Name:  "systemd-sysctl",
	Reads: in("sysctl.d", ".conf"),
	Bad:   Bad{"/etc/sysctl.d/x.conf", "kernel.core_pattern\n", "not an assignment"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return onlyComplaints(ctx, m.cage.Command("/usr/lib/systemd/systemd-sysctl", file), `^Couldn't write |^No change to value`)
	},
}

// A cage has no modules to be found.
var modulesLoad = Validator{
	Name:  "systemd-modules-load",
	Reads: in("modules-load.d", ".conf"),
	Bad:   Bad{"/etc/modules-load.d/x.conf", "\xff\xfe\n", "Failed to find module"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return onlyComplaints(ctx, m.cage.Command("/usr/lib/systemd/systemd-modules-load", file), `^Failed to find module '[[:word:]-]+'$|kernel command line`)
	},
}

var modprobe = Validator{
	Name:  "modprobe",
	Reads: in("modprobe.d", ".conf"),
	Bad:   Bad{"/etc/modprobe.d/x.conf", "nosuch x\n", "ignoring bad line"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return complaints(ctx, m.cage.Command("/usr/sbin/modprobe", "--showconfig", "--config", file), "")
	},
}

var resolved = Validator{
	Name:  "systemd-resolved",
	Reads: in("systemd/resolved.conf.d", ".conf"),
	Bad:   Bad{"/etc/systemd/resolved.conf.d/x.conf", "[Resolve]\nNoSuch=1\n", "Unknown key 'NoSuch'"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return m.daemonComplaints(ctx, "/usr/lib/systemd/systemd-resolved")
	},
}

var networkd = Validator{
	Name:  "systemd-networkd",
	Reads: in("systemd/networkd.conf.d", ".conf"),
	Bad:   Bad{"/etc/systemd/networkd.conf.d/x.conf", "[Network]\nNoSuch=1\n", "Unknown key 'NoSuch'"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return m.daemonComplaints(ctx, "/usr/lib/systemd/systemd-networkd")
	},
}

// networkFile are the files that say what becomes of interfaces. Those that are
// written on a node are in /run.
var networkFile = regexp.MustCompile(`^/(usr/lib|etc|run)/systemd/network/[^/]+\.(network|netdev)$`)

var network = Validator{
	Name:  "systemd-networkd, interfaces",
	Reads: networkFile.MatchString,
	Bad:   Bad{"/run/systemd/network/x.network", "[Match]\nName=x\n[Network]\nNoSuch=1\n", "Unknown key 'NoSuch'"},
	check: networkd.check,
}

var unitName = regexp.MustCompile(`^/(usr/lib|etc)/systemd/system/([^/]+\.(?:service|socket|target|slice|timer|mount|path))(\.d/.+\.conf)?$`)

var units = Validator{
	Name:  "systemd-analyze verify",
	Reads: unitName.MatchString,
	Bad:   Bad{"/etc/systemd/system/x.service", "[Service]\nExecStart=/usr/bin/systemctl\nNoSuch=1\n", "Unknown key 'NoSuch'"},
	check: func(ctx context.Context, m *Machine, file string) (err error) {
		name := unitName.FindStringSubmatch(file)[2]
		if where, ok := strings.CutSuffix(name, ".mount"); ok && path.Base(file) != name {
			remove, err := m.mountUnit(name, "/"+strings.ReplaceAll(where, "-", "/"))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, remove()) }()
		}
		if stem, ext, ok := strings.Cut(name, "@."); ok {
			name = stem + "@instance." + ext
		}
		// Nodes have cgroups of version 2, whatever this machine has.
		return complaints(ctx, m.cage.Command("/usr/bin/systemd-analyze", "verify", "--man=no", "--generators=no", name), "legacy cgroups v1")
	},
}

// mountUnit makes the unit that systemd has for what a program of ours mounts,
// and that a drop-in is for, unless the image has one. The returned function
// takes it away.
func (m *Machine) mountUnit(name, where string) (remove func() error, err error) {
	for _, dir := range []string{"/usr/lib/systemd/system", "/etc/systemd/system"} {
		if _, err := os.Stat(m.path(path.Join(dir, name))); err == nil {
			return func() error { return nil }, nil
		}
	}
	file := m.path(path.Join("/etc/systemd/system", name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	text := "[Unit]\nDescription=" + where + "\n[Mount]\nWhat=tmpfs\nWhere=" + where + "\nType=tmpfs\n"
	return func() error { return os.Remove(file) }, os.WriteFile(file, []byte(text), 0o644)
}

// systemd-tmpfiles insists on /proc, which a cage does not have.
var tmpfiles = Validator{
	Name:  "systemd-tmpfiles",
	Reads: in("tmpfiles.d", ".conf"),
	Bad:   Bad{"/usr/lib/tmpfiles.d/x.conf", "dd /x 0755 root root - -\n", "Unknown"},
	check: func(ctx context.Context, m *Machine, file string) error {
		cmd, err := m.outside("/usr/bin/systemd-tmpfiles", "--root="+m.dir, "--dry-run", "--create", m.path(file))
		if err != nil {
			return err
		}
		return complaints(ctx, cmd, `^Would |^Running (create|clean) action`)
	},
}

var sysusers = Validator{
	Name:  "systemd-sysusers",
	Reads: in("sysusers.d", ".conf"),
	Bad:   Bad{"/usr/lib/sysusers.d/x.conf", "x x\n", "Unknown command type"},
	check: func(ctx context.Context, m *Machine, file string) error {
		return complaints(ctx, m.cage.Command("/usr/bin/systemd-sysusers", "--dry-run", file), `^(Creating|Would|Suggested)`)
	},
}

func kubeletFiles(version string) Validator {
	const dir = "/etc/kubernetes/kubelet/"
	return Validator{
		Name:  "kubelet " + version,
		Reads: is(dir+"config.yaml", dir+"kubeconfig", dir+"bootstrap-kubeconfig", dir+"credential-providers.yaml", dir+"config.d/50-extra.conf"),
		Bad:   Bad{dir + "config.yaml", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nnoSuch: 1\n", "unknown field"},
		check: func(ctx context.Context, m *Machine, file string) error {
			return complaints(ctx, m.cage.Command(kubeletCheck(version), file), "")
		},
	}
}

// complaints runs cmd. What it writes to standard error is a complaint, unless
// the pattern fine matches the line.
func complaints(ctx context.Context, cmd run.Command, fine string) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run(ctx)
	if lines := others(stderr.String(), fine); len(lines) > 0 {
		return errors.New(strings.Join(lines, "\n"))
	}
	return err
}

// onlyComplaints is as complaints, for programs that cannot succeed here.
func onlyComplaints(ctx context.Context, cmd run.Command, fine string) error {
	err := complaints(ctx, cmd, fine)
	if e, ok := errors.AsType[*run.Error](err); ok && e.Status == 1 {
		return nil
	}
	return err
}

// others returns the lines of text that the pattern fine does not match.
func others(text, fine string) []string {
	re := regexp.MustCompile(fine)
	var out []string
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line != "" && (fine == "" || !re.MatchString(line)) {
			out = append(out, line)
		}
	}
	return out
}

// daemonComplaints starts a daemon of systemd and ends it once it is ready.
// What it says about its files until then is a complaint.
func (m *Machine) daemonComplaints(ctx context.Context, program string) error {
	const notify = "/run/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path(notify), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer os.Remove(m.path(notify))
	defer conn.Close()
	var stderr bytes.Buffer
	cmd := m.cage.Command(program)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notify)
	cmd.Stderr = &stderr
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p, err := cmd.Start(ctx)
	if err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() { ready <- readiness(conn) }()
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err = <-ready:
		stop()
		<-ended
	case err = <-ended:
		conn.Close()
		<-ready
		if strings.Contains(stderr.String(), "Failed to drop privileges") && os.Geteuid() != 0 {
			return ErrUnable
		}
		err = fmt.Errorf("ended before it was ready: %w\n%s", err, stderr.String())
	}
	if err != nil {
		return err
	}
	if lines := about(stderr.String()); len(lines) > 0 {
		return errors.New(strings.Join(lines, "\n"))
	}
	return nil
}

// readiness waits for a daemon's word that it is ready.
func readiness(conn *net.UnixConn) error {
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return fmt.Errorf("wait until it is ready: %w", err)
		}
		if strings.Contains("\n"+string(buf[:n]), "\nREADY=1") {
			return nil
		}
	}
}

// about returns the lines of a log that are about a configuration file or a
// value in it.
func about(log string) []string {
	var out []string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "the kernel does not support IPv6") {
			continue // the kernel of this machine
		}
		if strings.HasPrefix(line, "/") || strings.Contains(line, "DNS server") || strings.Contains(line, "search domain") {
			out = append(out, line)
		}
	}
	return out
}
