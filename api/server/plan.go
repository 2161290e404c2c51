package server

import (
	"context"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	hostplan "github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// planLimit is how long the apply service may think about a plan.
const planLimit = 20 * time.Second

// A plan is what a change would do.
type plan struct {
	Generation uint64            `json:"generation"` // that it starts from
	Changes    []document.Change `json:"changes"`    // of the effective settings
	Faults     []report.Fault    `json:"faults"`
	*hostPart                    // none where it is not known
}

// A hostPart is what an apply of the change would do.
type hostPart struct {
	Files        []hostplan.FileChange `json:"files"`
	DaemonReload bool                  `json:"daemon_reload"`
	Actions      []hostplan.Action     `json:"actions"`
	Units        []hostplan.UnitAction `json:"units"`
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
		if in, err = s.readSettings(c, schema.Options{}); err != nil {
			return err
		}
	}
	effective, rep := s.opt.Evaluate(user.Apply(in.Patch), snap.Generated, store.Commit)
	schema.Locate(&rep, in.Positions)
	rep.Merge(in.Report)
	out := plan{Generation: snap.Current.ID, Changes: s.changes(snap.Effective, effective, false)}
	// Settings that cannot be committed would not be applied either.
	if s.opt.Applier != nil && !rep.HasErrors() {
		out.hostPart = s.hostPlan(c, snap.Current.ID, effective, &rep)
	}
	out.Faults = append([]report.Fault{}, rep.Faults...)
	return c.sendJSON(out)
}

// hostPlan asks what an apply of effective would do. Faults go to rep.
func (s *Server) hostPlan(c *call, generation uint64, effective document.Document, rep *report.Report) *hostPart {
	ctx, cancel := context.WithTimeout(c.r.Context(), planLimit)
	defer cancel()
	p, err := s.opt.Applier.Plan(ctx, s.applyRequest(generation, effective.JSON()))
	if err != nil {
		s.opt.Log.Warn("no plan", "err", err)
		rep.Add(report.Fault{Severity: report.Warning, Code: codeNoPlan, Detail: "which files and units would change is not known: " + err.Error()})
		return nil
	}
	rep.Add(faultsOf(p)...)
	list := &hostPart{append([]hostplan.FileChange{}, p.Files...), p.DaemonReload, append([]hostplan.Action{}, p.Actions...), append([]hostplan.UnitAction{}, p.Units...)}
	return list
}

// faultsOf returns what keeps files from being made, as faults of the settings.
func faultsOf(p applier.Plan) []report.Fault {
	var out []report.Fault
	for _, f := range p.Faults {
		detail := f.Detail
		if f.Path != "" {
			detail = f.Path + " cannot be made: " + detail
		}
		source := f.Package
		if f.Template != "" {
			source += "/" + f.Template
		}
		out = append(out, report.Fault{
			Severity: report.Error, Path: f.Setting, Code: codeNotRendered, Detail: detail,
			Source: source, Line: f.Line, Column: f.Column,
		})
	}
	return out
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
