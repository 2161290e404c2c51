package ocidefaults

import (
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A Capability is the name of a Linux capability as settings have it.
type Capability string

// Rule describes the type.
func (Capability) Rule() scalar.Rule {
	return scalar.Enum("capability",
		"audit-control", "audit-read", "audit-write", "block-suspend", "bpf", "checkpoint-restore", "chown",
		"dac-override", "dac-read-search", "fowner", "fsetid", "ipc-lock", "ipc-owner", "kill", "lease",
		"linux-immutable", "mac-admin", "mac-override", "mknod", "net-admin", "net-bind-service", "net-broadcast",
		"net-raw", "perfmon", "setgid", "setfcap", "setpcap", "setuid", "sys-admin", "sys-boot", "sys-chroot",
		"sys-module", "sys-nice", "sys-pacct", "sys-ptrace", "sys-rawio", "sys-resource", "sys-time",
		"sys-tty-config", "syslog", "wake-alarm")
}

// Linux returns the name that the kernel and the runtimes use: CAP_CHOWN.
func (c Capability) Linux() string {
	return "CAP_" + strings.ToUpper(strings.ReplaceAll(string(c), "-", "_"))
}

// A LimitName is the name of a resource limit as settings have it.
type LimitName string

// The resource limits.
const (
	MaxAddressSpace     LimitName = "max-address-space"
	MaxCoreFileSize     LimitName = "max-core-file-size"
	MaxCPUTime          LimitName = "max-cpu-time"
	MaxDataSize         LimitName = "max-data-size"
	MaxFileLocks        LimitName = "max-file-locks"
	MaxFileSize         LimitName = "max-file-size"
	MaxLockedMemory     LimitName = "max-locked-memory"
	MaxMsgqueueSize     LimitName = "max-msgqueue-size"
	MaxNicePriority     LimitName = "max-nice-priority"
	MaxOpenFiles        LimitName = "max-open-files"
	MaxPendingSignals   LimitName = "max-pending-signals"
	MaxProcesses        LimitName = "max-processes"
	MaxRealtimePriority LimitName = "max-realtime-priority"
	MaxRealtimeTimeout  LimitName = "max-realtime-timeout"
	MaxResidentSet      LimitName = "max-resident-set"
	MaxStackSize        LimitName = "max-stack-size"
)

// limitNames are the resource limits with the kernel's names for them.
var limitNames = []struct {
	name  LimitName
	linux string
}{
	{MaxAddressSpace, "RLIMIT_AS"},
	{MaxCoreFileSize, "RLIMIT_CORE"},
	{MaxCPUTime, "RLIMIT_CPU"},
	{MaxDataSize, "RLIMIT_DATA"},
	{MaxFileLocks, "RLIMIT_LOCKS"},
	{MaxFileSize, "RLIMIT_FSIZE"},
	{MaxLockedMemory, "RLIMIT_MEMLOCK"},
	{MaxMsgqueueSize, "RLIMIT_MSGQUEUE"},
	{MaxNicePriority, "RLIMIT_NICE"},
	{MaxOpenFiles, "RLIMIT_NOFILE"},
	{MaxPendingSignals, "RLIMIT_SIGPENDING"},
	{MaxProcesses, "RLIMIT_NPROC"},
	{MaxRealtimePriority, "RLIMIT_RTPRIO"},
	{MaxRealtimeTimeout, "RLIMIT_RTTIME"},
	{MaxResidentSet, "RLIMIT_RSS"},
	{MaxStackSize, "RLIMIT_STACK"},
}

// Rule describes the type.
func (LimitName) Rule() scalar.Rule {
	words := make([]string, len(limitNames))
	for i, l := range limitNames {
		words[i] = string(l.name)
	}
	return scalar.Enum("resource limit", words...)
}

// Linux returns the name that the kernel and the runtimes use: RLIMIT_NOFILE.
func (l LimitName) Linux() string {
	for _, n := range limitNames {
		if n.name == l {
			return n.linux
		}
	}
	panic("ocidefaults: no resource limit is called " + string(l)) // the rule names all there are
}
