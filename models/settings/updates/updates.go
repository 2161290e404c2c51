// Package updates holds the settings of operating system updates: where they
// come from, which version is wanted and when this host takes part in a
// roll-out.
package updates

import (
	"fmt"
	"time"

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

	// Whether the host updates by itself: it looks for updates, fetches the version
	// that these settings choose, and reboots into it inside of window. It does not
	// while it is unset.
	Auto *bool `setting:"auto"`

	// The hours in which a host with auto set reboots into an update. It may look
	// for one, and fetch it, at any time. Without a window it reboots at any time.
	Window *Window `setting:"window"`

	// The most that a host with auto set waits, up to 24h, from the moment at which
	// it could look for updates or reboot, so that hosts do not do so all at once.
	// The time that it waits is chosen at random. If unset, 10m.
	Jitter *Duration `setting:"jitter"`

	// The versions that the newest is looked for among, by how they begin: "1"
	// allows 1.19.2 and 1.20.0, "1.20" only the latter. A version that is asked for
	// by name is installed all the same.
	Pin *Line `setting:"pin"`

	// Versions that this host passes over. One that is asked for by name is installed
	// all the same.
	Deny *[]scalar.Version `setting:"deny"`

	// The channel of the repository that this host follows. Besides the releases that
	// are for everybody it sees those of the channel. While it is unset it sees
	// only the former.
	Channel *scalar.Identifier `setting:"channel"`

	// Other places that have what is below targets-base-url, the nearest first. They are
	// asked before targets-base-url, and what comes from them is verified in the same way.
	Mirrors *[]scalar.URL `setting:"mirrors"`

	// The most that is fetched of an update in a second, in bytes. It is not limited
	// while it is unset.
	RateLimit *scalar.ByteSize `setting:"rate-limit"`

	// How long a version that runs for the first time may take until its boot is
	// complete. After that the node reboots, until the tries of the version are
	// used up and the one before it takes over. If unset, 10m. It counts as it was
	// when the version was activated.
	BootDeadline *Duration `setting:"boot-deadline"`

	// How long a version that runs for the first time may take, once its boot is
	// complete, until the node is healthy: no unit has failed, the workload of the
	// variant runs, and the checks of health-checks pass. After that the node
	// reboots, as with boot-deadline. If unset, 5m.
	HealthDeadline *Duration `setting:"health-deadline"`

	// What has to work, beside what always has, before a version that runs for the
	// first time is kept, by names of your choice. A version that was kept is not
	// checked again.
	HealthChecks map[scalar.Identifier]HealthCheck `setting:"health-checks"`
}

// Check reports a repository of which one half is known, and checks of health
// that cannot be made.
func (s *Settings) Check(p report.Place) {
	s.checkHealth(p)
	switch {
	case s.MetadataBaseURL != nil && s.TargetsBaseURL == nil:
		p.Warn("targets-base-url", nil,
			"metadata-base-url is "+s.MetadataBaseURL.String()+" and targets-base-url is not set, so updates are found and cannot be fetched",
			"set both addresses, or neither")
	case s.MetadataBaseURL == nil && s.TargetsBaseURL != nil:
		p.Warn("metadata-base-url", nil,
			"targets-base-url is "+s.TargetsBaseURL.String()+" and metadata-base-url is not set, so no update is ever found",
			"set both addresses, or neither")
	case s.MetadataBaseURL == nil && s.isAuto():
		p.Warn("auto", true, "auto is true and no update repository is set, so there is nothing to update from", "set metadata-base-url and targets-base-url")
	}
	s.checkVersions(p)
	if s.Jitter != nil && s.Jitter.Value() > longestJitter {
		p.Conflict("jitter", s.Jitter, fmt.Sprintf("jitter is %s, which is longer than a day", s.Jitter), "want 24h or less")
	}
	if s.RateLimit != nil && s.RateLimit.Int64() < leastRate {
		p.Conflict("rate-limit", s.RateLimit, fmt.Sprintf("at %s bytes in a second no update ever ends", s.RateLimit), fmt.Sprintf("want %d or more, or leave it unset", leastRate))
	}
	s.Window.check(p.In("window"))
}

const (
	longestJitter = 24 * time.Hour
	leastRate     = 1 << 10
)

func (s *Settings) isAuto() bool { return s.Auto != nil && *s.Auto }

// checkVersions reports settings that choose a version which others exclude.
func (s *Settings) checkVersions(p report.Place) {
	lock := ""
	if s.VersionLock != nil {
		lock = s.VersionLock.Semver()
	}
	if s.Pin != nil && lock != "" && !s.Pin.Holds(lock) {
		p.Warn("pin", s.Pin, fmt.Sprintf("version-lock asks for %s, and pin keeps to %s; version-lock counts", lock, s.Pin), "set one of them")
	}
	if s.Deny == nil {
		return
	}
	for _, v := range *s.Deny {
		switch {
		case v.IsLatest():
			p.Conflict("deny", v, `deny names "latest", which is no version to pass over`, "want versions such as 1.20.3; to stay with the running one, set version-lock to it")
		case v.Semver() == lock:
			p.Warn("deny", v, fmt.Sprintf("version-lock asks for %s, and deny passes over it; version-lock counts", lock), "take the version out of one of them")
		}
	}
}

// check reports a window that never opens.
func (w *Window) check(p report.Place) {
	if w == nil {
		return
	}
	if w.Days != nil && len(*w.Days) == 0 {
		p.Conflict("days", nil, "days names no day, so the window never opens", "name at least one day, or leave days unset for every day; to keep the host from updating, unset auto")
	}
	if start, end := w.hours(); start == end {
		p.Conflict("end", w.End, fmt.Sprintf("the window ends when it starts, at %02d:%02d", start/60, start%60), "leave start and end unset for the whole day")
	}
}
