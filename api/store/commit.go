package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A CommitRequest asks to make a transaction current.
type CommitRequest struct {
	Tx      string
	IfMatch string // condition on the current settings, as in the HTTP header
	Message string
	Origin  string
	Actor   Actor
	Try     time.Duration // above zero: revert after this time unless confirmed
}

// A Committed is what a commit did.
type Committed struct {
	Generation Generation
	Changed    []key.Key // what the change mentions, also where the value stayed the same
	Warnings   report.Report
}

// Commit makes the pending changes of a transaction current, as a new
// generation. A *report.Refusal says that the settings it leads to are not
// acceptable; the transaction then stays as it is.
func (s *Store) Commit(ctx context.Context, r CommitRequest) (Committed, error) {
	if err := validName(r.Tx); err != nil {
		return Committed{}, err
	}
	if err := s.begin(ctx); err != nil {
		return Committed{}, fmt.Errorf("commit transaction %s: %w", r.Tx, err)
	}
	defer s.end()
	c, err := s.commitTransaction(r)
	if err != nil {
		return Committed{}, fmt.Errorf("commit transaction %s: %w", r.Tx, err)
	}
	return c, nil
}

func (s *Store) commitTransaction(r CommitRequest) (Committed, error) {
	t, ok := s.pending[r.Tx]
	switch err := s.Snapshot().match(r.IfMatch); {
	case err != nil:
		return Committed{}, err
	case !ok:
		return Committed{}, ErrNothingPending
	case s.state.Try != nil:
		return Committed{}, ErrTryPending
	case len(r.Message) > maxMessage:
		return Committed{}, tooLarge("message", fmt.Sprintf("the message has %d bytes", len(r.Message)), maxMessage)
	}
	doc := lay(s.user.doc, t.patch)
	now := s.evaluate(doc, Commit)
	if err := now.report.Err(); err != nil {
		return Committed{}, err
	}
	changed := changes(s.user.doc, doc, t.patch)
	if len(changed) == 0 { // it only unsets what is not set
		s.forget(t)
		return Committed{}, ErrNothingPending
	}
	gen, err := s.add(addition{
		doc: doc, changed: changed, try: r.Try, now: now,
		header: header{Generation: Generation{Actor: r.Actor, Message: r.Message, Origin: r.Origin}, Nonce: t.nonce},
	})
	if err != nil {
		return Committed{}, err
	}
	// From here on the generation lasts. Should the file of the transaction
	// stay behind, the nonce in the generation tells that it is done.
	s.forget(t)
	s.publish()
	s.post(EventCommit, r.Actor, changed, r.Message)
	s.postTry(r.Actor, gen)
	return Committed{Generation: gen, Changed: changed, Warnings: now.report}, nil
}

// postTry tells that a generation is on trial, if it is.
func (s *Store) postTry(actor Actor, g Generation) {
	if t := s.state.Try; t != nil && t.Generation == g.ID {
		s.post(EventTryStarted, actor, nil, fmt.Sprintf("generation %d reverts to %d in %v unless it is confirmed", g.ID, t.Base, time.Duration(t.Duration)))
	}
}

// A RevertRequest asks for the document of an older generation.
type RevertRequest struct {
	To      uint64 // 0 stands for the empty document
	IfMatch string
	Message string
	Actor   Actor
	Try     time.Duration // above zero: take it back after this time unless confirmed
}

// Revert adds a generation with the document of an older one. A try is over
// then. Where the revert itself is on trial, what comes back unless it is confirmed
// is what nobody tries: the settings from before that other try.
func (s *Store) Revert(ctx context.Context, r RevertRequest) (Committed, error) {
	if err := s.begin(ctx); err != nil {
		return Committed{}, fmt.Errorf("revert to generation %d: %w", r.To, err)
	}
	defer s.end()
	c, err := s.revert(r)
	if err != nil {
		return Committed{}, fmt.Errorf("revert to generation %d: %w", r.To, err)
	}
	return c, nil
}

func (s *Store) revert(r RevertRequest) (Committed, error) {
	if err := s.Snapshot().match(r.IfMatch); err != nil {
		return Committed{}, err
	}
	if _, ok := s.generation(r.To); !ok {
		return Committed{}, ErrNoGeneration
	}
	if len(r.Message) > maxMessage {
		return Committed{}, tooLarge("message", fmt.Sprintf("the message has %d bytes", len(r.Message)), maxMessage)
	}
	to, raw, err := s.lookup(r.To)
	if raw != nil {
		to, err = decodeLayer(raw)
	}
	if err != nil {
		return Committed{}, err
	}
	now := s.evaluate(to.doc, Commit)
	if err := now.report.Err(); err != nil {
		return Committed{}, err
	}
	changed, try, origin := differences(s.user.doc, to.doc), s.state.Try, OriginRevert
	if try != nil {
		origin = OriginTryEnded
	}
	gen, err := s.add(addition{
		doc: to.doc, changed: changed, try: r.Try, now: now,
		header: header{Generation: Generation{Actor: r.Actor, Message: r.Message, Origin: origin}},
	})
	if err != nil {
		return Committed{}, err
	}
	s.publish()
	s.post(EventRevert, r.Actor, changed, fmt.Sprintf("reverted to generation %d", r.To))
	if try != nil {
		s.post(EventTryReverted, r.Actor, nil, fmt.Sprintf("the try of generation %d was ended by a revert", try.Generation))
	}
	s.postTry(r.Actor, gen)
	return Committed{Generation: gen, Changed: changed, Warnings: now.report}, nil
}

// lay returns d changed by p. Where the shapes of settings have changed since
// d was stored, a leaf of d may stand where p has a table, or a table where p
// has a leaf; p wins.
func lay(d document.Document, p document.Patch) document.Document {
	out := d.Apply(p)
	lost := map[key.Key]bool{}
	var above key.Key
	for k := range out.All() {
		if !above.IsRoot() && k.Under(above) {
			if _, ours := p.Set.Get(above); ours {
				lost[k] = true
				continue
			}
			lost[above] = true
		}
		above = k
	}
	if len(lost) == 0 {
		return out
	}
	return out.Filter(func(k key.Key, _ document.Value) bool { return !lost[k] })
}

// changes returns the keys that the change from before to after by p
// mentions: what it sets and what it removed.
func changes(before, after document.Document, p document.Patch) []key.Key {
	keys := p.Set.Keys()
	for k := range before.All() {
		if _, there := after.Get(k); !there {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, key.Key.Compare)
	return slices.Compact(keys)
}

func differences(a, b document.Document) []key.Key {
	var keys []key.Key
	for _, c := range document.Diff(a, b) {
		keys = append(keys, c.Key)
	}
	return keys
}
