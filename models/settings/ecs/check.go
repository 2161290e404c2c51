package ecs

import (
	"fmt"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// What the agent takes at least; below it uses its own values instead.
const (
	leastStopTimeout  = time.Second
	leastTaskCleanup  = time.Second
	leastImageCleanup = 10 * time.Minute
)

// Check warns of settings that the agent does not use.
func (s *Settings) Check(p report.Place) {
	warnShort(p, "container-stop-timeout", s.ContainerStopTimeout, leastStopTimeout)
	warnShort(p, "task-cleanup-wait", s.TaskCleanupWait, leastTaskCleanup)
	warnShort(p, "image-cleanup-wait", s.ImageCleanupWait, leastImageCleanup)
	warnNone(p, "metadata-service-rps", s.MetadataServiceRPS)
	warnNone(p, "metadata-service-burst", s.MetadataServiceBurst)
	warnNone(p, "image-cleanup-delete-per-cycle", s.ImageCleanupDeletePerCycle)
	if s.ImageCleanupEnabled != nil && !*s.ImageCleanupEnabled {
		s.warnCleanup(p)
	}
}

func warnShort(p report.Place, member string, d *Duration, least time.Duration) {
	if d != nil && d.Value() < least {
		p.Warn(member, d, fmt.Sprintf("%s is %s, less than the agent takes: it uses its own value", member, d),
			fmt.Sprintf("want at least %s", short(least)))
	}
}

// short renders one of the least values as a user writes it.
func short(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

func warnNone(p report.Place, member string, v *int64) {
	if v != nil && *v < 1 {
		p.Warn(member, *v, fmt.Sprintf("%s is %d: the agent uses its own value", member, *v), "want 1 or more")
	}
}

// warnCleanup reports the details of a cleanup that is switched off.
func (s *Settings) warnCleanup(p report.Place) {
	const off = " is set and image-cleanup-enabled is false: it has no effect"
	const hint = "set image-cleanup-enabled to true, or leave it out"
	if s.ImageCleanupWait != nil {
		p.Warn("image-cleanup-wait", s.ImageCleanupWait, "image-cleanup-wait"+off, hint)
	}
	if s.ImageCleanupAge != nil {
		p.Warn("image-cleanup-age", s.ImageCleanupAge, "image-cleanup-age"+off, hint)
	}
	if s.ImageCleanupDeletePerCycle != nil {
		p.Warn("image-cleanup-delete-per-cycle", *s.ImageCleanupDeletePerCycle, "image-cleanup-delete-per-cycle"+off, hint)
	}
}
