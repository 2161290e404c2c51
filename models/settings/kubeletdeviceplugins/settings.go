// Package kubeletdeviceplugins holds the settings of the programs that offer
// the node's devices to Kubernetes.
package kubeletdeviceplugins

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// Settings configure the device plugins, each in a table of its own.
type Settings struct {
	// The plugin for NVIDIA GPUs.
	NVIDIA *NVIDIA `setting:"nvidia"`
}

// NVIDIA configures the plugin for NVIDIA GPUs.
type NVIDIA struct {
	// Whether the plugin runs. If unset it does.
	Enabled *bool `setting:"enabled"`

	// Whether a container gets the device files of its GPUs listed by name. The
	// CPU manager needs that in order not to take them away again.
	PassDeviceSpecs *bool `setting:"pass-device-specs"`

	// What the plugin calls a GPU when it tells the container runtime: its uuid,
	// or its index on this node.
	DeviceIDStrategy *DeviceIDStrategy `setting:"device-id-strategy"`

	// How the container runtime is told which GPUs a container gets: envvar,
	// volume-mounts or cdi-cri, or a list of several. The settings of
	// nvidia-container-runtime have to accept the way chosen.
	DeviceListStrategy *DeviceListStrategy `setting:"device-list-strategy"`

	// How one GPU is shared by several containers: not at all (none), by turns
	// without separating their memory (time-slicing), or side by side through the
	// multi-process service (mps).
	DeviceSharingStrategy *DeviceSharingStrategy `setting:"device-sharing-strategy"`

	// The details of device-sharing-strategy time-slicing.
	TimeSlicing *TimeSlicing `setting:"time-slicing"`

	// Whether GPUs are split in hardware into smaller ones: none or mig. With mig
	// the strategy mps is not available. It takes effect at the next boot.
	DevicePartitioningStrategy *DevicePartitioningStrategy `setting:"device-partitioning-strategy"`

	// The details of device-partitioning-strategy mig.
	MIG *MIG `setting:"mig"`

	// The details of device-sharing-strategy mps.
	MPS *MPS `setting:"mps"`
}

// TimeSlicing configures sharing by turns.
type TimeSlicing struct {
	// How many containers share one GPU. If unset, 2.
	Replicas *SliceReplicas `setting:"replicas"`

	// Whether shared GPUs are offered as nvidia.com/gpu.shared instead of
	// nvidia.com/gpu. If unset they are.
	RenameByDefault *bool `setting:"rename-by-default"`

	// Whether a container that asks for more than one share is refused. More
	// shares do not give more time, so that is what holds if unset.
	FailRequestsGreaterThanOne *bool `setting:"fail-requests-greater-than-one"`
}

// MIG configures how GPUs are split.
type MIG struct {
	// Into what each model of GPU is split, by model and memory such as
	// a100.40gb: a number of equal parts (1, 2, 3, 4 or 7, as a string), or the
	// profile of one part, such as 1g.5gb. It takes effect at the next boot.
	Profile map[GPUModel]MIGProfile `setting:"profile"`
}

// MPS configures sharing through the multi-process service.
type MPS struct {
	// Among how many containers one GPU is divided. If unset, 2.
	Replicas *MPSReplicas `setting:"replicas"`

	// Whether shared GPUs are offered as nvidia.com/gpu.shared instead of
	// nvidia.com/gpu. If unset they are.
	RenameByDefault *bool `setting:"rename-by-default"`
}

// Check reports ways of sharing and splitting that exclude one another, and
// details of ways that are not chosen.
func (s *Settings) Check(p report.Place) {
	if s.NVIDIA != nil {
		s.NVIDIA.check(p.In("nvidia"))
	}
}

const (
	sharing      = "device-sharing-strategy"
	partitioning = "device-partitioning-strategy"
)

func (n *NVIDIA) check(p report.Place) {
	if is(n.DeviceSharingStrategy, SharingMPS) && is(n.DevicePartitioningStrategy, PartitioningMIG) {
		p.Conflict(sharing, SharingMPS, fmt.Sprintf("%s is mps and %s is mig: a split GPU cannot be shared this way", sharing, partitioning),
			fmt.Sprintf("set %s to none or time-slicing, or %s to none", sharing, partitioning))
	}
	if n.TimeSlicing != nil && !is(n.DeviceSharingStrategy, SharingTimeSlicing) {
		warnUnused(p, "time-slicing", sharing, orUnset(n.DeviceSharingStrategy), SharingTimeSlicing)
	}
	if n.MPS != nil && !is(n.DeviceSharingStrategy, SharingMPS) {
		warnUnused(p, "mps", sharing, orUnset(n.DeviceSharingStrategy), SharingMPS)
	}
	if n.MIG != nil && len(n.MIG.Profile) > 0 && !is(n.DevicePartitioningStrategy, PartitioningMIG) {
		warnUnused(p, "mig", partitioning, orUnset(n.DevicePartitioningStrategy), PartitioningMIG)
	}
}

// warnUnused reports the table of details called member, for which strategy
// would have to be wanted and is got.
func warnUnused[T ~string](p report.Place, member, strategy, got string, wanted T) {
	p.Warn(member, nil, fmt.Sprintf("%s is set and %s is %s: it has no effect", member, strategy, got),
		fmt.Sprintf("set %s to %s, or leave %s out", strategy, wanted, member))
}

// is reports whether v is set to want.
func is[T ~string](v *T, want T) bool { return v != nil && *v == want }

// orUnset renders a setting for a sentence.
func orUnset[T ~string](v *T) string {
	if v == nil {
		return "unset"
	}
	return string(*v)
}
