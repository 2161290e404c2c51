package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api"
	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Host tells about the node on which the daemon runs.
type Host interface {
	// Faults returns what is wrong with the node beyond the daemon.
	Faults(ctx context.Context) []report.Fault
	// Booted reports whether the boot is complete.
	Booted() bool
}

// A health is how the node is.
type health struct {
	Status     string         `json:"status"` // starting, ok or degraded
	Faults     []report.Fault `json:"faults"`
	Generation uint64         `json:"generation"`
	Try        *store.Try     `json:"try,omitempty"`
	Version    string         `json:"version"`
	Variant    string         `json:"variant"`
	Uptime     float64        `json:"uptime"` // seconds
}

// getHealth answers GET /health.
func (s *Server) getHealth(c *call) error {
	snap := s.opt.Store.Snapshot()
	h := health{
		Status: "ok", Faults: s.faults(c.r.Context()), Generation: snap.Current.ID, Try: snap.Try,
		Version: s.opt.OS.VersionID, Variant: s.opt.OS.VariantID,
		Uptime: s.opt.Now().Sub(s.start).Round(time.Millisecond).Seconds(),
	}
	switch {
	case s.opt.Host != nil && !s.opt.Host.Booted():
		h.Status = "starting" // what is wrong now may come right
	case slices.ContainsFunc(h.Faults, func(f report.Fault) bool { return f.Severity != report.Info }):
		h.Status = "degraded"
	}
	return c.sendJSON(h)
}

// faults returns what is wrong with the daemon, the settings or the node, never
// nil.
func (s *Server) faults(ctx context.Context) []report.Fault {
	out := append([]report.Fault{}, s.opt.Store.Health()...)
	if err := s.opt.Notices.Audit.Err(); err != nil {
		out = append(out, report.Fault{Severity: report.Error, Code: codeAudit, Detail: err.Error(), Hint: "changes are made and not recorded until the file can be written again"})
	}
	if a, ok := s.applies.last(); ok && a.Status == applier.Failed {
		out = append(out, report.Fault{
			Severity: report.Error, Code: codeApply, Hint: "GET /applies/" + a.ID + " says more; POST /tx/apply tries again",
			Detail: fmt.Sprintf("generation %d was not applied in full: %s", a.Generation, strings.Join(a.failures(), "; ")),
		})
	}
	out = append(out, s.networkFaults()...)
	out = append(out, s.updates.faults()...)
	if s.opt.Host != nil {
		out = append(out, s.opt.Host.Faults(ctx)...)
	}
	return out
}

// The codes of faults of the daemon.
const (
	codeAudit       report.Code = "audit-not-writable" // the audit log cannot be written
	codeApply       report.Code = "apply-failed"       // the last apply failed
	codeNoPlan      report.Code = "no-plan"            // the apply service gives no plan
	codeNotRendered report.Code = "not-rendered"       // a file cannot be made from the settings
)

// getSchema answers GET /schema. The schema is large and seldom asked for, so
// it is not kept.
func (s *Server) getSchema(c *call) error {
	return c.send(schemaType, s.opt.Schema.JSONSchema(s.opt.Defaults))
}

// getOpenAPI answers GET /openapi.yaml.
func (s *Server) getOpenAPI(c *call) error { return c.send(yamlType, api.OpenAPI) }
