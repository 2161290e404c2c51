// Package ecs holds the settings of the agent that makes the node a container
// instance of Amazon ECS.
//
// What is unset is left to the agent. A change writes its configuration anew
// and restarts it; tasks go on running meanwhile.
package ecs

import (
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings configure the ECS agent.
type Settings struct {
	// The cluster that the node joins, by name or ARN. If unset it joins the
	// cluster default of the account. It is read when the node registers.
	Cluster *scalar.SingleLine `setting:"cluster"`

	// Attributes by which tasks can choose this node. They are read when the node
	// registers; the name of the variant is always among them.
	InstanceAttributes map[AttributeKey]AttributeValue `setting:"instance-attributes"`

	// Whether tasks may run privileged containers, which have the rights of root
	// on the node. If unset they may not.
	AllowPrivilegedContainers *bool `setting:"allow-privileged-containers"`

	// The log drivers that tasks may use.
	LoggingDrivers []scalar.SingleLine `setting:"logging-drivers"`

	// The least important messages that the agent logs.
	LogLevel *LogLevel `setting:"loglevel"`

	// Whether the node stops taking tasks when its spot instance is about to be
	// taken back. If unset it does not.
	EnableSpotInstanceDraining *bool `setting:"enable-spot-instance-draining"`

	// When the agent pulls the image of a container: always, once until it is
	// removed, only where none is there (prefer-cached), or always with the image
	// there as a fallback (default).
	ImagePullBehavior *ImagePullBehavior `setting:"image-pull-behavior"`

	// How long a container gets to end before it is killed. If unset, 30s.
	ContainerStopTimeout *Duration `setting:"container-stop-timeout"`

	// How long the containers of a task that has ended are kept. If unset, 3h.
	TaskCleanupWait *Duration `setting:"task-cleanup-wait"`

	// How many requests per second one task may send to the metadata service. If
	// unset, 40.
	MetadataServiceRPS *int64 `setting:"metadata-service-rps"`

	// How many requests of one task may briefly exceed metadata-service-rps. If
	// unset, 60.
	MetadataServiceBurst *int64 `setting:"metadata-service-burst"`

	// The memory in MiB that is kept from tasks for the rest of the system. If
	// unset, none.
	ReservedMemory *uint16 `setting:"reserved-memory"`

	// How long the agent waits between two rounds of removing unused images. If
	// unset, 30m.
	ImageCleanupWait *Duration `setting:"image-cleanup-wait"`

	// How many images are removed in one round at most. If unset, 5.
	ImageCleanupDeletePerCycle *int64 `setting:"image-cleanup-delete-per-cycle"`

	// Whether unused images are removed. If unset they are.
	ImageCleanupEnabled *bool `setting:"image-cleanup-enabled"`

	// How long an image is kept after it was pulled, used or not. If unset, 1h.
	ImageCleanupAge *Duration `setting:"image-cleanup-age"`

	// The host of the ECS service to use instead of the region's own.
	BackendHost *scalar.SingleLine `setting:"backend-host"`

	// Whether tasks with a network interface of their own are kept from the
	// metadata service of the instance. If unset they are not.
	AWSVPCBlockIMDS *bool `setting:"awsvpc-block-imds"`

	// Whether each container gets a file with facts about itself. If unset it
	// does not.
	EnableContainerMetadata *bool `setting:"enable-container-metadata"`
}
