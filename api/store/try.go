package store

import (
	"context"
	"fmt"
	"time"
)

// A ConfirmRequest asks to keep a generation that is being tried.
type ConfirmRequest struct {
	Generation uint64 // 0 stands for whichever is being tried
	Actor      Actor
}

// Confirm keeps the generation that is being tried and returns it.
func (s *Store) Confirm(ctx context.Context, r ConfirmRequest) (Generation, error) {
	if err := s.begin(ctx); err != nil {
		return Generation{}, fmt.Errorf("confirm: %w", err)
	}
	defer s.end()
	t := s.state.Try
	if t == nil || r.Generation != 0 && r.Generation != t.Generation {
		return Generation{}, fmt.Errorf("confirm: %w", ErrNoTry)
	}
	next := s.state
	next.Try = nil
	if err := s.write(next, nothing); err != nil {
		return Generation{}, fmt.Errorf("confirm generation %d: %w", t.Generation, err)
	}
	s.base = layer{}
	s.copySoon()
	s.publish()
	s.post(EventTryConfirmed, r.Actor, nil, fmt.Sprintf("generation %d is kept", t.Generation))
	return s.shown(), nil
}

// TryRemaining returns how long the current generation may still be
// confirmed. It reports false when none is being tried.
func (s *Store) TryRemaining() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Try == nil || s.tryOver() {
		return 0, false
	}
	return time.Duration(s.state.Try.Deadline) - s.opt.Boot.Elapsed(), true
}

// tryOver reports whether the time of the try has passed. A reboot ends it, and
// so does a clock that contradicts when it was started.
func (s *Store) tryOver() bool {
	t := s.state.Try
	left := t.Deadline - int64(s.opt.Boot.Elapsed())
	return t.Boot != s.boot || left <= 0 || left > t.Duration
}

// settle ends a try whose time has passed, by a generation with the document
// from before. When that cannot be written the old settings are shown all the
// same, and every later change tries again first.
func (s *Store) settle() error {
	t := s.state.Try
	if t == nil || !s.tryOver() {
		return nil
	}
	message := fmt.Sprintf("generation %d was not confirmed within %v", t.Generation, time.Duration(t.Duration))
	changed := differences(s.user.doc, s.base.doc)
	now := s.evaluate(s.base.doc, Stored)
	_, err := s.add(addition{
		doc: s.base.doc, changed: changed, now: now,
		header: header{Generation: Generation{Actor: internal, Message: message, Origin: OriginTryExpired}},
	})
	switch {
	case err == nil:
		s.publish()
		s.post(EventTryReverted, internal, changed, message)
	case !s.overdue && s.state.Try != nil:
		s.overdue, s.now = true, now
		s.publish()
		s.post(EventTryReverted, internal, changed, message+"; not recorded yet")
	}
	return err
}
