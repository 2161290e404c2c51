package bootstrapcontainers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/bootstrapcontainers"
)

func TestCheck(t *testing.T) {
	source := valuetest.Parse[scalar.Source](t, "registry.example.org/setup:v1")
	name := *valuetest.Parse[scalar.Identifier](t, "setup")
	other := *valuetest.Parse[scalar.Identifier](t, "disks")
	third := *valuetest.Parse[scalar.Identifier](t, "third")
	tests := []struct {
		name string
		in   bootstrapcontainers.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "complete", in: bootstrapcontainers.Settings{name: {Source: source, Mode: new(scalar.BootstrapOnce)}}},
		{name: "off after a run", in: bootstrapcontainers.Settings{name: {Source: source, Mode: new(scalar.BootstrapOff), Essential: new(true)}}},
		{
			name: "mode and no source", in: bootstrapcontainers.Settings{name: {Mode: new(scalar.BootstrapAlways)}},
			want: []string{"settings.bootstrap-containers.setup.source: mode is always and source is not set, so there is nothing to run (set source to a container image, or mode to off)"},
		},
		{
			name: "off and no source", in: bootstrapcontainers.Settings{name: {Mode: new(scalar.BootstrapOff)}},
			want: []string{"warning: settings.bootstrap-containers.setup.source: source is not set, so the entry does nothing (set source to a container image, or remove the entry)"},
		},
		{
			name: "source and no mode", in: bootstrapcontainers.Settings{name: {Source: source}},
			want: []string{"warning: settings.bootstrap-containers.setup.mode: source is registry.example.org/setup:v1 and mode is not set, which means off: the container never runs (set mode to once or always)"},
		},
		{
			name: "after one that is off, and one that there is not",
			in: bootstrapcontainers.Settings{
				name:  {Source: source, Mode: new(scalar.BootstrapOnce), After: []scalar.Identifier{other, *valuetest.Parse[scalar.Identifier](t, "gone")}},
				other: {Source: source, Mode: new(scalar.BootstrapOff), After: []scalar.Identifier{name}},
			},
		},
		{
			name: "after itself",
			in: bootstrapcontainers.Settings{
				name:  {Source: source, Mode: new(scalar.BootstrapOnce), After: []scalar.Identifier{other}},
				other: {Source: source, Mode: new(scalar.BootstrapAlways), After: []scalar.Identifier{name}},
				third: {Source: source, Mode: new(scalar.BootstrapAlways), After: []scalar.Identifier{name}},
			},
			want: []string{
				"settings.bootstrap-containers.disks.after: the container would run after itself, by way of those that it runs after (take one of them out of after)",
				"settings.bootstrap-containers.setup.after: the container would run after itself, by way of those that it runs after (take one of them out of after)",
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "bootstrap-containers")); diff != "" {
				t.Errorf("faults of bootstrap-containers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	for _, s := range []string{"5m", "1h30m", "0.5s", "1h0m1s"} {
		got, err := bootstrapcontainers.ParseTimeout(s)
		if err != nil || got.String() != s || got.Value() <= 0 {
			t.Errorf("ParseTimeout(%q) = %v (%v), %v, want it as it is", s, got, got.Value(), err)
		}
	}
	for _, s := range []string{"", "0", "0s", "0h0m", "5", "-1s", "1m1h", "1ms", "5 m"} {
		if got, err := bootstrapcontainers.ParseTimeout(s); err == nil {
			t.Errorf("ParseTimeout(%q) = %v, want an error", s, got)
		}
	}
}
