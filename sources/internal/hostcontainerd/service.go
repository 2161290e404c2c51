package hostcontainerd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/bulkhead-os/bulkhead/sources/internal/containernet"
)

// A Service is what a declared container is beyond other containers.
type Service struct {
	Args         []string
	Env          map[string]string
	SecretEnv    map[string]string `json:"-"` // values of variables, which no label is to tell
	SecretFiles  map[string]string `json:"-"` // and of files
	Bridged      bool              // has a network of its own
	Ports        []containernet.Port
	Volumes      map[string]Volume
	HostFiles    []string
	User         string
	Capabilities []string // all that it has
	ReadOnlyRoot bool
}

// A Volume is where a container has a directory that it keeps.
type Volume struct {
	Path     string
	ReadOnly bool
}

// VolumeDir is the directory with those of containers, which have them by name.
const VolumeDir = "/var/lib/containers-data"

// RuntimeDir has what is made for a container when it starts.
const RuntimeDir = "/run/bulkhead/containers"

// variablesInside is where the container's first program finds variables whose
// values are in files: one that is in the specification of the container would be
// in containerd's database, on a disk.
const variablesInside = "/.bulkhead/variables"

// idBase is the first of the users of the node that those of containers with
// users of their own are. Each container has the next idCount.
const (
	idBase  = 1 << 28
	idCount = 1 << 16
)

// ownUsers reports whether the users of the container are not those of the node:
// where neither the network of the node nor directories that stay are shared.
func (s *Service) ownUsers() bool { return s.Bridged && len(s.Volumes) == 0 }

// users returns as whom the node knows the users of a container with the lease.
func (s *Service) users(l containernet.Lease) []specs.LinuxIDMapping {
	if !s.ownUsers() {
		return nil
	}
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: idBase + uint32(l.Index)*idCount, Size: idCount}}
}

// hostID returns the user of the node that a user of the container is.
func hostID(users []specs.LinuxIDMapping, id uint32) int {
	for _, m := range users {
		id = m.HostID + id
	}
	return int(id)
}

func (c *Client) network() containernet.Network {
	return containernet.Network{Dir: c.path(containernet.Dir)}
}

// Release gives back the address of the container called name, which has ended.
func (c *Client) Release(name string) error { return c.network().Release(name) }

// reserve returns the place of container d in the network, if it is to have one.
func (c *Client) reserve(d Definition) (containernet.Lease, error) {
	if d.Service == nil || !d.Service.Bridged {
		return containernet.Lease{}, nil
	}
	return c.network().Reserve(d.Name)
}

// connect connects container d, whose first process has not begun its program yet,
// with the network.
func (c *Client) connect(d Definition, pid uint32) error {
	if d.Service == nil || !d.Service.Bridged {
		return nil
	}
	if err := c.network().Connect(d.Name, int(pid), d.Service.Ports); err != nil {
		return fmt.Errorf("connect it: %w", err)
	}
	return nil
}

