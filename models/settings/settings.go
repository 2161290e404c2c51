// Package settings holds everything that can be set on a node, one field per
// group of settings, each group in a package of its own.
//
// These types are the one place where settings are described: the decoder, the
// JSON Schema, the reference pages, completion and the hiding of secrets are
// all made from them by package schema. A new setting is a field with a doc
// comment; a new group is a package, a field here, and its name in the
// variants that want it.
package settings

import (
	"reflect"

	"github.com/bulkhead-os/bulkhead/models/settings/api"
	"github.com/bulkhead-os/bulkhead/models/settings/autoscaling"
	"github.com/bulkhead-os/bulkhead/models/settings/aws"
	"github.com/bulkhead-os/bulkhead/models/settings/boot"
	"github.com/bulkhead-os/bulkhead/models/settings/bootstrapcommands"
	"github.com/bulkhead-os/bulkhead/models/settings/bootstrapcontainers"
	"github.com/bulkhead-os/bulkhead/models/settings/cloudformation"
	"github.com/bulkhead-os/bulkhead/models/settings/containerregistry"
	"github.com/bulkhead-os/bulkhead/models/settings/containerruntime"
	"github.com/bulkhead-os/bulkhead/models/settings/containerruntimeplugins"
	"github.com/bulkhead-os/bulkhead/models/settings/containers"
	"github.com/bulkhead-os/bulkhead/models/settings/containersecrets"
	"github.com/bulkhead-os/bulkhead/models/settings/dns"
	"github.com/bulkhead-os/bulkhead/models/settings/ecs"
	"github.com/bulkhead-os/bulkhead/models/settings/hostcontainers"
	"github.com/bulkhead-os/bulkhead/models/settings/imageverifierplugins"
	"github.com/bulkhead-os/bulkhead/models/settings/kernel"
	"github.com/bulkhead-os/bulkhead/models/settings/kubeletdeviceplugins"
	"github.com/bulkhead-os/bulkhead/models/settings/kubeletdradrivers"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
	"github.com/bulkhead-os/bulkhead/models/settings/measurement"
	"github.com/bulkhead-os/bulkhead/models/settings/metrics"
	"github.com/bulkhead-os/bulkhead/models/settings/network"
	"github.com/bulkhead-os/bulkhead/models/settings/ntp"
	"github.com/bulkhead-os/bulkhead/models/settings/nvidiacontainerruntime"
	"github.com/bulkhead-os/bulkhead/models/settings/ocidefaults"
	"github.com/bulkhead-os/bulkhead/models/settings/ocihooks"
	"github.com/bulkhead-os/bulkhead/models/settings/pki"
	"github.com/bulkhead-os/bulkhead/models/settings/provision"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

// Settings are the settings of a node. A nil field is not set; a variant has
// a part of the groups.
type Settings struct {
	// Motd is the message of the day: text shown to whoever opens a shell in
	// the admin container. It may have several lines.
	Motd *string `setting:"motd"`

	API                 *api.Settings                `setting:"api"`
	Provision           *provision.Settings          `setting:"provision"`
	Updates             *updates.Settings            `setting:"updates"`
	HostContainers      hostcontainers.Settings      `setting:"host-containers"`
	BootstrapContainers bootstrapcontainers.Settings `setting:"bootstrap-containers"`
	BootstrapCommands   bootstrapcommands.Settings   `setting:"bootstrap-commands"`
	Containers          containers.Settings          `setting:"containers"`
	ContainerSecrets    containersecrets.Settings    `setting:"container-secrets"`
	Kernel              *kernel.Settings             `setting:"kernel"`
	Boot                *boot.Settings               `setting:"boot"`
	Network             *network.Settings            `setting:"network"`
	DNS                 *dns.Settings                `setting:"dns"`
	NTP                 *ntp.Settings                `setting:"ntp"`
	PKI                 pki.Settings                 `setting:"pki"`
	Metrics             *metrics.Settings            `setting:"metrics"`
	OCIHooks            *ocihooks.Settings           `setting:"oci-hooks"`
	OCIDefaults         *ocidefaults.Settings        `setting:"oci-defaults"`
	Measurement         *measurement.Settings        `setting:"measurement"`

	ContainerRegistry       *containerregistry.Settings       `setting:"container-registry"`
	ContainerRuntime        *containerruntime.Settings        `setting:"container-runtime"`
	ContainerRuntimePlugins *containerruntimeplugins.Settings `setting:"container-runtime-plugins"`
	ImageVerifierPlugins    *imageverifierplugins.Settings    `setting:"image-verifier-plugins"`
	Kubernetes              *kubernetes.Settings              `setting:"kubernetes"`
	NvidiaContainerRuntime  *nvidiacontainerruntime.Settings  `setting:"nvidia-container-runtime"`
	KubeletDevicePlugins    *kubeletdeviceplugins.Settings    `setting:"kubelet-device-plugins"`
	KubeletDRADrivers       *kubeletdradrivers.Settings       `setting:"kubelet-dra-drivers"`
	ECS                     *ecs.Settings                     `setting:"ecs"`

	AWS            *aws.Settings            `setting:"aws"`
	Autoscaling    *autoscaling.Settings    `setting:"autoscaling"`
	Cloudformation *cloudformation.Settings `setting:"cloudformation"`
}

// Type is the type of Settings, from which schemas are made.
var Type = reflect.TypeFor[Settings]()
