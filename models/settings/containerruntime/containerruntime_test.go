package containerruntime_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/containerruntime"
)

func TestSnapshotter(t *testing.T) {
	if diff := cmp.Diff([]string{"overlayfs", "soci"}, containerruntime.Snapshotter("").Rule().Enum); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	const small = `warning: settings.container-runtime.concurrent-download-chunk-size: concurrent-download-chunk-size is 511 bytes, ` +
		`too small for layers to be downloaded in parallel (want 512 or more, or 0 to switch it off)`
	tests := []struct {
		name string
		size int64
		want []string
	}{
		{name: "switched off", size: 0},
		{name: "too small", size: 511, want: []string{small}},
		{name: "least", size: 512},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size, err := scalar.NewByteSize(tt.size)
			if err != nil {
				t.Fatal(err)
			}
			s := containerruntime.Settings{ConcurrentDownloadChunkSize: &size}
			if diff := cmp.Diff(tt.want, valuetest.Faults(s.Check, "container-runtime")); diff != "" {
				t.Errorf("Check of %d: faults (-want +got):\n%s", tt.size, diff)
			}
		})
	}
	if got := valuetest.Faults((&containerruntime.Settings{}).Check, "container-runtime"); got != nil {
		t.Errorf("Check of nothing: %q, want no faults", got)
	}
}
