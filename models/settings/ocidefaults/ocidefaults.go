// Package ocidefaults holds the settings of what containers of the
// orchestrator may do where they do not ask for anything else: capabilities
// and resource limits.
package ocidefaults

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group oci-defaults.
type Settings struct {
	// Which Linux capabilities a container has, by name: true gives it, false or
	// unset does not. A name is that of capabilities(7) without CAP_, in lower
	// case and with hyphens: net-bind-service for CAP_NET_BIND_SERVICE. Containers
	// that are started after a change have the new set; running ones keep theirs.
	Capabilities map[Capability]bool `setting:"capabilities"`

	// The resource limits of a container's processes, by name; see setrlimit(2).
	// The units are bytes for max-address-space, max-core-file-size,
	// max-data-size, max-file-size, max-locked-memory, max-msgqueue-size,
	// max-resident-set and max-stack-size; seconds for max-cpu-time; microseconds
	// for max-realtime-timeout; priorities for max-realtime-priority and
	// max-nice-priority (20 less the nice value); and a number of things for
	// max-file-locks, max-open-files, max-pending-signals and max-processes.
	// Containers that are started after a change have the new limits.
	ResourceLimits map[LimitName]ResourceLimit `setting:"resource-limits"`
}

// A ResourceLimit is one limit. Both members are mandatory.
type ResourceLimit struct {
	// The ceiling up to which a process may raise its own limit: an integer, or
	// "unlimited", which is the same as -1.
	Hard *scalar.Limit `setting:"hard-limit" required:"true"`

	// The limit that a process starts with: an integer, or "unlimited", which is
	// the same as -1. It is not above the hard limit.
	Soft *scalar.Limit `setting:"soft-limit" required:"true"`
}

// Check reports limits that the kernel would refuse, so that no container
// would start.
func (s *Settings) Check(p report.Place) {
	limits := p.In("resource-limits")
	for _, name := range slices.Sorted(maps.Keys(s.ResourceLimits)) {
		l := s.ResourceLimits[name]
		if l.Hard != nil && l.Soft != nil && l.Soft.Exceeds(*l.Hard) {
			limits.In(string(name)).Conflict("soft-limit", l.Soft.String(),
				"soft-limit is "+l.Soft.String()+" and hard-limit is "+l.Hard.String(),
				"want a soft limit that is at most the hard limit")
		}
	}
}
