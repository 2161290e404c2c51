package server

import (
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// A plan is what a change would do.
type plan struct {
	Generation uint64            `json:"generation"` // that it starts from
	Changes    []document.Change `json:"changes"`    // of the effective settings
	Faults     []report.Fault    `json:"faults"`
}

// plan answers POST /plan. Nothing is stored.
func (s *Server) plan(c *call) error {
	snap := s.opt.Store.Snapshot()
	user, err := s.planned(c, snap.User)
	if err != nil {
		return err
	}
	var in schema.Input
	if c.r.ContentLength != 0 {
		if in, err = s.readSettings(c); err != nil {
			return err
		}
	}
	effective, rep := s.opt.Evaluate(user.Apply(in.Patch), snap.Generated, store.Commit)
	schema.Locate(&rep, in.Positions)
	rep.Merge(in.Report)
	return c.sendJSON(plan{
		Generation: snap.Current.ID,
		Changes:    s.changes(snap.Effective, effective),
		Faults:     append([]report.Fault{}, rep.Faults...),
	})
}

// planned returns the user layer that the query describes: the current one
// with a transaction, or that of a generation to go back to.
func (s *Server) planned(c *call, user document.Document) (document.Document, error) {
	_, tx := c.query.get("tx")
	id, revert, err := c.query.text("revert")
	switch {
	case err != nil:
		return user, err
	case tx && revert:
		return user, badParameter("revert", "stands beside tx").WithHint("want one of the two")
	case revert:
		n, err := s.generationID("revert", id)
		if err != nil {
			return user, err
		}
		_, doc, err := s.opt.Store.Generation(n)
		return doc, err
	case tx:
		name, err := c.transaction()
		if err != nil {
			return user, err
		}
		pending, _ := s.opt.Store.Pending(name)
		return user.Apply(pending), nil
	}
	return user, nil
}
