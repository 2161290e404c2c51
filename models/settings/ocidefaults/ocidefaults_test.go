package ocidefaults_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/ocidefaults"
)

func TestCheck(t *testing.T) {
	limit := func(hard, soft int64) ocidefaults.ResourceLimit {
		h, err := scalar.NewLimit(hard)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scalar.NewLimit(soft)
		if err != nil {
			t.Fatal(err)
		}
		return ocidefaults.ResourceLimit{Hard: &h, Soft: &s}
	}
	tests := []struct {
		name string
		in   ocidefaults.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "in order", in: ocidefaults.Settings{ResourceLimits: map[ocidefaults.LimitName]ocidefaults.ResourceLimit{
			ocidefaults.MaxOpenFiles:    limit(1024, 1024),
			ocidefaults.MaxLockedMemory: limit(-1, 1024),
			ocidefaults.MaxProcesses:    limit(-1, -1),
			ocidefaults.MaxStackSize:    {},
		}}},
		{
			name: "soft above hard",
			in: ocidefaults.Settings{ResourceLimits: map[ocidefaults.LimitName]ocidefaults.ResourceLimit{
				ocidefaults.MaxOpenFiles:    limit(1024, 4096),
				ocidefaults.MaxLockedMemory: limit(1024, -1),
			}},
			want: []string{
				"settings.oci-defaults.resource-limits.max-locked-memory.soft-limit: soft-limit is unlimited and hard-limit is 1024 (want a soft limit that is at most the hard limit)",
				"settings.oci-defaults.resource-limits.max-open-files.soft-limit: soft-limit is 4096 and hard-limit is 1024 (want a soft limit that is at most the hard limit)",
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "oci-defaults")); diff != "" {
				t.Errorf("faults of oci-defaults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	capabilities, limits := ocidefaults.Capability("").Rule().Enum, ocidefaults.LimitName("").Rule().Enum
	if len(capabilities) != 41 || len(limits) != 16 {
		t.Errorf("%d capabilities and %d limits, want 41 and 16", len(capabilities), len(limits))
	}
	for name, want := range map[ocidefaults.Capability]string{
		"chown": "CAP_CHOWN", "net-bind-service": "CAP_NET_BIND_SERVICE", "sys-tty-config": "CAP_SYS_TTY_CONFIG",
	} {
		if got := name.Linux(); got != want {
			t.Errorf("Linux of %s = %s, want %s", name, got, want)
		}
	}
	for name, want := range map[ocidefaults.LimitName]string{
		"max-address-space": "RLIMIT_AS", "max-open-files": "RLIMIT_NOFILE", "max-realtime-timeout": "RLIMIT_RTTIME",
	} {
		if got := name.Linux(); got != want {
			t.Errorf("Linux of %s = %s, want %s", name, got, want)
		}
	}
}
