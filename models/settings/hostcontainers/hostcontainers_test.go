package hostcontainers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/hostcontainers"
)

func TestCheck(t *testing.T) {
	source := valuetest.Parse[scalar.Source](t, "registry.example.org/admin:v1")
	admin := *valuetest.Parse[scalar.Identifier](t, "admin")
	control := *valuetest.Parse[scalar.Identifier](t, "control")
	tests := []struct {
		name string
		in   hostcontainers.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "enabled with source", in: hostcontainers.Settings{admin: {Source: source, Enabled: new(true)}}},
		{name: "disabled without source", in: hostcontainers.Settings{admin: {Enabled: new(false)}, control: {Superpowered: new(true)}}},
		{
			name: "two enabled without source", in: hostcontainers.Settings{control: {Enabled: new(true)}, admin: {Enabled: new(true)}},
			want: []string{
				"settings.host-containers.admin.source: enabled is true and source is not set, so there is nothing to run (set source to a container image, or enabled to false)",
				"settings.host-containers.control.source: enabled is true and source is not set, so there is nothing to run (set source to a container image, or enabled to false)",
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "host-containers")); diff != "" {
				t.Errorf("faults of host-containers (-want +got):\n%s", diff)
			}
		})
	}
}
