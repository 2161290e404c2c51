package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// sortedKeys returns the keys of m in the order of their text.
func sortedKeys[K interface {
	comparable
	fmt.Stringer
}, V any](m map[K]V) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return strings.Compare(a.String(), b.String()) })
}

// checkEviction compares the soft thresholds with their grace periods and with
// the hard thresholds.
func (s *Settings) checkEviction(p report.Place) {
	for _, signal := range slices.Sorted(maps.Keys(s.EvictionSoft)) {
		soft := s.EvictionSoft[signal]
		if soft.Off() {
			continue
		}
		if _, ok := s.EvictionSoftGracePeriod[signal]; !ok {
			p.In("eviction-soft-grace-period").Missing(string(signal),
				fmt.Sprintf("eviction-soft has %s for %s and eviction-soft-grace-period has nothing", soft, signal),
				fmt.Sprintf("set eviction-soft-grace-period.%q, for example to 1m30s", signal))
		}
		if hard, ok := s.EvictionHard[signal]; ok && !hard.Off() {
			checkThresholds(p.In("eviction-soft"), signal, soft, hard)
		}
	}
	for _, signal := range slices.Sorted(maps.Keys(s.EvictionSoftGracePeriod)) {
		if _, ok := s.EvictionSoft[signal]; !ok {
			p.In("eviction-soft-grace-period").Warn(string(signal), s.EvictionSoftGracePeriod[signal],
				fmt.Sprintf("eviction-soft-grace-period has %s for %s and eviction-soft has nothing", s.EvictionSoftGracePeriod[signal], signal),
				fmt.Sprintf("set eviction-soft.%q, or leave the grace period out", signal))
		}
	}
}

// checkThresholds wants the soft threshold to be reached before the hard one.
func checkThresholds(p report.Place, signal EvictionSignal, soft, hard Threshold) {
	c, ok := soft.Compare(hard)
	if !ok || c > 0 {
		return
	}
	hint := fmt.Sprintf("want more than %s, so that the soft threshold is reached first", hard)
	if c == 0 {
		p.Warn(string(signal), soft, fmt.Sprintf("eviction-soft has %s for %s, the same as eviction-hard", soft, signal), hint)
		return
	}
	p.Conflict(string(signal), soft, fmt.Sprintf("eviction-soft has %s for %s, less than the %s of eviction-hard", soft, signal, hard), hint)
}

// checkQuantities warns of quantities that are accepted, as they always were,
// and with which the kubelet does not start.
func (s *Settings) checkQuantities(p report.Place) {
	warnReserved(p.In("kube-reserved"), s.KubeReserved)
	warnReserved(p.In("system-reserved"), s.SystemReserved)
	warnThresholds(p.In("eviction-hard"), s.EvictionHard)
	warnThresholds(p.In("eviction-soft"), s.EvictionSoft)
	if s.ContainerLogMaxSize != nil {
		s.ContainerLogMaxSize.warn(p, "container-log-max-size")
	}
}

func warnReserved(p report.Place, m map[ReservedResource]Quantity) {
	for _, r := range slices.Sorted(maps.Keys(m)) {
		m[r].warn(p, string(r))
	}
}

func warnThresholds(p report.Place, m map[EvictionSignal]Threshold) {
	for _, signal := range slices.Sorted(maps.Keys(m)) {
		if q, ok := m[signal].Quantity(); ok {
			q.warn(p, string(signal))
		}
	}
}

// warn reports a quantity, the value of member, that Kubernetes does not take.
func (q Quantity) warn(p report.Place, member string) {
	v, ok := q.Value()
	switch {
	case !ok:
		p.Warn(member, q, fmt.Sprintf("Kubernetes does not read the quantity %s", quote(q.s)), "want a number such as 500m, 10Mi or 1e3")
	case v < 0:
		p.Warn(member, q, fmt.Sprintf("quantity %s is negative", quote(q.s)), "want 0 or more")
	}
}
