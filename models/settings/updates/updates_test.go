package updates_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

func TestCheck(t *testing.T) {
	url := valuetest.Parse[scalar.URL](t, "https://updates.example.org/")
	tests := []struct {
		name string
		in   updates.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "both addresses", in: updates.Settings{MetadataBaseURL: url, TargetsBaseURL: url}},
		{
			name: "metadata only", in: updates.Settings{MetadataBaseURL: url},
			want: []string{`warning: settings.updates.targets-base-url: metadata-base-url is https://updates.example.org/ and targets-base-url is not set, so updates are found and cannot be fetched (set both addresses, or neither)`},
		},
		{
			name: "targets only", in: updates.Settings{TargetsBaseURL: url},
			want: []string{`warning: settings.updates.metadata-base-url: targets-base-url is https://updates.example.org/ and metadata-base-url is not set, so no update is ever found (set both addresses, or neither)`},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "updates")); diff != "" {
				t.Errorf("faults of updates (-want +got):\n%s", diff)
			}
		})
	}
}
