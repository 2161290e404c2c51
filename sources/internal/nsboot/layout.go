package nsboot

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// layoutVariable has the layout in the environment of the process that becomes
// the first one of a machine.
const layoutVariable = "BULKHEAD_NSBOOT"

// A layout says what the files of a machine are.
type layout struct {
	Root    string            // an empty place to put them together
	Console string            // a terminal of this machine
	Usr     string            // where its programs are here
	Files   map[string]string // text by path
	Binds   map[string]string // paths of this machine by path
}

// target is what a machine boots into.
const target = "nsboot.target"

// masked are units of Debian that have nothing to do in a machine without
// hardware, or that would wait for some.
var masked = []string{
	"systemd-udevd.service", "systemd-udev-trigger.service", "systemd-modules-load.service", "systemd-hwdb-update.service",
	"systemd-binfmt.service", "systemd-random-seed.service", "systemd-timesyncd.service", "systemd-firstboot.service",
	"systemd-sysctl.service", "systemd-tmpfiles-clean.timer", "systemd-network-generator.service", "systemd-resolved.service",
	"systemd-networkd.service", "systemd-pstore.service", "systemd-update-done.service", "systemd-journal-catalog-update.service",
	"systemd-update-utmp.service", "systemd-ask-password-console.path", "systemd-ask-password-wall.path", "keyboard-setup.service",
	"console-setup.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
	"proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount",
	"sys-kernel-tracing.mount", "sys-kernel-config.mount", "sys-fs-fuse-connections.mount", "dbus.service", "dbus.socket",
	"tmp.mount",
}

// files returns the files of a machine, those of opt among them.
func files(opt Options) map[string]string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	out := map[string]string{
		"/etc/machine-id": hex.EncodeToString(id) + "\n",
		"/etc/hostname":   "machine\n",
		"/etc/passwd":     "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\n",
		"/etc/group":      "root:x:0:\nsystemd-journal:x:101:\nutmp:x:43:\nnogroup:x:65534:\n",
		"/etc/os-release": "ID=machine\nNAME=machine\n",
		// The journal is in memory, and is not slowed down by what tests write.
		"/etc/systemd/journald.conf": "[Journal]\nStorage=volatile\nRateLimitBurst=0\n",
		"/etc/systemd/system.conf":   "[Manager]\nDefaultTimeoutStopSec=5s\nShowStatus=no\n",
		"/etc/systemd/system/" + target: fmt.Sprintf("[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\nWants=%s\n",
			strings.Join(opt.Wants, " ")),
	}
	maps.Copy(out, opt.Files)
	return out
}

// Enter makes the process the first one of a machine if it was started to be
// that. It then does not return.
func Enter() {
	text := os.Getenv(layoutVariable)
	if text == "" {
		return
	}
	var l layout
	err := json.Unmarshal([]byte(text), &l)
	if err == nil {
		err = l.enter()
	}
	fmt.Fprintln(os.Stderr, "nsboot:", err)
	os.Exit(1)
}

// enter puts the files together, makes them all there is, and becomes systemd.
func (l layout) enter() error {
	for _, step := range []func() error{l.mountRoot, l.usr, l.bind, l.write, l.sealUsr, l.mountKernel, l.devices, l.pivot} {
		if err := step(); err != nil {
			return err
		}
	}
	env := []string{"container=nsboot", "PATH=/usr/sbin:/usr/bin", "TERM=dumb", "LANG=C.UTF-8"}
	console, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	for fd := range 3 {
		if err := unix.Dup2(int(console.Fd()), fd); err != nil {
			return err
		}
	}
	return unix.Exec(program, []string{program, "--unit=" + target, "--log-level=info", "--log-target=journal-or-kmsg"}, env)
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s at %s: %w", source, target, err)
	}
	return nil
}

