package stock

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/probe"
)

// files are what an installer writes.
var files = map[string]string{
	"etc/fstab":                            "/dev/vda / ext4 errors=remount-ro 0 1\n",
	"etc/hostname":                         "stock\n",
	"etc/hosts":                            "127.0.0.1 localhost\n127.0.1.1 stock\n",
	"etc/machine-id":                       "5d0b8f0f2f6c4c4b9a1e6f6a7c3d2e11\n",
	"etc/systemd/network/80-wired.network": "[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=yes\n",
	"etc/tmpfiles.d/stock.conf":            "d /var/lib/dpkg 0755\n",
	"etc/sysusers.d/stock.conf":            "u _chrony - - /var/lib/chrony\n",
	"var/lib/dpkg/status":                  "",
	"etc/systemd/system/system-is-up.service": `[Unit]
Description=Tell who measures that the system is up
DefaultDependencies=no
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/usr/bin/touch /run/` + probe.Mark + `

[Install]
WantedBy=multi-user.target
`,
}

// links are what scripts of packages make.
var links = map[string]string{
	"etc/resolv.conf":                   "../run/systemd/resolve/stub-resolv.conf",
	"etc/mtab":                          "../proc/self/mounts",
	"etc/systemd/system/default.target": "/usr/lib/systemd/system/multi-user.target",
}

// copies are files that packages bring as examples of what their scripts make.
var copies = map[string]string{
	"usr/share/base-passwd/passwd.master": "etc/passwd",
	"usr/share/base-passwd/group.master":  "etc/group",
	"usr/share/libc-bin/nsswitch.conf":    "etc/nsswitch.conf",
	"usr/share/chrony/chrony.conf":        "etc/chrony/chrony.conf",
	"usr/share/openssh/sshd_config":       "etc/ssh/sshd_config",
	"usr/share/base-files/profile":        "etc/profile",
}

// enabled are units that an installer enables beside those of the presets, and
// disabled those that only a preset would.
var (
	enabled  = []string{"systemd-networkd.service", "systemd-resolved.service", "system-is-up.service"}
	disabled = []string{"chrony-wait.service", "chronyd-restricted.service", "ssh.socket", "systemd-networkd-wait-online.service"}
)

// configure does in the tree at system what makes a system of it.
func configure(ctx context.Context, system string) error {
	if err := write(system); err != nil {
		return err
	}
	commands := [][]string{
		{"/usr/sbin/ldconfig"},
		{"/usr/bin/systemd-sysusers"},
		{"/usr/bin/ssh-keygen", "-A"},
		{"/usr/bin/systemctl", "--root=/", "preset-all", "--preset-mode=enable-only"},
		append([]string{"/usr/bin/systemctl", "--root=/", "enable"}, enabled...),
		append([]string{"/usr/bin/systemctl", "--root=/", "disable"}, disabled...),
	}
	kernels, err := filepath.Glob(filepath.Join(system, "usr/lib/modules/*"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("%s has %d kernels, want one", system, len(kernels))
	}
	version := filepath.Base(kernels[0])
	commands = append(commands,
		[]string{"/usr/sbin/depmod", version},
		[]string{"/usr/sbin/mkinitramfs", "-o", "/boot/initrd.img-" + version, version},
	)
	for _, words := range commands {
		if err := inside(system, words...).Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// write puts files and links into the tree. What is there is a link to a file
// that others have, too: it is replaced and not written to.
func write(system string) error {
	for from, to := range copies {
		data, err := os.ReadFile(filepath.Join(system, from))
		if err != nil {
			return err
		}
		if err := replace(filepath.Join(system, to), data); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := replace(filepath.Join(system, name), []byte(text)); err != nil {
			return err
		}
	}
	for name, target := range links {
		name = filepath.Join(system, name)
		if err := os.RemoveAll(name); err != nil {
			return err
		}
		if err := os.Symlink(target, name); err != nil {
			return err
		}
	}
	for _, dir := range []string{"proc", "sys", "dev", "run", "tmp", "var/tmp", "root", "var/log/journal"} {
		if err := os.MkdirAll(filepath.Join(system, dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{"tmp", "var/tmp"} {
		if err := os.Chmod(filepath.Join(system, dir), 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	return devices(filepath.Join(system, "dev"))
}

func replace(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// devices makes those that programs of an installation need.
func devices(dir string) error {
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "random": 8, "urandom": 9} {
		name = filepath.Join(dir, name)
		if err := unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil && !strings.Contains(err.Error(), "file exists") {
			return fmt.Errorf("make %s: %w", name, err)
		}
		if err := os.Chmod(name, 0o666); err != nil {
			return err
		}
	}
	return nil
}
