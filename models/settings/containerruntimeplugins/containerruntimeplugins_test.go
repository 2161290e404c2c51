package containerruntimeplugins_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/containerruntimeplugins"
)

func TestPullMode(t *testing.T) {
	if diff := cmp.Diff([]string{"parallel-pull-unpack"}, containerruntimeplugins.PullMode("").Rule().Enum); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	mode := containerruntimeplugins.Parallel
	tests := []struct {
		name string
		soci *containerruntimeplugins.SOCISnapshotter
		want []string
	}{
		{name: "nothing set"},
		{name: "mode alone", soci: &containerruntimeplugins.SOCISnapshotter{PullMode: &mode}},
		{
			name: "no bound for all images",
			soci: &containerruntimeplugins.SOCISnapshotter{PullMode: &mode, ParallelPullUnpack: &containerruntimeplugins.ParallelPullUnpack{
				MaxConcurrentDownloads: new(int64(-1)), MaxConcurrentDownloadsPerImage: new(int64(9)), MaxConcurrentUnpacksPerImage: new(int64(9)),
			}},
		},
		{
			name: "limits without effect",
			soci: &containerruntimeplugins.SOCISnapshotter{ParallelPullUnpack: &containerruntimeplugins.ParallelPullUnpack{
				MaxConcurrentDownloads: new(int64(4)), MaxConcurrentDownloadsPerImage: new(int64(5)),
				MaxConcurrentUnpacks: new(int64(5)), MaxConcurrentUnpacksPerImage: new(int64(5)),
			}},
			want: []string{
				`warning: settings.container-runtime-plugins.soci-snapshotter.pull-mode: parallel-pull-unpack is set and pull-mode is not: ` +
					`its limits have no effect (set pull-mode to parallel-pull-unpack)`,
				`warning: settings.container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-downloads-per-image: ` +
					`max-concurrent-downloads-per-image is 5, more than max-concurrent-downloads, which is 4 for all images together (want at most 4)`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := containerruntimeplugins.Settings{SOCISnapshotter: tt.soci}
			if diff := cmp.Diff(tt.want, valuetest.Faults(s.Check, "container-runtime-plugins")); diff != "" {
				t.Errorf("Check: faults (-want +got):\n%s", diff)
			}
		})
	}
}
