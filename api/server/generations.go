package server

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
)

// A generation is a store's generation as it is shown.
type generation struct {
	store.Generation
	Current   bool       `json:"current"`
	Confirmed bool       `json:"confirmed"`          // false: it is being tried, or its try was not confirmed in time
	Deadline  *time.Time `json:"deadline,omitempty"` // when it reverts, unless it is confirmed
}

// describe adds to g what snap and the generation after g tell about it.
func describe(g store.Generation, snap *store.Snapshot, next *store.Generation) generation {
	out := generation{Generation: g, Current: g.ID == snap.Current.ID, Confirmed: true}
	switch t := snap.Try; {
	case t != nil && t.Generation == g.ID:
		out.Confirmed, out.Deadline = false, &t.Deadline
	case g.Try && next != nil && next.Parent == g.ID && (next.Origin == store.OriginTryExpired || next.Origin == store.OriginTryEnded):
		out.Confirmed = false
	}
	return out
}

const (
	defaultLimit = 50
	maxLimit     = 10000
)

// listGenerations answers GET /generations.
func (s *Server) listGenerations(c *call) error {
	limit, err := c.query.number("limit", defaultLimit, maxLimit)
	if err != nil {
		return err
	}
	before, err := c.query.number("before", 0, maxID)
	if err != nil {
		return err
	}
	snap := s.opt.Store.Snapshot()
	out := []generation{}
	next := s.follower(before)
	if limit > 0 {
		for _, g := range s.opt.Store.Generations(int(limit), before) {
			out = append(out, describe(g, snap, next))
			next = &g
		}
	}
	return c.sendJSON(out)
}

const maxID = 1<<63 - 1

// follower returns the generation id, if it is kept, for those before it.
func (s *Server) follower(id uint64) *store.Generation {
	if id == 0 {
		return nil
	}
	if g := s.opt.Store.Generations(1, id+1); len(g) == 1 && g[0].ID == id {
		return &g[0]
	}
	return nil
}

// generation reads the generation that the path names.
func (s *Server) generation(c *call) (store.Generation, document.Document, error) {
	id, err := s.generationID("id", chi.URLParam(c.r, "id"))
	if err != nil {
		return store.Generation{}, document.Document{}, err
	}
	return s.opt.Store.Generation(id)
}

// generationID reads the number of a generation, or "current".
func (s *Server) generationID(name, text string) (uint64, error) {
	if text == "current" {
		return s.opt.Store.Snapshot().Current.ID, nil
	}
	id, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, badParameter(name, "%q is not the number of a generation", shorten(text)).WithHint(`want a number, or "current"`)
	}
	return id, nil
}

// getGeneration answers GET /generations/{id}.
func (s *Server) getGeneration(c *call) error {
	format, err := c.query.choice("format", "json", "toml")
	if err != nil {
		return err
	}
	clear, err := c.reveal()
	if err != nil {
		return err
	}
	g, doc, err := s.generation(c)
	if err != nil {
		return err
	}
	if !clear {
		doc = s.opt.Schema.Redact(doc)
	}
	if format == "toml" {
		return c.send(tomlType, doc.TOML())
	}
	return c.sendJSON(struct {
		generation
		Settings json.RawMessage `json:"settings"`
	}{describe(g, s.opt.Store.Snapshot(), s.follower(g.ID+1)), doc.JSON()})
}

// A difference is what leads from one generation to another.
type difference struct {
	From    uint64            `json:"from"`
	To      uint64            `json:"to"`
	Changes []document.Change `json:"changes"`
}

// diffGenerations answers GET /generations/{id}/diff: with to, what leads from
// the generation to that one, without, what it changed in its parent.
func (s *Server) diffGenerations(c *call) error {
	to, given, err := c.query.text("to")
	if err != nil {
		return err
	}
	clear, err := c.reveal()
	if err != nil {
		return err
	}
	g, doc, err := s.generation(c)
	if err != nil {
		return err
	}
	if !given {
		_, parent, err := s.opt.Store.Generation(g.Parent)
		if err != nil {
			return err
		}
		return c.sendJSON(difference{g.Parent, g.ID, s.changes(parent, doc, clear)})
	}
	id, err := s.generationID("to", to)
	if err != nil {
		return err
	}
	_, other, err := s.opt.Store.Generation(id)
	if err != nil {
		return err
	}
	return c.sendJSON(difference{g.ID, id, s.changes(doc, other, clear)})
}

// changes returns what leads from a to b, never nil. Secrets are hidden unless
// they are to be shown clear.
func (s *Server) changes(a, b document.Document, clear bool) []document.Change {
	changes := document.Diff(a, b)
	if !clear {
		changes = s.opt.Schema.RedactChanges(changes)
	}
	return append([]document.Change{}, changes...)
}

// revert answers POST /generations/{id}/revert.
func (s *Server) revert(c *call) error {
	how, err := c.applying()
	if err != nil {
		return err
	}
	wanted, err := c.query.choice("apply", "1", "0")
	if err != nil {
		return err
	}
	how.wanted = wanted == "1"
	message, err := c.query.message()
	if err != nil {
		return err
	}
	c.entry.Message = message
	id, err := s.generationID("id", chi.URLParam(c.r, "id"))
	if err != nil {
		return err
	}
	try, byDefault, err := s.revertTrial(c, id)
	if err != nil {
		return err
	}
	if how.wanted && s.opt.Applier != nil {
		s.expectApply()
		s.owed.begin()
		defer s.owed.end(s.applies.busy)
	}
	done, err := s.opt.Store.Revert(c.lasting(), store.RevertRequest{To: id, IfMatch: c.ifMatch(), Message: message, Actor: c.actor(), Try: try})
	if err != nil {
		return err
	}
	s.tellTrial(c, done.Generation.ID, byDefault)
	return s.sendCommitted(c, done, "revert", how)
}

// confirm answers POST /confirm.
func (s *Server) confirm(c *call) error {
	id, err := c.query.number("generation", 0, maxID)
	if err != nil {
		return err
	}
	if _, given := c.query.get("generation"); given && id == 0 {
		return problem.New(problem.NoTry, "generation 0 is never tried")
	}
	g, err := s.opt.Store.Confirm(c.lasting(), store.ConfirmRequest{Generation: id, Actor: c.actor()})
	if err != nil {
		return err
	}
	c.entry.Generation = g.ID
	return c.sendJSON(describe(g, s.opt.Store.Snapshot(), nil))
}
