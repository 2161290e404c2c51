package server

import (
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// getTransaction answers GET /tx.
func (s *Server) getTransaction(c *call) error {
	tx, err := c.transaction()
	if err != nil {
		return err
	}
	clear, err := c.reveal()
	if err != nil {
		return err
	}
	pending, _ := s.opt.Store.Pending(tx)
	if !clear {
		pending = s.opt.Schema.RedactPatch(pending)
	}
	return c.send(jsonType, shownPatch(pending, s.opt.Store.Snapshot().User).JSON())
}

// dropTransaction answers DELETE /tx.
func (s *Server) dropTransaction(c *call) error {
	tx, err := c.transaction()
	if err != nil {
		return err
	}
	keys, err := s.opt.Store.Drop(tx)
	if err != nil {
		return err
	}
	c.mention(keys)
	return c.sendJSON(texts(keys))
}

// listTransactions answers GET /tx/list.
func (s *Server) listTransactions(c *call) error {
	details, err := c.query.flag("details")
	if err != nil {
		return err
	}
	all := s.opt.Store.Transactions()
	if details {
		return c.sendJSON(all)
	}
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	return c.sendJSON(names)
}

// commit answers POST /tx/commit.
func (s *Server) commit(c *call) error { return s.commitAnd(c, applying{}) }

// commitAndApply answers POST /tx/commit_and_apply.
func (s *Server) commitAndApply(c *call) error {
	how, err := c.applying()
	if err != nil {
		return err
	}
	return s.commitAnd(c, how)
}

func (s *Server) commitAnd(c *call, how applying) error {
	tx, err := c.transaction()
	if err != nil {
		return err
	}
	message, err := c.query.message()
	if err != nil {
		return err
	}
	c.entry.Message = message
	try, byDefault, err := s.trial(c, tx)
	if err != nil {
		return err
	}
	if how.wanted && s.opt.Applier != nil {
		s.expectApply()
		s.owed.begin()
		defer s.owed.end(s.applies.busy)
	}
	start := time.Now()
	done, err := s.opt.Store.Commit(c.lasting(), store.CommitRequest{
		Tx: tx, IfMatch: c.ifMatch(), Message: message, Actor: c.actor(), Try: try,
	})
	if err != nil {
		return err
	}
	s.metrics.committed(time.Since(start))
	s.tellTrial(c, done.Generation.ID, byDefault)
	return s.sendCommitted(c, done, "commit", how)
}

// tellTrial says in the answer until when a generation is tried, if it is.
func (s *Server) tellTrial(c *call, id uint64, byDefault bool) {
	t := s.opt.Store.Snapshot().Try
	if t == nil || t.Generation != id {
		return
	}
	c.w.Header().Set("Bulkhead-Try-Deadline", t.Deadline.Format(time.RFC3339))
	if byDefault {
		c.w.Header().Set("Bulkhead-Try", "default")
	}
}

// usualTry is for how long a change is tried that may cut its author off.
const usualTry = 5 * time.Minute

// networkKeys are the settings by which the node is reached.
var networkKeys = []key.Key{key.Of("network"), key.Of("dns")}

// trial returns for how long the commit of transaction tx is tried. A caller from
// the network who changes the network may be unable to take that back, so such a
// change is tried unless the caller says something else.
func (s *Server) trial(c *call, tx string) (_ time.Duration, byDefault bool, err error) {
	d, said, err := c.query.try()
	if err != nil || said || c.peer.caller == nil {
		return d, false, err
	}
	pending, _ := s.opt.Store.Pending(tx)
	if !touchNetwork(append(pending.Set.Keys(), pending.Unset...)) {
		return 0, false, nil
	}
	return usualTry, true, nil
}

// touchNetwork reports whether keys are about the network. What is unset may lie
// above its settings, too.
func touchNetwork(keys []key.Key) bool {
	return slices.ContainsFunc(keys, func(k key.Key) bool {
		return slices.ContainsFunc(networkKeys, func(n key.Key) bool { return k.Under(n) || n.Under(k) })
	})
}

// revertTrial returns for how long a revert to generation id is tried: as a
// commit that changes the same settings. Who ends a try of the network by going
// back to the network from before it needs no other one, as that network worked.
func (s *Server) revertTrial(c *call, id uint64) (_ time.Duration, byDefault bool, err error) {
	d, said, err := c.query.try()
	if err != nil || said || c.peer.caller == nil {
		return d, false, err
	}
	snap := s.opt.Store.Snapshot()
	_, to, err := s.opt.Store.Generation(id)
	if err != nil {
		return 0, false, err
	}
	changes := func(from document.Document) bool {
		var keys []key.Key
		for _, change := range document.Diff(from, to) {
			keys = append(keys, change.Key)
		}
		return touchNetwork(keys)
	}
	if !changes(snap.User) {
		return 0, false, nil
	}
	if snap.Try != nil {
		_, proven, err := s.opt.Store.Generation(snap.Try.Base)
		if err != nil || !changes(proven) {
			return 0, false, err
		}
	}
	return usualTry, true, nil
}

// sendCommitted answers a request that made a generation.
func (s *Server) sendCommitted(c *call, done store.Committed, reason string, how applying) error {
	c.entry.Generation = done.Generation.ID
	c.mention(done.Changed)
	c.setNumber("Bulkhead-Generation", done.Generation.ID)
	c.w.Header().Set("Etag", s.opt.Store.Snapshot().ETag())
	c.warn(done.Warnings)
	return s.sendApplied(c, done, reason, how)
}
