package updater_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

func TestAsOf(t *testing.T) {
	slot := func(version string, next bool) *updater.Partition {
		return &updater.Partition{Image: updater.Image{Version: version}, NextToBoot: next}
	}
	ready := updater.Status{State: updater.Ready, ChosenUpdate: &updater.Image{Version: "2"}, ActivePartition: slot("1", false), StagingPartition: slot("2", true)}
	started := updater.Status{State: updater.Idle, ActivePartition: slot("2", true), StagingPartition: slot("1", false)}
	tests := []struct {
		name     string
		in, want updater.Status
		runs     string
	}{
		{"nothing known", updater.Status{}, updater.Status{}, "1"},
		{"before the reboot", ready, ready, "1"},
		{"after it", ready, started, "2"},
		{"another version runs", ready, ready, "3"},
		{"seen by the updater", started, started, "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.in.AsOf(tt.runs)); diff != "" {
				t.Errorf("AsOf(%q) (-want +got):\n%s", tt.runs, diff)
			}
		})
	}
}
