package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// answers say which problem an error is. The first that fits counts.
var answers = []struct {
	err  error
	kind problem.Kind
	hint string
}{
	{store.ErrStale, problem.Stale, "read the settings again, and repeat the request with the ETag of that answer"},
	{store.ErrNothingPending, problem.NothingPending, ""},
	{store.ErrTooManyTransactions, problem.TooManyTransactions, "commit or drop some of those that GET /tx/list shows"},
	{store.ErrTransactionName, problem.InvalidTransaction, ""},
	{store.ErrTryPending, problem.TryPending, "POST /confirm keeps it, POST /generations/{id}/revert goes back"},
	{store.ErrNoTry, problem.NoTry, ""},
	{store.ErrNoGeneration, problem.NoGeneration, "GET /generations lists those that are kept"},
	{store.ErrNoSpace, problem.NoSpace, ""},
	{store.ErrReadOnly, problem.ReadOnly, "GET /health says more"},
	{store.ErrClosed, problem.Busy, "the daemon is ending"},
	{event.ErrTooManyStreams, problem.TooManyStreams, ""},
	{event.ErrClosed, problem.Busy, "the daemon is ending"},
}

// problemFrom returns the answer for err. What it does not know becomes a 500
// without the cause, which is for the log.
func (s *Server) problemFrom(c *call, err error) *problem.Problem {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if r, ok := errors.AsType[*report.Refusal](err); ok {
		return problem.Invalid(r.Report)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.New(problem.TooLarge, "the body has more than %d bytes", tooLarge.Limit)
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return s.known(c, err, a.kind, a.hint)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return problem.New(problem.BadRequest, "the request ended before it was read")
	}
	id := s.requestID()
	s.opt.Log.Error("request failed", "request", id, "method", c.r.Method, "route", c.route.Path, "err", err)
	return internalProblem(id)
}

// known returns the problem of an error with an answer of its own. The causes
// of storage errors name files and are for the log.
func (s *Server) known(c *call, err error, kind problem.Kind, hint string) *problem.Problem {
	var p *problem.Problem
	switch {
	case kind.Code == problem.NothingPending.Code:
		p = problem.New(kind, "nothing is pending in transaction %s", c.entry.Tx)
	case kind.Code == problem.TryPending.Code: // whichever transaction it was that has to wait
		p = problem.New(kind, "%v", store.ErrTryPending)
	case kind.Status >= http.StatusInternalServerError:
		s.opt.Log.Error("request failed", "method", c.r.Method, "route", c.route.Path, "err", err)
		p = problem.New(kind, "%s", kind.Title)
	default:
		p = problem.New(kind, "%v", err)
	}
	p.Hint = hint
	return p
}

func (s *Server) requestID() string { return fmt.Sprintf("%s-%d", s.epoch, s.requests.Add(1)) }

func internalProblem(id string) *problem.Problem {
	p := problem.New(problem.Internal, "the daemon has a fault; its log has the cause under request %s", id)
	p.Instance = "urn:bulkhead:request:" + id
	return p
}

func (s *Server) logPanic(c *call, v any) (id string) {
	id = s.requestID()
	s.opt.Log.Error("handler panicked", "request", id, "method", c.r.Method, "route", c.route.Path, "panic", v, "stack", string(debug.Stack()))
	return id
}
