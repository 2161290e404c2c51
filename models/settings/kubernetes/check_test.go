package kubernetes_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

// A checkTest is one row: the faults that Check finds in settings.
type checkTest struct {
	name     string
	settings kubernetes.Settings
	want     []string
}

func runChecks(t *testing.T, tests []checkTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := valuetest.Faults(tt.settings.Check, "kubernetes")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Check: faults (-want +got):\n%s", diff)
			}
		})
	}
}

func quantity(t *testing.T, s string) kubernetes.Quantity {
	return *valuetest.Parse[kubernetes.Quantity](t, s)
}

func threshold(t *testing.T, s string) kubernetes.Threshold {
	return *valuetest.Parse[kubernetes.Threshold](t, s)
}

func duration(t *testing.T, s string) *kubernetes.Duration {
	return valuetest.Parse[kubernetes.Duration](t, s)
}

func base64(t *testing.T, s string) *scalar.Base64 { return valuetest.Parse[scalar.Base64](t, s) }

func identifier(t *testing.T, s string) scalar.Identifier {
	return *valuetest.Parse[scalar.Identifier](t, s)
}

func percent(t *testing.T, s string) *kubernetes.IntegerPercent {
	t.Helper()
	var p kubernetes.IntegerPercent
	if err := p.UnmarshalSetting(valuetest.Integer(s)); err != nil {
		t.Fatal(err)
	}
	return &p
}

func token(t *testing.T) *scalar.Secret[kubernetes.BootstrapToken] {
	secret := scalar.NewSecret(*valuetest.Parse[kubernetes.BootstrapToken](t, "abcdef.0123456789abcdef"))
	return &secret
}

func TestCheckPods(t *testing.T) {
	type pods = map[scalar.Identifier]kubernetes.StaticPod
	web := identifier(t, "web")
	taint := *valuetest.Parse[kubernetes.LabelKey](t, "example.org/gpu")
	runChecks(t, []checkTest{
		{name: "static pod", settings: kubernetes.Settings{StaticPods: pods{web: {Enabled: new(true), Manifest: base64(t, "e30=")}}}},
		{name: "static pod switched off", settings: kubernetes.Settings{StaticPods: pods{web: {Enabled: new(false)}}}},
		{
			name: "static pod without manifest", settings: kubernetes.Settings{StaticPods: pods{web: {Enabled: new(true)}}},
			want: []string{
				`settings.kubernetes.static-pods.web.manifest: enabled is true and manifest is unset (set manifest to the pod's manifest in base64)`,
			},
		},
		{
			name: "static pod that nobody switched on", settings: kubernetes.Settings{StaticPods: pods{web: {Manifest: base64(t, "e30=")}}},
			want: []string{
				`warning: settings.kubernetes.static-pods.web.enabled: manifest is set and enabled is not: the pod does not run (set enabled to true or false)`,
			},
		},
		{
			name:     "static pods off",
			settings: kubernetes.Settings{StaticPodsEnabled: new(false), StaticPods: pods{web: {Enabled: new(true), Manifest: base64(t, "e30=")}}},
			want: []string{
				`warning: settings.kubernetes.static-pods.web.enabled: enabled is true and static-pods-enabled is false: ` +
					`the pod does not run (set static-pods-enabled to true)`,
			},
		},
		{
			name: "shutdown in order",
			settings: kubernetes.Settings{
				ShutdownGracePeriod: duration(t, "60s"), ShutdownGracePeriodForCriticalPods: duration(t, "1m"),
			},
		},
		{name: "no time for critical pods", settings: kubernetes.Settings{ShutdownGracePeriodForCriticalPods: duration(t, "0s")}},
		{
			name: "more time for critical pods than for all",
			settings: kubernetes.Settings{
				ShutdownGracePeriod: duration(t, "30s"), ShutdownGracePeriodForCriticalPods: duration(t, "1m"),
			},
			want: []string{
				`settings.kubernetes.shutdown-grace-period-for-critical-pods: shutdown-grace-period-for-critical-pods is 1m, ` +
					`longer than shutdown-grace-period, which is 30s (want at most 30s)`,
			},
		},
		{
			name: "time for critical pods alone", settings: kubernetes.Settings{ShutdownGracePeriodForCriticalPods: duration(t, "10s")},
			want: []string{
				`settings.kubernetes.shutdown-grace-period: shutdown-grace-period-for-critical-pods is 10s and shutdown-grace-period is unset ` +
					`(set shutdown-grace-period to at least 10s)`,
			},
		},
		{
			name: "unknown taint effect",
			settings: kubernetes.Settings{NodeTaints: map[kubernetes.LabelKey]kubernetes.Taints{
				taint: {*valuetest.Parse[kubernetes.Taint](t, ":NoSchedule"), *valuetest.Parse[kubernetes.Taint](t, "a:noschedule")},
			}},
			want: []string{
				`warning: settings.kubernetes.node-taints."example.org/gpu": the kubelet knows no taint effect "noschedule" ` +
					`(want NoSchedule, PreferNoSchedule or NoExecute)`,
			},
		},
	})
}

// The id that Amazon gives a node stays as it is.
func TestProviderIDStaysAsGiven(t *testing.T) {
	const id = "aws:///eu-west-1a/i-0123456789abcdef0"
	if got := valuetest.Parse[scalar.URL](t, id).String(); got != id {
		t.Errorf("provider id %q is stored as %q, want it unchanged", id, got)
	}
}
