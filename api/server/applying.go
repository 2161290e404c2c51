package server

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/store"
)

// Kinds of event about applies, beside those of the store.
const (
	eventApplyStarted  = "apply-started"
	eventApplyFinished = "apply-finished"
)

// carryOutApplies carries out what is asked for, one at a time, until ctx ends.
// An apply that is under way then goes on by itself.
func (s *Server) carryOutApplies(ctx context.Context) {
	defer s.applies.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.applies.wake:
		}
		if a, snap := s.applies.begin(s.opt.Store.Snapshot, s.opt.Now()); a != nil {
			s.carryOut(ctx, a, snap)
		}
	}
}

func (s *Server) carryOut(ctx context.Context, a *apply, snap *store.Snapshot) {
	s.announce(eventApplyStarted, a.ID)
	limited, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	r := s.applyRequest(snap.Current.ID, snap.Effective.JSON())
	r.Reason = a.Reason + " by " + a.Actor.Name + ", apply " + a.ID
	res, err := s.opt.Applier.Apply(limited, r, func(i applier.Item) { s.applies.note(a, i) })
	if ctx.Err() != nil && err != nil {
		return // what becomes of it is not for this run of the daemon
	}
	done := s.applies.finish(a, res, err, s.opt.Now())
	s.owed.settle(s.applies.busy())
	s.metrics.applied(string(done.Status), done.Finished.Sub(*done.Started))
	log := s.opt.Log.Info
	if done.Status == applier.Failed {
		log = s.opt.Log.Warn
	}
	log("applied", "apply", done.ID, "generation", done.Generation, "reason", done.Reason, "status", done.Status, "summary", done.summary())
	s.announce(eventApplyFinished, a.ID)
}

// applyRequest returns the request for settings, which are given with their
// secrets.
func (s *Server) applyRequest(generation uint64, effective []byte) applier.Request {
	return applier.Request{Generation: generation, Settings: effective, OS: s.applyOS()}
}

func (s *Server) applyOS() applier.OS {
	o := s.opt.OS
	return applier.OS{Variant: o.VariantID, Arch: o.Arch, Version: o.VersionID, Pretty: o.PrettyName, Build: o.BuildID}
}

// announce publishes an event about the apply called id.
func (s *Server) announce(kind, id string) {
	a, ok := s.applies.find(id)
	if !ok {
		return
	}
	e := struct {
		store.Event
		Apply  string         `json:"apply"`
		Status applier.Status `json:"status"`
	}{store.Event{Kind: kind, Generation: a.Generation, Actor: a.Actor, Time: s.opt.Now()}, a.ID, a.Status}
	if a.finished() {
		e.Message = a.summary()
	}
	data, err := json.Marshal(e)
	if err != nil { // texts, numbers and a time
		panic("server: " + err.Error())
	}
	s.opt.Notices.Events.Publish(kind, data)
}

// applyReverts has applied what tries that revert by themselves bring back. The
// last one may have done so while no daemon was there to have it applied, and a
// daemon may have ended between a commit and its apply.
func (s *Server) applyReverts() {
	apply := func() {
		g := s.opt.Store.Snapshot().Current
		s.applies.request("try-reverted", g.Actor, g.ID, s.opt.Now())
	}
	s.opt.Notices.reverted.Store(&apply)
	switch g := s.opt.Store.Snapshot().Current; {
	case g.Origin == store.OriginTryExpired:
		apply()
	case s.owed.left():
		s.applies.request("interrupted", g.Actor, g.ID, s.opt.Now())
	}
}

// applying says whether a request has its change applied, and how long it waits
// for that.
type applying struct {
	wanted bool
	waits  bool
	wait   time.Duration
}

func (c *call) applying() (applying, error) {
	wait, waits, err := c.query.wait()
	return applying{wanted: true, waits: waits, wait: wait}, err
}

// startApply has the current settings applied for the caller. What is applied
// may cut off callers on the network: unless they wait for it, they have their
// answer first.
func (s *Server) startApply(c *call, reason string, generation uint64, how applying) apply {
	a := s.applies.enter(reason, c.actor(), generation, s.opt.Now())
	if c.peer.caller != nil && !how.waits {
		c.afterwards(s.applies.rouse)
	} else {
		s.applies.rouse()
	}
	c.entry.Note = "apply " + a.ID
	c.w.Header().Set("Bulkhead-Apply", a.ID)
	c.w.Header().Set("Bulkhead-Applied", "started")
	return a
}

// await waits for a and returns how it is then.
func (s *Server) await(c *call, a apply, wait time.Duration) apply {
	// A connection without deadlines, in a test, needs no other one.
	_ = c.deadline(time.Now().Add(wait + s.patience.write))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-a.ended:
	case <-timer.C:
	case <-c.r.Context().Done():
	}
	if now, ok := s.applies.find(a.ID); ok {
		a = now
	}
	switch a.Status {
	case applier.OK, applier.Nothing:
		c.w.Header().Set("Bulkhead-Applied", "ok")
	case applier.Failed:
		c.w.Header().Set("Bulkhead-Applied", "failed")
	}
	return a
}

// An applied change is the answer to who waits for it.
type appliedChange struct {
	Changed []string `json:"changed"`
	Apply   *apply   `json:"apply,omitempty"` // none where nothing applies settings
}

// sendApplied answers a request that changed settings and may have them
// applied.
func (s *Server) sendApplied(c *call, done store.Committed, reason string, how applying) error {
	names := texts(done.Changed)
	var a *apply
	switch {
	case !how.wanted:
	case s.opt.Applier == nil:
		c.w.Header().Set("Bulkhead-Applied", "no")
	default:
		started := s.startApply(c, reason, done.Generation.ID, how)
		a = &started
	}
	if !how.waits {
		return c.sendJSON(names)
	}
	if a != nil {
		*a = s.await(c, *a, how.wait)
	}
	return c.sendJSON(appliedChange{names, a})
}

// applyCurrent answers POST /tx/apply. The keys are only looked at: settings are
// applied as a whole, and what does not change touches nothing.
func (s *Server) applyCurrent(c *call) error {
	names, given, err := c.query.text("keys")
	if err != nil {
		return err
	}
	if given {
		keys, err := s.parseKeys(names)
		if err != nil {
			return err
		}
		c.mention(keys)
	}
	how, err := c.applying()
	if err != nil {
		return err
	}
	if s.opt.Applier == nil {
		return problem.New(problem.NoApply, "settings are stored and served, and nothing here applies them").
			WithHint("the daemon runs without an apply service, as in a sandbox")
	}
	a := s.startApply(c, "apply", s.opt.Store.Snapshot().Current.ID, how)
	if !how.waits {
		return c.done()
	}
	return c.sendJSON(s.await(c, a, how.wait))
}

// listApplies answers GET /applies.
func (s *Server) listApplies(c *call) error {
	limit, err := c.query.number("limit", keptApplies, maxLimit)
	if err != nil {
		return err
	}
	return c.sendJSON(s.applies.newest(int(limit)))
}

// getApply answers GET /applies/{id}.
func (s *Server) getApply(c *call) error {
	id := chi.URLParam(c.r, "id")
	a, ok := s.applies.find(id)
	if !ok {
		return problem.New(problem.UnknownApply, "there is no apply %q", shorten(id)).WithHint("GET /applies lists those since the daemon started")
	}
	return c.sendJSON(a)
}
