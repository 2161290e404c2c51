package kubernetes_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestCheckCPUs(t *testing.T) {
	type reserved = map[kubernetes.ReservedResource]kubernetes.Quantity
	static, none := kubernetes.CPUManagerPolicy("Static"), kubernetes.CPUManagerPolicy("none")
	best, off := kubernetes.TopologyManagerPolicy("best-effort"), kubernetes.NoTopologyManager
	options := []kubernetes.CPUManagerPolicyOption{"full-pcpus-only", "strict-cpu-reservation"}
	var limit kubernetes.NUMANodeLimit
	if err := limit.UnmarshalSetting(valuetest.Integer("16")); err != nil {
		t.Fatal(err)
	}
	topology := &kubernetes.TopologyManagerOptions{PreferClosestNUMANodes: new(true), MaxAllowableNUMANodes: &limit}
	runChecks(t, []checkTest{
		{
			name:     "static with reserved CPUs and options",
			settings: kubernetes.Settings{CPUManagerPolicy: &static, ReservedCPUs: valuetest.Parse[kubernetes.CPUSet](t, "0-1"), CPUManagerPolicyOptions: options},
		},
		{name: "static with an amount", settings: kubernetes.Settings{CPUManagerPolicy: &static, SystemReserved: reserved{kubernetes.ReservedCPU: quantity(t, "1")}}},
		{name: "no options", settings: kubernetes.Settings{CPUManagerPolicyOptions: []kubernetes.CPUManagerPolicyOption{}}},
		{
			name: "static without reservation", settings: kubernetes.Settings{CPUManagerPolicy: &static},
			want: []string{
				`warning: settings.kubernetes.cpu-manager-policy: cpu-manager-policy is Static and no CPU is reserved: only the computed share of ` +
					`kube-reserved is left to the system (set reserved-cpus, kube-reserved.cpu or system-reserved.cpu)`,
			},
		},
		{
			name:     "static with nothing reserved on purpose",
			settings: kubernetes.Settings{CPUManagerPolicy: &static, KubeReserved: reserved{kubernetes.ReservedCPU: quantity(t, "0m")}},
			want: []string{
				`settings.kubernetes.cpu-manager-policy: cpu-manager-policy is Static and kube-reserved.cpu is 0m: no CPU is left to the system ` +
					`(set reserved-cpus, kube-reserved.cpu or system-reserved.cpu)`,
			},
		},
		{
			name: "options without a policy", settings: kubernetes.Settings{CPUManagerPolicyOptions: options},
			want: []string{
				`settings.kubernetes.cpu-manager-policy-options: cpu-manager-policy-options has full-pcpus-only, strict-cpu-reservation and ` +
					`cpu-manager-policy is unset, which takes no options (set cpu-manager-policy to static, or leave the options out)`,
			},
		},
		{
			name: "options with the policy none", settings: kubernetes.Settings{CPUManagerPolicy: &none, CPUManagerPolicyOptions: options[:1]},
			want: []string{
				`settings.kubernetes.cpu-manager-policy-options: cpu-manager-policy-options has full-pcpus-only and ` +
					`cpu-manager-policy is none, which takes no options (set cpu-manager-policy to static, or leave the options out)`,
			},
		},
		{name: "topology options", settings: kubernetes.Settings{TopologyManagerPolicy: &best, TopologyManagerPolicyOptions: topology}},
		{
			name: "topology options without effect", settings: kubernetes.Settings{TopologyManagerPolicy: &off, TopologyManagerPolicyOptions: topology},
			want: []string{
				`warning: settings.kubernetes.topology-manager-policy-options.prefer-closest-numa-nodes: prefer-closest-numa-nodes is true and ` +
					`topology-manager-policy is none, which takes no options (set topology-manager-policy, or leave the option out)`,
				`warning: settings.kubernetes.topology-manager-policy-options.max-allowable-numa-nodes: max-allowable-numa-nodes is 16 and ` +
					`topology-manager-policy is none, which takes no options (set topology-manager-policy, or leave the option out)`,
			},
		},
	})
}

func TestCheckMemory(t *testing.T) {
	static := kubernetes.MemoryManagerStatic
	limits := map[kubernetes.MemoryResource]kubernetes.Quantity{kubernetes.PlainMemory: quantity(t, "1Gi")}
	type reservations = map[scalar.Identifier]kubernetes.MemoryReservation
	runChecks(t, []checkTest{
		{
			name: "static with a reservation",
			settings: kubernetes.Settings{
				MemoryManagerPolicy:         &static,
				MemoryManagerReservedMemory: reservations{identifier(t, "0"): {Enabled: new(true), Limits: limits}},
			},
		},
		{name: "disabled entry", settings: kubernetes.Settings{MemoryManagerReservedMemory: reservations{identifier(t, "x"): {Enabled: new(false)}}}},
		{
			name: "static without an enabled reservation",
			settings: kubernetes.Settings{
				MemoryManagerPolicy:         &static,
				MemoryManagerReservedMemory: reservations{identifier(t, "0"): {Enabled: new(false), Limits: limits}},
			},
			want: []string{
				`settings.kubernetes.memory-manager-reserved-memory: memory-manager-policy is Static and no entry of memory-manager-reserved-memory ` +
					`is enabled (enable an entry of memory-manager-reserved-memory, or set memory-manager-policy to None)`,
			},
		},
		{
			name: "reservations without policy, node and amount",
			settings: kubernetes.Settings{MemoryManagerReservedMemory: reservations{
				identifier(t, "1"):  {Enabled: new(true)},
				identifier(t, "n0"): {Enabled: new(true), Limits: limits},
			}},
			want: []string{
				`settings.kubernetes.memory-manager-reserved-memory.1.memory: the reservation is enabled and reserves nothing ` +
					`(set memory, hugepages-2Mi or hugepages-1Gi)`,
				`settings.kubernetes.memory-manager-reserved-memory.n0: "n0" is enabled and is not the number of a NUMA node (want 0, 1, …)`,
				`warning: settings.kubernetes.memory-manager-reserved-memory: memory-manager-reserved-memory has an enabled entry and ` +
					`memory-manager-policy is unset, which reserves nothing (set memory-manager-policy to Static)`,
			},
		},
	})
}
