package store

import (
	"context"
	"time"
)

const (
	// copyDelay gathers commits that follow one another into one plain copy.
	copyDelay = 500 * time.Millisecond
	copyRetry = 30 * time.Second
	tryRetry  = 10 * time.Second
	// A timer stands still while the machine is suspended, the clock since
	// boot does not. So what hangs on that clock is looked at this often.
	lookAgain = time.Minute
)

// Run does what time brings: it ends tries, discards forgotten transactions
// and writes the plain copy. It returns nil when ctx ends or the store is
// closed. Without it these things happen when the next change is made and at
// Close.
func (s *Store) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wake:
		}
		next, open := s.tend()
		if !open {
			return nil
		}
		timer.Stop()
		if next > 0 {
			timer.Reset(next)
		}
	}
}

// tend does what is due and returns when there will be something again; zero
// means not before something changes.
func (s *Store) tend() (next time.Duration, open bool) {
	if due := s.copyDueAt(); !due.IsZero() && !time.Now().Before(due) {
		s.writeCopy()
	}
	s.mu.Lock()
	defer s.end()
	if s.closed {
		return 0, false
	}
	s.expire()
	if err := s.settle(); err != nil {
		s.opt.Log.Error("end of try could not be recorded", "err", err)
	}
	return s.nextWork(), true
}

func (s *Store) nextWork() time.Duration {
	var next time.Duration
	within := func(d time.Duration) {
		if d = max(d, time.Millisecond); next == 0 || d < next {
			next = d
		}
	}
	elapsed := s.opt.Boot.Elapsed()
	switch t := s.state.Try; {
	case t == nil:
	case s.tryOver():
		within(tryRetry)
	default:
		within(min(lookAgain, time.Duration(t.Deadline)-elapsed))
	}
	for _, t := range s.pending {
		within(min(lookAgain, t.used+lifetime-elapsed))
	}
	if !s.copyDue.IsZero() {
		within(time.Until(s.copyDue))
	}
	return next
}
