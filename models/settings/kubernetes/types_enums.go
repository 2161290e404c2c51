package kubernetes

import "github.com/bulkhead-os/bulkhead/models/scalar"

// An AuthenticationMode says how the kubelet proves to the API server who it is.
type AuthenticationMode string

// The authentication modes.
const (
	AuthenticationAWS AuthenticationMode = "aws" // with the IAM role of the instance
	AuthenticationTLS AuthenticationMode = "tls" // with a client certificate, requested with a bootstrap token
)

// Rule lists the modes.
func (AuthenticationMode) Rule() scalar.Rule {
	return scalar.Enum("authentication mode", string(AuthenticationAWS), string(AuthenticationTLS))
}

// A CloudProvider says who looks after the cloud side of a node.
type CloudProvider string

// The cloud providers. NoCloudProvider is stored as two quote characters: it
// is a word of the kubelet's command line, where an empty one would be lost.
const (
	CloudProviderAWS      CloudProvider = "aws"
	CloudProviderExternal CloudProvider = "external"
	NoCloudProvider       CloudProvider = `""`
)

// Rule lists the providers.
func (CloudProvider) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "cloud provider",
		Want:     `aws, external or an empty string`,
		Enum:     []string{string(CloudProviderAWS), string(CloudProviderExternal), string(NoCloudProvider)},
		Aliases:  map[string]string{"": string(NoCloudProvider)},
		Examples: []string{"external"},
	}
}

// An EvictionSignal names a resource that the kubelet watches, and whose
// shortage makes it evict pods.
type EvictionSignal string

// The eviction signals.
const (
	MemoryAvailable   EvictionSignal = "memory.available"
	NodeFSAvailable   EvictionSignal = "nodefs.available"
	NodeFSInodesFree  EvictionSignal = "nodefs.inodesFree"
	ImageFSAvailable  EvictionSignal = "imagefs.available"
	ImageFSInodesFree EvictionSignal = "imagefs.inodesFree"
	PIDAvailable      EvictionSignal = "pid.available"
)

// Rule lists the signals.
func (EvictionSignal) Rule() scalar.Rule {
	return scalar.Enum("eviction signal",
		string(MemoryAvailable), string(NodeFSAvailable), string(NodeFSInodesFree),
		string(ImageFSAvailable), string(ImageFSInodesFree), string(PIDAvailable))
}

// A ReservedResource is a resource of the node that can be kept from pods.
type ReservedResource string

// The reservable resources.
const (
	ReservedCPU     ReservedResource = "cpu"
	ReservedMemory  ReservedResource = "memory"
	ReservedStorage ReservedResource = "ephemeral-storage"
	ReservedPID     ReservedResource = "pid"
)

// Rule lists the resources.
func (ReservedResource) Rule() scalar.Rule {
	return scalar.Enum("resource",
		string(ReservedCPU), string(ReservedMemory), string(ReservedStorage), string(ReservedPID))
}

// A MemoryResource is a kind of memory that can be reserved on one NUMA node.
type MemoryResource string

// The kinds of memory.
const (
	PlainMemory  MemoryResource = "memory"
	Hugepages2Mi MemoryResource = "hugepages-2Mi"
	Hugepages1Gi MemoryResource = "hugepages-1Gi"
)

// Rule lists the kinds.
func (MemoryResource) Rule() scalar.Rule {
	return scalar.Enum("memory resource", string(PlainMemory), string(Hugepages2Mi), string(Hugepages1Gi))
}

// A CPUManagerPolicy says whether pods may have CPUs to themselves. Both
// spellings are in use; the one given is kept.
type CPUManagerPolicy string

// Rule lists the policies.
func (CPUManagerPolicy) Rule() scalar.Rule {
	return scalar.Enum("CPU manager policy", "static", "Static", "none", "None")
}

// Static reports whether pods may have CPUs to themselves.
func (p CPUManagerPolicy) Static() bool { return p == "static" || p == "Static" }

// A CPUManagerPolicyOption refines the static CPU manager policy.
type CPUManagerPolicyOption string

// Rule lists the options.
func (CPUManagerPolicyOption) Rule() scalar.Rule {
	return scalar.Enum("CPU manager policy option", "full-pcpus-only", "distribute-cpus-across-numa",
		"prefer-align-cpus-by-uncorecache", "strict-cpu-reservation")
}

// A TopologyManagerScope says what is aligned to NUMA nodes as one.
type TopologyManagerScope string

// Rule lists the scopes.
func (TopologyManagerScope) Rule() scalar.Rule {
	return scalar.Enum("topology manager scope", "container", "pod")
}

// A TopologyManagerPolicy says how strictly the resources of a pod are aligned
// to NUMA nodes.
type TopologyManagerPolicy string

// NoTopologyManager aligns nothing; it is what the kubelet does by itself.
const NoTopologyManager TopologyManagerPolicy = "none"

// Rule lists the policies.
func (TopologyManagerPolicy) Rule() scalar.Rule {
	return scalar.Enum("topology manager policy", string(NoTopologyManager), "restricted", "best-effort", "single-numa-node")
}

// A MemoryManagerPolicy says whether pods get guaranteed memory on the NUMA
// nodes of their CPUs.
type MemoryManagerPolicy string

// The memory manager policies.
const (
	MemoryManagerStatic MemoryManagerPolicy = "Static"
	MemoryManagerNone   MemoryManagerPolicy = "None"
)

// Rule lists the policies; the lower-case spellings are stored capitalised.
func (MemoryManagerPolicy) Rule() scalar.Rule {
	r := scalar.Enum("memory manager policy", string(MemoryManagerStatic), string(MemoryManagerNone))
	r.Aliases = map[string]string{"static": string(MemoryManagerStatic), "none": string(MemoryManagerNone)}
	return r
}

// A MemorySwapBehavior says whether containers may use swap.
type MemorySwapBehavior string

// Rule lists the behaviours; the hyphenated spellings are stored joined.
func (MemorySwapBehavior) Rule() scalar.Rule {
	r := scalar.Enum("memory swap behavior", "NoSwap", "LimitedSwap")
	r.Aliases = map[string]string{"no-swap": "NoSwap", "limited-swap": "LimitedSwap"}
	return r
}

// A MemoryReservationPolicy says whether the memory that pods request is
// protected from being reclaimed.
type MemoryReservationPolicy string

// Rule lists the policies; the hyphenated spellings are stored joined.
func (MemoryReservationPolicy) Rule() scalar.Rule {
	r := scalar.Enum("memory reservation policy", "None", "TieredReservation")
	r.Aliases = map[string]string{"none": "None", "tiered-reservation": "TieredReservation"}
	return r
}

// A HostnameOverrideSource says where the name under which a node registers is
// taken from.
type HostnameOverrideSource string

// Rule lists the sources.
func (HostnameOverrideSource) Rule() scalar.Rule {
	return scalar.Enum("hostname override source", "private-dns-name", "instance-id")
}
