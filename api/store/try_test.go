package store

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bubbleBoot is the clock since boot inside synctest.
type bubbleBoot struct{ start time.Time }

func (bubbleBoot) ID() (string, error)      { return "bubble", nil }
func (b bubbleBoot) Elapsed() time.Duration { return time.Since(b.start) }

// inBubble runs test with a store whose Run is at work, where time passes only
// as the test lets it.
func inBubble(t *testing.T, test func(t *testing.T, n *node, s *Store)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.opt.Boot, n.opt.Now = bubbleBoot{time.Now()}, time.Now
		n.quiet = synctest.Wait // Run may be the one that hands on events
		s := n.open()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		test(t, n, s)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// sleep lets time pass, and whatever falls due happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestTryExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, n *node, s *Store) {
		change(t, s, "a = 1")
		n.told()
		start := time.Now()
		try(t, s, "a = 2\nb = 1", 5*time.Minute)
		wantEvents(t, n, "commit 2 a,b", "try-started 2 ")
		want := &Try{Generation: 2, Base: 1, Duration: 5 * time.Minute, Deadline: start.Add(5 * time.Minute)}
		if diff := cmp.Diff(want, s.Snapshot().Try, cmp.Transformer("utc", time.Time.UTC)); diff != "" {
			t.Errorf("Try (-want +got):\n%s", diff)
		}
		sleep(5*time.Minute - time.Second)
		wantUser(t, s, "a = 2\nb = 1")
		if left, ok := s.TryRemaining(); left != time.Second || !ok {
			t.Errorf("TryRemaining = %v, %v, want 1s", left, ok)
		}
		sleep(time.Second)
		wantUser(t, s, "a = 1")
		wantEvents(t, n, "try-reverted 3 a,b")
		wantHistory(t, s, "1<0", "2<1", "3<2 try-expired")
		if snap := s.Snapshot(); snap.Try != nil || snap.Current.Message != "generation 2 was not confirmed within 5m0s" {
			t.Errorf("after the try: %+v, %q", snap.Try, snap.Current.Message)
		}
		_, err := s.Confirm(t.Context(), ConfirmRequest{})
		wantErr(t, "Confirm too late", err, ErrNoTry)
	})
}

func TestTryConfirmed(t *testing.T) {
	inBubble(t, func(t *testing.T, n *node, s *Store) {
		_, err := s.Confirm(t.Context(), ConfirmRequest{})
		wantErr(t, "Confirm of nothing", err, ErrNoTry)
		try(t, s, "a = 1", time.Minute)
		n.told()
		patch(t, s, "more", "b = 1")
		_, err = s.Commit(t.Context(), CommitRequest{Tx: "more"})
		wantErr(t, "Commit during a try", err, ErrTryPending)
		_, err = s.Confirm(t.Context(), ConfirmRequest{Generation: 7})
		wantErr(t, "Confirm of another generation", err, ErrNoTry)
		sleep(59 * time.Second)
		g, err := s.Confirm(t.Context(), ConfirmRequest{Generation: 1, Actor: tester})
		if err != nil || g.ID != 1 || !g.Try {
			t.Errorf("Confirm = %+v, %v", g, err)
		}
		wantEvents(t, n, "try-confirmed 1 ")
		sleep(time.Hour)
		commit(t, s, "more")
		wantUser(t, s, "a = 1\nb = 1")
		wantHistory(t, s, "1<0", "2<1")
	})
}

func TestTryReverted(t *testing.T) {
	inBubble(t, func(t *testing.T, n *node, s *Store) {
		change(t, s, "a = 1")
		change(t, s, "a = 2")
		try(t, s, "a = 3", time.Minute)
		n.told()
		if _, err := s.Revert(t.Context(), RevertRequest{To: 1}); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, n, "revert 4 a", "try-reverted 4 ")
		sleep(time.Hour)
		wantUser(t, s, "a = 1")
		wantHistory(t, s, "1<0", "2<1", "3<2", "4<3 try-ended")
	})
}

