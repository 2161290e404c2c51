package server

import (
	"context"
	"time"
)

const (
	// warmTime is how long the apply service is taken to stay ready. It stays
	// for longer than that after each request.
	warmTime = 10 * time.Second
	// warmLimit is how long it may take to get ready.
	warmLimit = 10 * time.Second
)

// expectApply notes that an apply is likely to be asked for soon.
func (s *Server) expectApply() {
	select {
	case s.expected <- struct{}{}:
	default: // that is known
	}
}

// warmApplies has the apply service get ready while callers still prepare what
// is to be applied, until ctx ends. What goes wrong shows in the apply itself.
func (s *Server) warmApplies(ctx context.Context) {
	var next time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.expected:
		}
		if s.applies.busy() || time.Now().Before(next) {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, warmLimit)
		if err := s.opt.Applier.Warm(limited, s.applyOS()); err != nil {
			s.opt.Log.Debug("apply service did not get ready", "err", err)
		}
		cancel()
		next = time.Now().Add(warmTime)
	}
}