func (l layout) mountRoot() error {
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := os.MkdirAll(l.Root, 0o755); err != nil {
		return err
	}
	if err := mount("tmpfs", l.Root, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, dir := range []string{"usr", "etc", "var", "run", "tmp", "proc", "sys", "dev", "root", "old"} {
		if err := os.Mkdir(filepath.Join(l.Root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(l.Root, link)); err != nil {
			return err
		}
	}
	// systemd mounts over a /run that is not a mount.
	return mount("tmpfs", filepath.Join(l.Root, "run"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
}

// inUsr reports whether the machine has files of its own in /usr.
func (l layout) inUsr() bool {
	is := func(path string) bool { return strings.HasPrefix(path, "/usr/") }
	return slices.ContainsFunc(slices.Collect(maps.Keys(l.Files)), is) || slices.ContainsFunc(slices.Collect(maps.Keys(l.Binds)), is)
}

// usr shows the programs, with room for files beside them if there are to be
// some.
func (l layout) usr() error {
	usr := filepath.Join(l.Root, "usr")
	if !l.inUsr() {
		return bindReadOnly(l.Usr, usr)
	}
	upper, work := filepath.Join(l.Root, ".usr/upper"), filepath.Join(l.Root, ".usr/work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return mount("overlay", usr, "overlay", 0, "lowerdir="+l.Usr+",upperdir="+upper+",workdir="+work)
}

// sealUsr keeps the machine from writing to its programs.
func (l layout) sealUsr() error {
	return mount("", filepath.Join(l.Root, "usr"), "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

// bind shows parts of this machine, which cannot be written there.
func (l layout) bind() error {
	for _, path := range slices.Sorted(maps.Keys(l.Binds)) {
		source, dest := l.Binds[path], filepath.Join(l.Root, path)
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		if info.IsDir() {
			err = os.MkdirAll(dest, 0o755)
		} else {
			err = writeFile(dest, "")
		}
		if err != nil {
			return err
		}
		if err := bindReadOnly(source, dest); err != nil {
			return err
		}
	}
	return nil
}

func bindReadOnly(source, dest string) error {
	if err := mount(source, dest, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return mount("", dest, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

func (l layout) write() error {
	for path, text := range l.Files {
		if err := writeFile(filepath.Join(l.Root, path), text); err != nil {
			return err
		}
	}
	for _, unit := range masked {
		path := filepath.Join(l.Root, "etc/systemd/system", unit)
		_, own := l.Files["/usr/lib/systemd/system/"+unit]
		if _, err := os.Lstat(path); err == nil || own {
			continue // the test has its own
		}
		if err := os.Symlink("/dev/null", path); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// mountKernel mounts what the kernel shows of the namespaces.
func (l layout) mountKernel() error {
	if err := mount("proc", filepath.Join(l.Root, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	sys := filepath.Join(l.Root, "sys")
	if err := mount("sysfs", sys, "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	return mount("cgroup2", filepath.Join(sys, "fs/cgroup"), "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "nsdelegate")
}

// devices makes the devices that programs cannot do without.
func (l layout) devices() error {
	dev := filepath.Join(l.Root, "dev")
	if err := mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	nodes := map[string]uint64{
		"null": unix.Mkdev(1, 3), "zero": unix.Mkdev(1, 5), "full": unix.Mkdev(1, 7),
		"random": unix.Mkdev(1, 8), "urandom": unix.Mkdev(1, 9), "tty": unix.Mkdev(5, 0),
	}
	for name, number := range nodes {
		path := filepath.Join(dev, name)
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(number)); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for _, dir := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(dev, dir), 0o755); err != nil {
			return err
		}
	}
	if err := mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"); err != nil {
		return err
	}
	for name, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(dev, "console"), ""); err != nil {
		return err
	}
	return mount(l.Console, filepath.Join(dev, "console"), "", unix.MS_BIND, "")
}

// pivot makes the files of the machine all that it sees.
func (l layout) pivot() error {
	old := filepath.Join(l.Root, "old")
	if err := unix.PivotRoot(l.Root, old); err != nil {
		return fmt.Errorf("change to the machine's root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/old", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove("/old")
}
