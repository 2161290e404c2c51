package recipe

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/ociimage"
)

// searchPath is where programs in images are looked for. Nodes put theirs into
// /usr/local.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// pausePath is the program that does nothing in all images.
const pausePath = "/usr/bin/pause"

// waits are the programs of an image whose first one waits.
func waits() map[string]string { return map[string]string{pausePath: "./sources/cmd/pause"} }

// pause is the image that the kubelet has each pod begin with. Nobody is root in
// it.
func pause() recipe {
	return recipe{
		ref: "localhost/kubernetes/pause", bare: true, programs: waits(),
		config: ociimage.Config{Entrypoint: []string{pausePath}, User: "65535:65535", Labels: labels("pause")},
	}
}

// control is the image for those who come through the API, or through a service
// of a cloud.
func control() recipe {
	return recipe{
		ref: "ghcr.io/bulkhead-os/control", programs: waits(),
		packages: []string{"base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "jq", "libc-bin"},
		config:   ociimage.Config{Entrypoint: []string{pausePath}, Env: []string{searchPath}, Labels: labels("control")},
		more: func(files ociimage.Files, tree string) error {
			files.Text("/usr/bin/enable-admin-container", enableAdmin, 0o755)
			files.Text("/usr/bin/disable-admin-container", disableAdmin, 0o755)
			files.Text("/usr/bin/enter-admin-container", enterAdmin, 0o755)
			return system(files, tree, nil)
		},
	}
}

// admin is the image for those who log in, to look at a node and mend it.
func admin() recipe {
	programs := waits()
	programs["/usr/bin/admin-login"] = "./sources/cmd/admin-login"
	return recipe{
		ref: "ghcr.io/bulkhead-os/admin", programs: programs,
		packages: []string{
			"base-files", "base-passwd", "bash", "bash-static", "ca-certificates", "coreutils", "curl", "e2fsprogs", "findutils", "gawk", "grep",
			"gzip", "iproute2", "iputils-ping", "jq", "kmod", "less", "libc-bin", "lsof", "mount", "nftables", "openssh-server",
			"parted", "procps", "psmisc", "sed", "strace", "sudo", "tar", "tcpdump", "util-linux", "vim-tiny", "xfsprogs",
		},
		// For scripts of packages, and for parts of theirs that are not in the image:
		// xfs_scrub takes libicu, sshd starts without systemd.
		without: []string{
			"adduser", "debconf", "debianutils", "dpkg", "init-system-helpers", "libicu76", "libpython3-stdlib", "libpython3.13-minimal", "libpython3.13-stdlib",
			"libsystemd-shared", "perl-base", "python3", "python3-dbus", "python3-minimal", "python3.13", "python3.13-minimal", "runit-helper", "systemd", "ucf",
		},
		config: ociimage.Config{Entrypoint: []string{"/usr/bin/admin-login"}, Env: []string{searchPath}, Labels: labels("admin")},
		more: func(files ociimage.Files, tree string) error {
			files.Text("/usr/bin/sheltie", sheltie, 0o755)
			// Without libraries: it runs with the root file system of the node.
			files.Add("/opt/bin/bash", filepath.Join(tree, "usr/bin/bash-static"), 0o755)
			for service, module := range map[string]string{"auth": "pam_unix.so", "account": "pam_unix.so", "password": "pam_unix.so", "session": "pam_permit.so"} {
				files.Text("/etc/pam.d/common-"+service, service+" required "+module+"\n", 0o644)
			}
			files.Text("/etc/pam.d/common-session-noninteractive", "session required pam_permit.so\n", 0o644)
			return system(files, tree, []string{"sshd:x:100:65534::/run/sshd:/usr/sbin/nologin"})
		},
	}
}

func labels(name string) map[string]string {
	return map[string]string{"org.opencontainers.image.title": "bulkhead-" + name, "org.opencontainers.image.licenses": "Apache-2.0"}
}

// The words of scripts in images. They have a shell, nodes have none.
const (
	enableAdmin = `#!/bin/bash
exec apiclient set host-containers.admin.enabled=true
`
	disableAdmin = `#!/bin/bash
exec apiclient set host-containers.admin.enabled=false
`
	enterAdmin = `#!/bin/bash
# Enables the admin container, waits until it runs, and opens a shell there.
enable-admin-container || exit
for try in {1..60}; do
	apiclient exec admin true 2>/dev/null && exec apiclient exec -t admin bash
	sleep 1
done
echo "the admin container does not run after a minute; see apiclient logs host-container@admin.service" >&2
exit 1
`
	// The node has no shell, so this one's is run there: by the way of the process
	// that called, which is still in the container then.
	sheltie = `#!/bin/bash
if [ "$(id -u)" != 0 ]; then
	exec sudo "$0" "$@"
fi
exec nsenter --target 1 --all "/proc/$PPID/root/opt/bin/bash" "$@"
`
)

// system adds what the scripts of packages would have made: users, the bundle of
// certificates, and links to what there is a choice of.
func system(files ociimage.Files, tree string, users []string) error {
	base := filepath.Join(tree, "usr/share/base-passwd")
	passwd, err := os.ReadFile(filepath.Join(base, "passwd.master"))
	if err != nil {
		return err
	}
	group, err := os.ReadFile(filepath.Join(base, "group.master"))
	if err != nil {
		return err
	}
	// A "*" in the file of users means a locked password, which is in another file.
	text := strings.ReplaceAll(string(passwd), ":*:", ":x:")
	for _, u := range users {
		text += u + "\n"
	}
	files.Text("/etc/passwd", text, 0o644)
	files.Text("/etc/group", strings.ReplaceAll(string(group), ":*:", ":x:"), 0o644)
	var shadow strings.Builder
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, ":")
		fmt.Fprintf(&shadow, "%s:*:::::::\n", name)
	}
	files.Text("/etc/shadow", shadow.String(), 0o640)
	files.Text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", 0o644)
	files[`/tmp`] = ociimage.File{Mode: fs.ModeDir | fs.ModeSticky | 0o777}
	files.Dir("/root", 0o700)
	for link, target := range map[string]string{"/usr/bin/awk": "gawk", "/usr/bin/vi": "vim.tiny", "/usr/bin/pager": "less"} {
		if _, err := os.Lstat(filepath.Join(tree, "usr/bin", target)); err == nil {
			files.Symlink(link, target)
		}
	}
	return trust(files, tree)
}

// trust adds the bundle of all certificates, where programs look for it.
func trust(files ociimage.Files, tree string) error {
	found, err := filepath.Glob(filepath.Join(tree, "usr/share/ca-certificates/mozilla/*.crt"))
	if err != nil {
		return err
	}
	slices.Sort(found)
	var bundle strings.Builder
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		bundle.Write(text)
	}
	files.Text("/etc/ssl/certs/ca-certificates.crt", bundle.String(), 0o644)
	return nil
}
