package hostcontainerd

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// variablesFlag has our first program take variables from files.
const variablesFlag = "--variables"

// bootstrapCapabilities is what containers that prepare a node have beside the
// usual.
var bootstrapCapabilities = []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_MODULE", "CAP_AUDIT_CONTROL"}

// bootstrapCalls are the calls of the kernel that they may make beside the usual
// for their capabilities.
var bootstrapCalls = []string{"swapon", "swapoff"}

// The labels that the policy of the system knows, if there is one.
const (
	labelPlain        = "system_u:system_r:control_t:s0-s0:c0.c1023"
	labelSuperpowered = "system_u:system_r:super_t:s0-s0:c0.c1023"
	labelRootFS       = "system_u:object_r:secret_t:s0"
)

// openFiles returns how many files a program in a container may have open: what
// programs expect to start with, and as many as this one when they ask.
func openFiles() *specs.POSIXRlimit {
	limit := specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err == nil {
		limit.Hard = max(limit.Hard, own.Max)
	}
	return &limit
}

// specification returns the options that make the container's specification out
// of the default one: what the image says, then what d says, then what the host
// allows.
func (c *Client) specification(d Definition, image containerd.Image, dir, cgroup string, users []specs.LinuxIDMapping) []oci.SpecOpts {
	if d.Service != nil {
		return c.serviceSpecification(d, image, dir, cgroup, users)
	}
	opts := []oci.SpecOpts{
		oci.WithDefaultUnixDevices,
		oci.WithImageConfigArgs(image, d.Command),
		oci.WithEnv(d.Proxy.environment()),
		oci.WithHostNamespace(specs.NetworkNamespace),
		oci.WithCgroup(cgroup),
		oci.WithRlimit(openFiles()),
		withFirmware,
	}
	if len(d.Command) > 0 {
		opts = append(opts, oci.WithProcessArgs(d.Command...))
	}
	switch {
	case d.Superpowered:
		opts = append(opts, oci.WithHostNamespace(specs.PIDNamespace), oci.WithPrivileged, oci.WithNewPrivileges,
			oci.WithHostDevices, oci.WithAllDevicesAllowed, withSharedRoot)
	case d.Kind == Bootstrap:
		opts = append(opts, oci.WithHostNamespace(specs.PIDNamespace), oci.WithAddedCapabilities(bootstrapCapabilities),
			oci.WithHostDevices, oci.WithAllDevicesAllowed, withSharedRoot)
	}
	opts = append(opts, oci.WithMounts(c.mounts(d, dir)))
	if !d.Superpowered {
		opts = append(opts, seccomp.WithDefaultProfile())
	}
	if d.Kind == Bootstrap {
		opts = append(opts, withCalls(bootstrapCalls))
	}
	if d.Kind == Debug { // what it writes goes to who asked for it
		return append(opts, withLabels(d))
	}
	return append(opts, withLabels(d), withHelper(d, unitOf(cgroup)))
}

// withFirmware lets a container read what the firmware says.
func withFirmware(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
	s.Linux.MaskedPaths = slices.DeleteFunc(s.Linux.MaskedPaths, func(p string) bool { return p == "/sys/firmware" })
	return nil
}

// withSharedRoot lets mounts that a container makes below a shared directory
// reach the host.
func withSharedRoot(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
	s.Linux.RootfsPropagation = "rshared"
	return nil
}

func withCalls(names []string) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
		s.Linux.Seccomp.Syscalls = append(s.Linux.Seccomp.Syscalls, specs.LinuxSyscall{Names: names, Action: specs.ActAllow})
		return nil
	}
}

// withLabels labels the container where the kernel knows labels. runc refuses
// them where it does not.
func withLabels(d Definition) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
		if !selinux() {
			return nil
		}
		s.Linux.MountLabel, s.Process.SelinuxLabel = labelRootFS, labelPlain
		if d.Superpowered {
			s.Process.SelinuxLabel = labelSuperpowered
		}
		return nil
	}
}

// withHelper has the container's program started by ours, which connects what it
// writes to the journal and is gone then. The journal knows it by unit and name.
func withHelper(d Definition, unit string) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
		if len(s.Process.Args) == 0 {
			return fmt.Errorf("neither the image nor the settings say which program to run")
		}
		words := []string{helperInside}
		if d.Service != nil {
			words = append(words, variablesFlag, variablesInside)
		}
		s.Process.Args = append(append(words, journalInside, unit, d.Name), s.Process.Args...)
		return nil
	}
}

// cgroup returns the control group for the container called id: below that of the
// unit that this program is part of.
func (c *Client) cgroup(id string) (string, error) {
	unit := c.opt.Cgroup
	if unit == "" {
		text, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			return "", err
		}
		unit = unitGroup(string(text))
	}
	if unit == "" {
		unit = "/bulkhead"
	}
	return unit + "/container-" + id, nil
}

// unitOf returns the unit that a control group below it belongs to, or "".
func unitOf(cgroup string) string {
	if unit := path.Base(path.Dir(cgroup)); strings.HasSuffix(unit, ".service") {
		return unit
	}
	return ""
}

// unitGroup returns the group of the unit in the text of /proc/self/cgroup.
func unitGroup(text string) string {
	for line := range strings.Lines(text) {
		group, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok {
			continue
		}
		if at := strings.LastIndex(group, ".service"); at >= 0 {
			return group[:at+len(".service")]
		}
	}
	return ""
}
