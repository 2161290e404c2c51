package up

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
)

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A turn is what a node answers until a time after its start.
type turn struct {
	until  time.Duration
	status string // empty for no answer
}

func TestVigil(t *testing.T) {
	const long = time.Hour
	tests := []struct {
		name  string
		turns []turn
		offAt time.Duration // 0 for never
		want  string        // the error
		took  time.Duration
		said  []string
	}{
		{name: "healthy already", turns: []turn{{long, "ok"}}},
		{name: "usual", turns: []turn{{5 * time.Second, ""}, {8 * time.Second, "starting"}, {long, "ok"}}, took: 8 * time.Second},
		{
			name: "slow", turns: []turn{{25 * time.Second, ""}, {45 * time.Second, "starting"}, {long, "ok"}}, took: 45 * time.Second,
			said: []string{"does not answer yet", "says that it is starting"},
		},
		{name: "degraded for a moment", turns: []turn{{10 * time.Second, "degraded"}, {long, "ok"}}, took: 10 * time.Second},
		{
			name: "degraded for good", turns: []turn{{time.Second, ""}, {long, "degraded"}}, took: 21500 * time.Millisecond,
			want: "it is up, reachable and degraded:\nDATA is full (delete something)\nwarning: it is late", said: []string{"says that it is degraded"},
		},
		{name: "goes off", turns: []turn{{long, ""}}, offAt: 7 * time.Second, took: 7 * time.Second, want: "it is off: it switched itself off"},
		{
			name: "never", turns: []turn{{long, ""}}, took: time.Minute,
			want: "not healthy in time; it does not answer yet: nobody there", said: []string{"does not answer yet", "does not answer yet"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("not healthy in time"))
				defer cancel()
				var said []string
				_, err := vigil{
					health: func(context.Context) (client.Health, error) { return answer(tt.turns, time.Since(start)) },
					on: func(context.Context) error {
						if tt.offAt > 0 && time.Since(start) >= tt.offAt {
							return fmt.Errorf("%w: it switched itself off", errOff)
						}
						return nil
					},
					say: func(text string) { said = append(said, text) },
				}.keep(ctx)
				if diff := cmp.Diff(tt.want, text(err)); diff != "" {
					t.Errorf("keep: error (-want +got):\n%s", diff)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("keep took %s, want %s", took, tt.took)
				}
				if diff := cmp.Diff(tt.said, said); diff != "" {
					t.Errorf("keep said (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func answer(turns []turn, at time.Duration) (client.Health, error) {
	for _, turn := range turns {
		if at >= turn.until {
			continue
		}
		h := client.Health{Status: turn.status}
		switch turn.status {
		case "":
			return h, errors.New("nobody there")
		case "degraded":
			h.Faults = []report.Fault{
				{Severity: report.Error, Detail: "DATA is full", Hint: "delete something"},
				{Severity: report.Warning, Detail: "it is late"},
			}
		}
		return h, nil
	}
	return client.Health{}, errors.New("asked too often")
}

func TestPhase(t *testing.T) {
	tests := []struct {
		name, line, want string
		ok               bool
	}{
		{"firmware", `BdsDxe: starting Boot0001 "UEFI Misc Device" from PciRoot(0x0)`, "the firmware starts the boot loader", true},
		{"ready", "bulkhead 1.2.3 (qemu-dev) is ready", "bulkhead 1.2.3 (qemu-dev) is ready", true},
		{"panic", "[    1.2] Kernel panic - not syncing: x", "[    1.2] Kernel panic - not syncing: x", true},
		{"row of the screen", "  address  192.0.2.1", "", false},
		{"nothing", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := phase(tt.line); got != tt.want || ok != tt.ok {
				t.Errorf("phase(%q) = %q, %t, want %q, %t", tt.line, got, ok, tt.want, tt.ok)
			}
		})
	}
}
