package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// checkCPUs compares the CPU manager with its options and with the CPUs that
// are left for the system, without which the static policy does not start.
func (s *Settings) checkCPUs(p report.Place) {
	static := s.CPUManagerPolicy != nil && s.CPUManagerPolicy.Static()
	if len(s.CPUManagerPolicyOptions) > 0 && !static {
		p.Conflict("cpu-manager-policy-options", s.CPUManagerPolicyOptions,
			fmt.Sprintf("cpu-manager-policy-options has %s and cpu-manager-policy is %s, which takes no options",
				joined(s.CPUManagerPolicyOptions), orUnset(s.CPUManagerPolicy)),
			"set cpu-manager-policy to static, or leave the options out")
	}
	if static && s.ReservedCPUs == nil {
		s.checkCPUReservation(p)
	}
}

func (s *Settings) checkCPUReservation(p report.Place) {
	kube, hasKube := s.KubeReserved[ReservedCPU]
	system, hasSystem := s.SystemReserved[ReservedCPU]
	hint := "set reserved-cpus, kube-reserved.cpu or system-reserved.cpu"
	switch {
	case !hasKube && !hasSystem:
		p.Warn("cpu-manager-policy", *s.CPUManagerPolicy,
			fmt.Sprintf("cpu-manager-policy is %s and no CPU is reserved: only the computed share of kube-reserved is left to the system",
				*s.CPUManagerPolicy), hint)
	case hasKube && isZero(kube) && (!hasSystem || isZero(system)):
		p.Conflict("cpu-manager-policy", *s.CPUManagerPolicy,
			fmt.Sprintf("cpu-manager-policy is %s and kube-reserved.cpu is %s: no CPU is left to the system", *s.CPUManagerPolicy, kube), hint)
	}
}

func isZero(q Quantity) bool {
	v, ok := q.Value()
	return ok && v == 0
}

// checkTopology warns of options that a policy of none leaves without effect.
func (s *Settings) checkTopology(p report.Place) {
	none := s.TopologyManagerPolicy == nil || *s.TopologyManagerPolicy == NoTopologyManager
	o := s.TopologyManagerPolicyOptions
	if !none || o == nil {
		return
	}
	p = p.In("topology-manager-policy-options")
	warn := func(member string, value any) {
		p.Warn(member, value, fmt.Sprintf("%s is %v and topology-manager-policy is %s, which takes no options",
			member, value, orUnset(s.TopologyManagerPolicy)), "set topology-manager-policy, or leave the option out")
	}
	if o.PreferClosestNUMANodes != nil {
		warn("prefer-closest-numa-nodes", *o.PreferClosestNUMANodes)
	}
	if o.MaxAllowableNUMANodes != nil {
		warn("max-allowable-numa-nodes", o.MaxAllowableNUMANodes.Value())
	}
}

// checkMemory compares the memory manager's policy with its reservations, and
// wants each of these to name a NUMA node.
func (s *Settings) checkMemory(p report.Place) {
	const member = "memory-manager-reserved-memory"
	static := s.MemoryManagerPolicy != nil && *s.MemoryManagerPolicy == MemoryManagerStatic
	enabled := 0
	for _, node := range sortedKeys(s.MemoryManagerReservedMemory) {
		r := s.MemoryManagerReservedMemory[node]
		if !isTrue(r.Enabled) {
			continue
		}
		enabled++
		r.check(p.In(member).In(node.String()))
		if !allDigits(node.String()) {
			p.In(member).Conflict(node.String(), nil, fmt.Sprintf("%q is enabled and is not the number of a NUMA node", node), "want 0, 1, …")
		}
	}
	switch {
	case static && enabled == 0:
		p.Missing(member, "memory-manager-policy is Static and no entry of "+member+" is enabled",
			"enable an entry of "+member+", or set memory-manager-policy to None")
	case !static && enabled > 0:
		p.Warn(member, nil, fmt.Sprintf("%s has an enabled entry and memory-manager-policy is %s, which reserves nothing",
			member, orUnset(s.MemoryManagerPolicy)), "set memory-manager-policy to Static")
	}
}

// check wants an enabled reservation to reserve something Kubernetes can read.
func (r MemoryReservation) check(p report.Place) {
	if len(r.Limits) == 0 {
		p.Missing(string(PlainMemory), "the reservation is enabled and reserves nothing", "set memory, hugepages-2Mi or hugepages-1Gi")
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Limits)) {
		r.Limits[kind].warn(p, string(kind))
	}
}

// orUnset renders a setting for a sentence.
func orUnset[T ~string](v *T) string {
	if v == nil {
		return "unset"
	}
	return string(*v)
}

func joined[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