// prepareService makes the files of a declared container, and returns the
// directory they are in.
func (c *Client) prepareService(d Definition, lease containernet.Lease) (string, error) {
	dir := c.path(filepath.Join(RuntimeDir, d.Name))
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	for _, sub := range []string{"secrets", "variables"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	for name := range d.Service.Volumes {
		if err := os.MkdirAll(c.path(filepath.Join(VolumeDir, d.Name, name)), 0o755); err != nil {
			return "", err
		}
	}
	texts := map[string]string{"hostname": d.Name + "\n"}
	if d.Service.Bridged {
		known, err := os.ReadFile(c.path("/etc/hosts"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		texts["hosts"] = hosts(d.Name, lease, string(known))
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	for sub, values := range map[string]map[string]string{"secrets": d.Service.SecretFiles, "variables": d.Service.SecretEnv} {
		for name, value := range values {
			if err := os.WriteFile(filepath.Join(dir, sub, name), []byte(value), 0o400); err != nil {
				return "", err
			}
		}
	}
	return dir, nil
}

// hosts returns the names that a container on the bridge knows: its own, that of
// the node, and those that the node knows beside its own.
func hosts(name string, l containernet.Lease, known string) string {
	text := fmt.Sprintf("127.0.0.1 localhost\n::1 localhost\n%s %s\n%s host\n", l.Address.Addr(), name, l.Gateway)
	for line := range strings.Lines(known) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "127.") || fields[0] == "::1" {
			continue
		}
		text += strings.TrimSpace(line) + "\n"
	}
	return text
}

// serviceShares returns what a declared container sees of the node.
func (c *Client) serviceShares(d Definition, dir string) []share {
	s := d.Service
	quiet := []string{"bind", "ro", "nosuid", "nodev", "noexec"}
	list := []share{
		{"/etc/hostname", filepath.Join(dir, "hostname"), quiet, false},
		{"/run/secrets", filepath.Join(dir, "secrets"), quiet, false},
		{variablesInside, filepath.Join(dir, "variables"), quiet, false},
	}
	if s.Bridged {
		// The stub of the node listens where the container is not.
		names := c.path("/run/systemd/resolve/resolv.conf")
		if !exists(names) {
			names = c.path("/etc/resolv.conf")
		}
		list = append(list, share{"/etc/hosts", filepath.Join(dir, "hosts"), quiet, false}, share{"/etc/resolv.conf", names, quiet, true})
	} else {
		list = append(list, share{"/etc/hosts", c.path("/etc/hosts"), quiet, true}, share{"/etc/resolv.conf", c.path("/etc/resolv.conf"), quiet, true})
	}
	for _, name := range s.HostFiles {
		list = append(list, share{name, c.path(name), quiet, true})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Volumes)) {
		v := s.Volumes[name]
		how := []string{"bind", "rw", "nosuid", "nodev"}
		if v.ReadOnly {
			how = []string{"bind", "ro", "nosuid", "nodev"}
		}
		list = append(list, share{v.Path, c.path(filepath.Join(VolumeDir, d.Name, name)), how, false})
	}
	return list
}

// fewer are calls of the kernel that containerd's profile allows and that services
// hardly make: into other processes, and into parts of the kernel in which faults
// are found often.
var fewer = []string{
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
	"io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_secret", "modify_ldt", "name_to_handle_at", "vmsplice",
}

func withFewerCalls(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
	for i := range s.Linux.Seccomp.Syscalls {
		rule := &s.Linux.Seccomp.Syscalls[i]
		if rule.Action == specs.ActAllow {
			rule.Names = slices.DeleteFunc(slices.Clone(rule.Names), func(n string) bool { return slices.Contains(fewer, n) })
		}
	}
	s.Linux.Seccomp.Syscalls = slices.DeleteFunc(s.Linux.Seccomp.Syscalls, func(r specs.LinuxSyscall) bool { return len(r.Names) == 0 })
	return nil
}

// serviceSpecification is specification for a declared container.
func (c *Client) serviceSpecification(d Definition, image containerd.Image, dir, cgroup string, users []specs.LinuxIDMapping) []oci.SpecOpts {
	s := d.Service
	env := d.Proxy.environment()
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, name+"="+s.Env[name])
	}
	opts := []oci.SpecOpts{
		oci.WithDefaultUnixDevices, oci.WithImageConfigArgs(image, s.Args), oci.WithEnv(env), oci.WithHostname(d.Name),
		oci.WithCgroup(cgroup), oci.WithRlimit(openFiles()), oci.WithCapabilities(s.Capabilities), oci.WithNoNewPrivileges,
	}
	if len(d.Command) > 0 {
		opts = append(opts, oci.WithProcessArgs(append(slices.Clone(d.Command), s.Args...)...))
	}
	if s.User != "" {
		opts = append(opts, withUser(s.User))
	}
	if s.Bridged {
		opts = append(opts, withOwnNetwork)
	} else {
		opts = append(opts, oci.WithHostNamespace(specs.NetworkNamespace))
	}
	if users != nil {
		opts = append(opts, oci.WithUserNamespace(users, users))
	}
	if s.ReadOnlyRoot {
		opts = append(opts, oci.WithRootFSReadonly(), oci.WithMounts([]specs.Mount{{
			Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=1777"},
		}}))
	}
	return append(opts, oci.WithMounts(c.mounts(d, dir)), seccomp.WithDefaultProfile(), withFewerCalls, withLabels(d),
		c.withOwners(d, dir, users), withHelper(d, unitOf(cgroup)))
}

// withUser has the program run as who, a user of the image.
func withUser(who string) oci.SpecOpts {
	user, _, _ := strings.Cut(who, ":")
	return func(ctx context.Context, client oci.Client, container *containers.Container, s *specs.Spec) error {
		for _, opt := range []oci.SpecOpts{oci.WithUser(who), oci.WithAdditionalGIDs(user)} {
			if err := opt(ctx, client, container, s); err != nil {
				return fmt.Errorf("user %s, who is to be one of the image: %w", who, err)
			}
		}
		return nil
	}
}

// withOwnNetwork lets any user of the container listen at any of its ports.
func withOwnNetwork(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
	if s.Linux.Sysctl == nil {
		s.Linux.Sysctl = map[string]string{}
	}
	s.Linux.Sysctl["net.ipv4.ip_unprivileged_port_start"] = "0"
	s.Linux.Sysctl["net.ipv4.ping_group_range"] = "0 65535"
	return nil
}

// withOwners gives the user of the container what was made for it: its secrets,
// and volumes that nothing was put into yet.
func (c *Client) withOwners(d Definition, dir string, users []specs.LinuxIDMapping) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
		uid, gid := hostID(users, s.Process.User.UID), hostID(users, s.Process.User.GID)
		var own []string
		for _, sub := range []string{"secrets", "variables"} {
			files, err := filepath.Glob(filepath.Join(dir, sub, "*"))
			if err != nil {
				return err
			}
			own = append(own, files...)
		}
		for name := range d.Service.Volumes {
			volume := c.path(filepath.Join(VolumeDir, d.Name, name))
			if inside, err := os.ReadDir(volume); err == nil && len(inside) == 0 {
				own = append(own, volume)
			}
		}
		for _, name := range own {
			if err := os.Chown(name, uid, gid); err != nil {
				return err
			}
		}
		return nil
	}
}

// KilledForMemory reports whether a process of the container called id was killed
// because the memory of the container, or of the node, had come to its end.
func (c *Client) KilledForMemory(id string) bool {
	group, err := c.cgroup(id)
	if err != nil {
		return false
	}
	text, err := os.ReadFile(path.Join("/sys/fs/cgroup", group, "memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(count) != "0"
		}
	}
	return false
}
