package hostcontainerd

import (
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Where a container finds what is ours. The second name is the one that images
// made for Bottlerocket look at.
var ourNames = []string{"/.bulkhead", "/.bottlerocket"}

// Where a container's first program finds its way to the journal.
const (
	journalInside = "/.bulkhead/journal"
	helperInside  = "/.bulkhead/bin/journal-exec"
)

// A share is a file or directory of the host that a container sees.
type share struct {
	inside, host string
	options      []string
	wanted       bool // the container does without it where the host does
}

// How a share is seen. Changes of mounts below it are seen where it says slave.
var (
	readOnly      = []string{"rbind", "ro"}
	readOnlySlave = []string{"rbind", "ro", "rslave"}
	readWrite     = []string{"rbind", "rw"}
	shared        = []string{"rbind", "rw", "rshared"}
)

// mounts returns what a container of definition d sees of the host; dir is what it
// keeps.
func (c *Client) mounts(d Definition, dir string) []specs.Mount {
	var shares []share
	if d.Service != nil {
		shares = c.serviceShares(d, dir)
	} else {
		shares = c.shares(d)
		for _, ours := range ourNames {
			if dir == "" { // it keeps nothing
				break
			}
			for _, name := range []string{d.Name, "current"} {
				shares = append(shares, share{filepath.Join(ours, d.Kind.directory(), name), dir, readWrite, false})
			}
		}
	}
	if d.Superpowered || d.Kind == Bootstrap {
		shares = append(shares, c.deepShares(d)...)
	}
	helper := readOnly
	if d.Service != nil {
		// Users of their own may not take back what the mounts of a node forbid.
		helper = []string{"bind", "ro", "nosuid", "nodev"}
	}
	shares = append(shares,
		share{journalInside, c.opt.Journal, readWrite, true},
		share{helperInside, c.opt.Helper, helper, false})
	var list []specs.Mount
	for _, s := range shares {
		if s.wanted && !exists(s.host) {
			continue
		}
		list = append(list, specs.Mount{Destination: s.inside, Type: "bind", Source: s.host, Options: s.options})
	}
	return list
}

// shares returns what each container sees.
func (c *Client) shares(d Definition) []share {
	list := []share{
		{"/etc/hosts", c.path("/etc/hosts"), readOnly, true},
		{"/etc/resolv.conf", c.path("/etc/resolv.conf"), readOnly, true},
		{"/run/api.sock", c.path("/run/api.sock"), readWrite, true},
		{"/usr/local/bin/apiclient", c.path("/usr/bin/apiclient"), readOnly, true},
		{"/etc/bulkhead-release", c.path("/etc/os-release"), readOnly, true},
		{"/etc/bottlerocket-release", c.path("/etc/os-release"), readOnly, true},
	}
	if !d.Superpowered {
		list = append(list, share{"/sys/fs/cgroup", "/sys/fs/cgroup", readOnly, true})
	} else {
		list = append(list, share{"/sys/fs/cgroup", "/sys/fs/cgroup", readWrite, true})
	}
	for _, ours := range ourNames {
		list = append(list, share{ours + "/support", c.path("/var/log/support"), readOnly, true})
	}
	return list
}

// deepShares returns what those see that change the host.
func (c *Client) deepShares(d Definition) []share {
	list := []share{
		{"/lib/modules", c.path("/lib/modules"), readOnly, true},
		{"/usr/src/kernels", c.path("/usr/src/kernels"), readWrite, true},
		{"/sys/firmware", "/sys/firmware", readWrite, true},
		{"/sys/kernel/debug", "/sys/kernel/debug", readWrite, true},
		{"/usr/local/sbin/modprobe", c.path("/usr/bin/kmod"), readOnly, true},
	}
	for _, ours := range ourNames {
		list = append(list,
			share{ours + "/rootfs", c.opt.Root, readOnlySlave, false},
			share{ours + "/rootfs/mnt", c.path("/mnt"), shared, true})
	}
	if d.Kind == Bootstrap {
		for _, dir := range []string{"/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet"} {
			list = append(list, share{dir, c.path(dir), shared, true})
		}
	}
	return list
}

// selinux reports whether the kernel labels processes.
func selinux() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}
