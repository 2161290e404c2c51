package kubernetes_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestCheckEviction(t *testing.T) {
	type thresholds = map[kubernetes.EvictionSignal]kubernetes.Threshold
	type graces = map[kubernetes.EvictionSignal]kubernetes.Duration
	const memory = kubernetes.MemoryAvailable
	grace := graces{memory: *duration(t, "1m")}
	runChecks(t, []checkTest{
		{
			name: "soft above hard",
			settings: kubernetes.Settings{
				EvictionSoft: thresholds{memory: threshold(t, "10%")}, EvictionHard: thresholds{memory: threshold(t, "5%")},
				EvictionSoftGracePeriod: grace,
			},
		},
		{
			name: "not comparable",
			settings: kubernetes.Settings{
				EvictionSoft: thresholds{memory: threshold(t, "1%")}, EvictionHard: thresholds{memory: threshold(t, "1Gi")},
				EvictionSoftGracePeriod: grace,
			},
		},
		{
			name:     "switched off",
			settings: kubernetes.Settings{EvictionSoft: thresholds{memory: threshold(t, "0%")}, EvictionHard: thresholds{memory: threshold(t, "5%")}},
		},
		{
			name: "soft below hard, no grace period",
			settings: kubernetes.Settings{
				EvictionSoft: thresholds{memory: threshold(t, "100Mi")}, EvictionHard: thresholds{memory: threshold(t, "1Gi")},
			},
			want: []string{
				`settings.kubernetes.eviction-soft-grace-period."memory.available": eviction-soft has 100Mi for memory.available and ` +
					`eviction-soft-grace-period has nothing (set eviction-soft-grace-period."memory.available", for example to 1m30s)`,
				`settings.kubernetes.eviction-soft."memory.available": eviction-soft has 100Mi for memory.available, less than the 1Gi of ` +
					`eviction-hard (want more than 1Gi, so that the soft threshold is reached first)`,
			},
		},
		{
			name: "soft the same as hard",
			settings: kubernetes.Settings{
				EvictionSoft: thresholds{memory: threshold(t, "5%")}, EvictionHard: thresholds{memory: threshold(t, "5%")},
				EvictionSoftGracePeriod: grace,
			},
			want: []string{
				`warning: settings.kubernetes.eviction-soft."memory.available": eviction-soft has 5% for memory.available, the same as ` +
					`eviction-hard (want more than 5%, so that the soft threshold is reached first)`,
			},
		},
		{
			name: "grace period alone", settings: kubernetes.Settings{EvictionSoftGracePeriod: grace},
			want: []string{
				`warning: settings.kubernetes.eviction-soft-grace-period."memory.available": eviction-soft-grace-period has 1m for ` +
					`memory.available and eviction-soft has nothing (set eviction-soft."memory.available", or leave the grace period out)`,
			},
		},
		{
			name: "quantities the kubelet refuses",
			settings: kubernetes.Settings{
				KubeReserved:        map[kubernetes.ReservedResource]kubernetes.Quantity{kubernetes.ReservedMemory: quantity(t, "10K")},
				SystemReserved:      map[kubernetes.ReservedResource]kubernetes.Quantity{kubernetes.ReservedMemory: quantity(t, "-1Gi")},
				EvictionHard:        thresholds{memory: threshold(t, "1.2.3")},
				ContainerLogMaxSize: valuetest.Parse[kubernetes.Quantity](t, "12e"),
			},
			want: []string{
				`warning: settings.kubernetes.kube-reserved.memory: Kubernetes does not read the quantity "10K" (want a number such as 500m, 10Mi or 1e3)`,
				`warning: settings.kubernetes.system-reserved.memory: quantity "-1Gi" is negative (want 0 or more)`,
				`warning: settings.kubernetes.eviction-hard."memory.available": Kubernetes does not read the quantity "1.2.3" ` +
					`(want a number such as 500m, 10Mi or 1e3)`,
				`warning: settings.kubernetes.container-log-max-size: Kubernetes does not read the quantity "12e" (want a number such as 500m, 10Mi or 1e3)`,
			},
		},
	})
}
