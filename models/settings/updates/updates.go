// Package updates holds the settings of operating system updates: where they
// come from, which version is wanted and when this host takes part in a
// roll-out.
package updates

import (
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group updates.
type Settings struct {
	// The address of the update repository's signed metadata. The files
	// root.json, timestamp.json and their like are expected directly below it.
	// It is read at the next check for updates. While it is unset the host finds
	// no updates.
	MetadataBaseURL *scalar.URL `setting:"metadata-base-url"`

	// The address below which the update repository keeps the images themselves.
	// It is read at the next check for updates. What is fetched from it is
	// verified against the metadata, so any mirror will do.
	TargetsBaseURL *scalar.URL `setting:"targets-base-url"`

	// The place of this host in the waves of a roll-out. The waves divide the
	// numbers from 0 to 2047 among themselves: a low number updates early, a high
	// one late. It is chosen at random on the first boot and stays the same
	// unless it is set.
	Seed *uint32 `setting:"seed"`

	// The version that an update leads to: "latest", or one exact version such as
	// 1.20.3, which may be older than the running one. It is read at the next
	// check for updates and never starts an update by itself.
	VersionLock *scalar.Version `setting:"version-lock"`

	// Whether an update counts as available from the moment it is published,
	// whatever the waves and the seed say. It is read at the next check for
	// updates.
	IgnoreWaves *bool `setting:"ignore-waves"`
}

// Check reports a repository of which one half is known.
func (s *Settings) Check(p report.Place) {
	switch {
	case s.MetadataBaseURL != nil && s.TargetsBaseURL == nil:
		p.Warn("targets-base-url", nil,
			"metadata-base-url is "+s.MetadataBaseURL.String()+" and targets-base-url is not set, so updates are found and cannot be fetched",
			"set both addresses, or neither")
	case s.MetadataBaseURL == nil && s.TargetsBaseURL != nil:
		p.Warn("metadata-base-url", nil,
			"targets-base-url is "+s.TargetsBaseURL.String()+" and metadata-base-url is not set, so no update is ever found",
			"set both addresses, or neither")
	}
}
