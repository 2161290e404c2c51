// Package bootstrapcontainers holds the settings of bootstrap containers:
// containers that run to their end while the host boots, before the
// orchestrator starts, to prepare disks, certificates and the like.
package bootstrapcontainers

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group bootstrap-containers: the containers by name. The name
// is also that of the systemd unit (bootstrap-containers@NAME.service) and of
// the container's directory (/local/bootstrap-containers/NAME).
type Settings map[scalar.Identifier]Container

// A Container is one bootstrap container.
type Container struct {
	// The image to run, for example registry.example.org/team/setup:v1. It is
	// fetched on the boot that runs the container.
	Source *scalar.Source `setting:"source"`

	// On which boots the container runs: "always", "once" (the next one; after a
	// successful run the setting becomes "off") or "off". Unset means "off". A
	// change never starts a container on the running host.
	Mode *scalar.BootstrapMode `setting:"mode"`

	// Data for the container, in base64. The decoded bytes become the file
	// user-data in the container's directory, which is mounted into the
	// container. Its meaning is the container's own. Reads hide it.
	UserData *scalar.Secret[scalar.Base64] `setting:"user-data"`

	// Whether the boot depends on the container: when true, an exit status other
	// than 0 stops the boot before the orchestrator starts; when false or unset,
	// it is logged.
	Essential *bool `setting:"essential"`

	// The program in the image and its arguments, in place of what the image
	// says. Each element is one word; no shell takes part.
	Command []scalar.SingleLine `setting:"command"`

	// Names of bootstrap containers that end, well or not, before this one starts.
	// One that is off, or that there is not, is not waited for. Containers that
	// name no others start at the same time.
	After []scalar.Identifier `setting:"after"`

	// How long the container may take, with the fetching of its image. It is
	// stopped then, and has failed. Unset means that it may take for ever, and the
	// boot with it.
	Timeout *Timeout `setting:"timeout"`
}

// Check reports containers that are to run and have no image, and entries that
// never run.
func (s *Settings) Check(p report.Place) {
	for _, name := range slices.SortedFunc(maps.Keys(*s), scalar.Identifier.Compare) {
		c := (*s)[name]
		c.check(p.In(name.String()))
		if c.runs() && s.waitsFor(name, name, map[scalar.Identifier]bool{}) {
			p.In(name.String()).Conflict("after", c.After, "the container would run after itself, by way of those that it runs after",
				"take one of them out of after")
		}
	}
}

// waitsFor reports whether the container called name starts after other has
// ended, perhaps by way of more. It passes over those in seen.
func (s *Settings) waitsFor(name, other scalar.Identifier, seen map[scalar.Identifier]bool) bool {
	c := (*s)[name]
	if seen[name] || !c.runs() {
		return false
	}
	seen[name] = true
	return slices.ContainsFunc(c.After, func(first scalar.Identifier) bool {
		return first == other && s.isOn(other) || s.waitsFor(first, other, seen)
	})
}

func (s *Settings) isOn(name scalar.Identifier) bool {
	c := (*s)[name]
	return c.runs()
}

// runs reports whether the container runs on some boot.
func (c *Container) runs() bool { return c.Mode != nil && *c.Mode != scalar.BootstrapOff }

func (c *Container) check(p report.Place) {
	switch {
	case c.runs() && c.Source == nil:
		p.Missing("source",
			"mode is "+string(*c.Mode)+" and source is not set, so there is nothing to run",
			"set source to a container image, or mode to off")
	case c.Source == nil:
		p.Warn("source", nil,
			"source is not set, so the entry does nothing",
			"set source to a container image, or remove the entry")
	case c.Mode == nil:
		p.Warn("mode", nil,
			"source is "+c.Source.String()+" and mode is not set, which means off: the container never runs",
			"set mode to once or always")
	}
}