// A revert may be on trial itself. What comes back is never what was only tried.
func TestRevertOnTrial(t *testing.T) {
	inBubble(t, func(t *testing.T, n *node, s *Store) {
		change(t, s, "a = 1")
		change(t, s, "a = 2")
		n.told()
		if _, err := s.Revert(t.Context(), RevertRequest{To: 1, Try: time.Minute}); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, n, "revert 3 a", "try-started 3 ")
		if _, err := s.Revert(t.Context(), RevertRequest{To: 0, Try: 2 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		wantUser(t, s, "")
		if got := s.Snapshot().Try; got == nil || got.Generation != 4 || got.Base != 2 {
			t.Errorf("Try = %+v, want generation 4 on trial, and 2 to come back", got)
		}
		sleep(90 * time.Second)
		wantUser(t, s, "")
		n.stop(s)
		sleep(time.Minute)
		wantUser(t, n.open(), "a = 2")
	})
}

// Nothing happens while nothing is due: Run must not keep the machine awake.
func TestRunRests(t *testing.T) {
	inBubble(t, func(t *testing.T, n *node, s *Store) {
		sleep(time.Second)
		if next, open := s.tend(); next != 0 || !open {
			t.Errorf("tend of an idle store = %v, %v, want no timer", next, open)
		}
		patch(t, s, "t", "a = 1")
		sleep(23 * time.Hour)
		if got := len(s.Transactions()); got != 1 {
			t.Errorf("%d transactions after 23 hours, want 1", got)
		}
		n.told()
		sleep(time.Hour + lookAgain)
		wantEvents(t, n, "tx-expired 0 a")
	})
}

// The end of a try comes by the clock since boot, and without Run at the next
// use or start of the store.
func TestTryAcrossStarts(t *testing.T) {
	tests := []struct {
		name string
		then func(n *node)
		want string
	}{
		{"restart in time", func(n *node) { n.pass(time.Minute - 1) }, "a = 2"},
		{"restart too late", func(n *node) { n.pass(time.Minute) }, "a = 1"},
		{"wall clock far ahead", func(n *node) { n.wall.Store(1e8) }, "a = 2"},
		{"wall clock set back, too late", func(n *node) { n.wall.Store(-1e8); n.pass(time.Hour) }, "a = 1"},
		{"reboot at once", func(n *node) { n.boot = "boot-2" }, "a = 1"},
		{"reboot, less time since boot than before", func(n *node) { n.boot = "boot-2"; n.elapsed.Store(0) }, "a = 1"},
		{"boot id unknown", func(n *node) { n.boot = "" }, "a = 1"},
		{"same boot id with a clock that went back", func(n *node) { n.elapsed.Store(0) }, "a = 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t)
			n.pass(time.Hour)
			s := n.open()
			change(t, s, "a = 1")
			try(t, s, "a = 2", time.Minute)
			n.kill(s)
			n.told()
			tt.then(n)
			s = n.open()
			wantUser(t, s, tt.want)
			if tt.want == "a = 2" {
				if s.Snapshot().Try == nil {
					t.Error("the try is gone")
				}
				wantEvents(t, n)
				if _, err := s.Confirm(t.Context(), ConfirmRequest{}); err != nil {
					t.Errorf("Confirm: %v", err)
				}
				n.pass(time.Hour)
				s = n.reboot(s)
				wantUser(t, s, tt.want)
				return
			}
			wantEvents(t, n, "try-reverted 3 a")
			wantHistory(t, s, "1<0", "2<1", "3<2 try-expired")
		})
	}
}

// The first commit may be a try too; it comes back to nothing.
func TestTryFromNothing(t *testing.T) {
	n := newNode(t)
	s := n.open()
	try(t, s, "a = 1", time.Minute)
	s = n.reboot(s)
	wantUser(t, s, "")
	wantHistory(t, s, "1<0", "2<1 try-expired")
}

// The settings from before the try come back even if they would be refused
// today.
func TestTryComesBackToWhatIsRefusedNow(t *testing.T) {
	n := newNode(t)
	strict := n.opt.Evaluate
	n.opt.Evaluate = nil
	s := n.open()
	change(t, s, "a = 'bad'\nb = 1")
	try(t, s, "a = 'good'", time.Minute)
	n.stop(s)
	n.opt.Evaluate = strict
	n.pass(time.Hour)
	s = n.open()
	wantUser(t, s, "a = 'bad'\nb = 1")
	if got, want := string(s.Snapshot().Effective.JSON()), `{"b":1}`; got != want {
		t.Errorf("Effective = %s, want %s", got, want)
	}
}
