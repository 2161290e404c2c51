package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/store"
)

// A warmedApplier counts how often it is to get ready, which takes a second.
type warmedApplier struct {
	slowApplier
	times *int
	err   error
}

func (w warmedApplier) Warm(ctx context.Context, _ applier.OS) error {
	*w.times++
	select {
	case <-time.After(time.Second):
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The apply service is made ready once for many changes, and again when it may
// have ended meanwhile.
func TestWarmApplies(t *testing.T) {
	tests := []struct {
		name  string
		after []time.Duration // when an apply is expected, each after the one before
		err   error
		busy  bool
		want  int
	}{
		{name: "never"},
		{name: "once", after: []time.Duration{0}, want: 1},
		{name: "while it gets ready", after: []time.Duration{0, time.Second / 2, 0}, want: 1},
		{name: "shortly afterwards", after: []time.Duration{0, warmTime}, want: 1},
		{name: "later", after: []time.Duration{0, warmTime + 2*time.Second}, want: 2},
		{name: "after a failure", after: []time.Duration{0, 2 * time.Second, warmTime}, err: errors.New("gone"), want: 2},
		{name: "during an apply", after: []time.Duration{0}, busy: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := 0
				s := &Server{
					opt: Options{Applier: warmedApplier{times: &got, err: tt.err}, Log: slog.New(slog.DiscardHandler)}, applies: newApplies(), expected: make(chan struct{}, 1),
				}
				if tt.busy {
					s.applies.request("commit", store.Actor{}, 1, time.Now())
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					s.warmApplies(ctx)
					close(ended)
				}()
				for _, d := range tt.after {
					time.Sleep(d)
					s.expectApply()
					synctest.Wait()
				}
				time.Sleep(2 * time.Second)
				cancel()
				<-ended
				if got != tt.want {
					t.Errorf("applies expected after %v: the service was to get ready %d times, want %d", tt.after, got, tt.want)
				}
			})
		})
	}
}
