package kubernetes

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// Check reports settings that contradict one another. An identity that is not
// complete yet, as before a node is told its cluster, is no fault.
func (s *Settings) Check(p report.Place) {
	s.checkIdentity(p)
	s.checkServing(p)
	s.checkEviction(p)
	s.checkQuantities(p)
	s.checkCPUs(p)
	s.checkTopology(p)
	s.checkMemory(p)
	s.checkImages(p)
	s.checkShutdown(p)
	s.checkStaticPods(p)
	s.checkTaints(p)
}

// isTrue reports whether b is set and true.
func isTrue(b *bool) bool { return b != nil && *b }

// isFalse reports whether b is set and false.
func isFalse(b *bool) bool { return b != nil && !*b }

// checkShutdown compares the time for critical pods with the time for all,
// which the kubelet takes to be 0 where it is unset.
func (s *Settings) checkShutdown(p report.Place) {
	const all, critical = "shutdown-grace-period", "shutdown-grace-period-for-critical-pods"
	c := s.ShutdownGracePeriodForCriticalPods
	if c == nil || c.Value() == 0 {
		return
	}
	if s.ShutdownGracePeriod == nil {
		p.Missing(all, fmt.Sprintf("%s is %s and %s is unset", critical, c, all), fmt.Sprintf("set %s to at least %s", all, c))
		return
	}
	if c.Value() > s.ShutdownGracePeriod.Value() {
		p.Conflict(critical, c, fmt.Sprintf("%s is %s, longer than %s, which is %s", critical, c, all, s.ShutdownGracePeriod),
			fmt.Sprintf("want at most %s", s.ShutdownGracePeriod))
	}
}

// effects are those that the kubelet takes; it refuses to start with others.
var effects = map[string]bool{"NoSchedule": true, "PreferNoSchedule": true, "NoExecute": true}

func (s *Settings) checkTaints(p report.Place) {
	for _, key := range sortedKeys(s.NodeTaints) {
		for _, t := range s.NodeTaints[key] {
			if !effects[t.Effect()] {
				p.In("node-taints").Warn(key.String(), t, fmt.Sprintf("the kubelet knows no taint effect %q", t.Effect()),
					"want NoSchedule, PreferNoSchedule or NoExecute")
			}
		}
	}
}
