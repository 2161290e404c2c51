package updater

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func night(t *testing.T) *updates.Window {
	t.Helper()
	w, err := config{Window: &window{Start: "22:00", End: "04:00", TimeZone: "Europe/Berlin"}}.hours()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestSchedule(t *testing.T) {
	half := func(d time.Duration) time.Duration { return d / 2 }
	const jitter = 20 * time.Minute
	tests := []struct {
		name   string
		before schedule
		state  updater.State
		always bool // no window
		now    string
		want   deed
		after  schedule
	}{
		{name: "after a boot it waits", now: "2026-07-01 12:00", after: schedule{Look: at("2026-07-01 12:10")}},
		{name: "it looks", before: schedule{Look: at("2026-07-01 12:10")}, now: "2026-07-01 12:10", want: look, after: schedule{Look: at("2026-07-01 13:20")}},
		{name: "it waits again", before: schedule{Look: at("2026-07-01 13:20")}, now: "2026-07-01 13:00", after: schedule{Look: at("2026-07-01 13:20")}},
		{
			name: "it fetches at any time", before: schedule{Look: at("2026-07-01 13:20")}, state: updater.Available, now: "2026-07-01 13:00", want: write,
			after: schedule{Look: at("2026-07-01 13:20")},
		},
		{
			// 22:00 in Berlin is 20:00 here in summer.
			name: "it waits for the window", before: schedule{Look: at("2026-07-01 13:20")}, state: updater.Staged, now: "2026-07-01 13:00",
			after: schedule{Look: at("2026-07-01 13:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
		},
		{
			name: "it looks meanwhile", before: schedule{Look: at("2026-07-01 13:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
			state: updater.Staged, now: "2026-07-01 13:30", want: look,
			after: schedule{Look: at("2026-07-01 14:40"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
		},
		{
			name: "not at once when the window opens", before: schedule{Look: at("2026-07-01 21:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
			state: updater.Staged, now: "2026-07-01 20:05", after: schedule{Look: at("2026-07-01 21:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
		},
		{
			name: "it reboots", before: schedule{Look: at("2026-07-01 21:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
			state: updater.Ready, now: "2026-07-01 20:10", want: switchOver,
			after: schedule{Look: at("2026-07-01 21:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
		},
		{
			name: "staged while the window is about to close", before: schedule{Look: at("2026-07-02 03:20")}, state: updater.Staged, now: "2026-07-02 01:55",
			after: schedule{Look: at("2026-07-02 03:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-02 01:59")},
		},
		{
			name: "the window was missed", before: schedule{Look: at("2026-07-02 13:20"), Opens: at("2026-07-01 20:00"), Reboot: at("2026-07-01 20:10")},
			state: updater.Staged, now: "2026-07-02 12:00", after: schedule{Look: at("2026-07-02 13:20"), Opens: at("2026-07-02 20:00"), Reboot: at("2026-07-02 20:10")},
		},
		{
			name: "without a window it waits a while", before: schedule{Look: at("2026-07-01 13:20")}, state: updater.Staged, always: true, now: "2026-07-01 12:00",
			after: schedule{Look: at("2026-07-01 13:20"), Opens: at("2026-07-01 12:00"), Reboot: at("2026-07-01 12:10")},
		},
		{
			name: "without a window it reboots", before: schedule{Look: at("2026-07-01 13:20"), Opens: at("2026-07-01 12:00"), Reboot: at("2026-07-01 12:10")},
			state: updater.Staged, always: true, now: "2026-07-01 12:15", want: switchOver,
			after: schedule{Look: at("2026-07-01 13:20"), Opens: at("2026-07-01 12:00"), Reboot: at("2026-07-01 12:10")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := night(t)
			if tt.always {
				w = nil
			}
			got, after, err := tt.before.next(tt.state, w, jitter, at(tt.now), half)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("at %s in state %s: deed %d, want %d", tt.now, tt.state, got, tt.want)
			}
			if diff := cmp.Diff(tt.after, after); diff != "" {
				t.Errorf("schedule (-want +got):\n%s", diff)
			}
		})
	}
}
