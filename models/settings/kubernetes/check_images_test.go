package kubernetes_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestCheckImages(t *testing.T) {
	var none kubernetes.IDsPerPod
	if err := none.UnmarshalSetting(valuetest.Integer("0")); err != nil {
		t.Fatal(err)
	}
	runChecks(t, []checkTest{
		{name: "thresholds in order", settings: kubernetes.Settings{ImageGCHighThresholdPercent: percent(t, "70"), ImageGCLowThresholdPercent: percent(t, "60")}},
		{name: "no limit of age", settings: kubernetes.Settings{ImageMinimumGCAge: duration(t, "1h"), ImageMaximumGCAge: duration(t, "0s")}},
		{name: "ages in order", settings: kubernetes.Settings{ImageMinimumGCAge: duration(t, "1h"), ImageMaximumGCAge: duration(t, "2h")}},
		{
			name:     "thresholds the same",
			settings: kubernetes.Settings{ImageGCHighThresholdPercent: percent(t, "70"), ImageGCLowThresholdPercent: percent(t, "70")},
			want: []string{
				`settings.kubernetes.image-gc-low-threshold-percent: image-gc-low-threshold-percent is 70 and image-gc-high-threshold-percent is 70 ` +
					`(want image-gc-low-threshold-percent below image-gc-high-threshold-percent)`,
			},
		},
		{
			name: "high below the default of low", settings: kubernetes.Settings{ImageGCHighThresholdPercent: percent(t, "50")},
			want: []string{
				`settings.kubernetes.image-gc-high-threshold-percent: image-gc-low-threshold-percent is 80 by the kubelet's default and ` +
					`image-gc-high-threshold-percent is 50 (want more than 80, or set image-gc-low-threshold-percent)`,
			},
		},
		{
			name: "low above the default of high", settings: kubernetes.Settings{ImageGCLowThresholdPercent: percent(t, "90")},
			want: []string{
				`settings.kubernetes.image-gc-low-threshold-percent: image-gc-low-threshold-percent is 90 and image-gc-high-threshold-percent is 85 ` +
					`by the kubelet's default (want image-gc-low-threshold-percent below image-gc-high-threshold-percent)`,
			},
		},
		{
			name: "ages the wrong way round", settings: kubernetes.Settings{ImageMinimumGCAge: duration(t, "2h"), ImageMaximumGCAge: duration(t, "90m")},
			want: []string{
				`settings.kubernetes.image-maximum-gc-age: image-maximum-gc-age is 90m and image-minimum-gc-age is 2h ` +
					`(want image-maximum-gc-age above image-minimum-gc-age, or 0s for no limit)`,
			},
		},
		{
			name: "maximum age at the default of the minimum", settings: kubernetes.Settings{ImageMaximumGCAge: duration(t, "2m")},
			want: []string{
				`settings.kubernetes.image-maximum-gc-age: image-maximum-gc-age is 2m and image-minimum-gc-age is 2m by the kubelet's default ` +
					`(want image-maximum-gc-age above image-minimum-gc-age, or 0s for no limit)`,
			},
		},
		{
			name: "no ids", settings: kubernetes.Settings{IDsPerPod: &none},
			want: []string{`warning: settings.kubernetes.ids-per-pod: ids-per-pod is 0: a pod would get no ids (want 65536 or a multiple of it)`},
		},
	})
}
