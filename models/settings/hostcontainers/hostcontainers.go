// Package hostcontainers holds the settings of host containers: containers
// that serve the host itself, such as a shell for administrators, and run
// beside the orchestrator in a container runtime of their own.
package hostcontainers

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/resources"
)

// Settings is the group host-containers: the containers by name. The name is
// also that of the systemd unit (host-containers@NAME.service) and of the
// container's directory (/local/host-containers/NAME).
type Settings map[scalar.Identifier]Container

// A Container is one host container.
type Container struct {
	// The image to run, for example registry.example.org/team/admin:v1. The
	// container is stopped, its image fetched and the container started anew when
	// the source changes. An enabled container needs one.
	Source *scalar.Source `setting:"source"`

	// Whether the container runs. Setting it starts or stops the container at
	// once, and decides whether it is started on the following boots. Unset means
	// false.
	Enabled *bool `setting:"enabled"`

	// Whether the container may do what root on the host may do: it sees the
	// host's processes, devices and root file system and is held by no security
	// profile. Unset means false. A change restarts the container.
	Superpowered *bool `setting:"superpowered"`

	// Data for the container, in base64. The decoded bytes become the file
	// user-data in the container's directory, which is mounted into the
	// container. Its meaning is the container's own; the admin container takes
	// SSH keys from it, for instance. Reads hide it.
	UserData *scalar.Secret[scalar.Base64] `setting:"user-data"`

	// The program in the image and its arguments, in place of what the image
	// says. Each element is one word; no shell takes part. A change restarts the
	// container.
	Command []scalar.SingleLine `setting:"command"`

	// How much of the node the container may take. A change restarts the container.
	Resources *resources.Limits `setting:"resources"`
}

// Check reports containers that are to run and have no image.
func (s *Settings) Check(p report.Place) {
	for _, name := range slices.SortedFunc(maps.Keys(*s), scalar.Identifier.Compare) {
		c := (*s)[name]
		if c.Enabled != nil && *c.Enabled && c.Source == nil {
			p.In(name.String()).Missing("source",
				"enabled is true and source is not set, so there is nothing to run",
				"set source to a container image, or enabled to false")
		}
	}
}
