package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
)

// An Updater finds, fetches and activates updates.
type Updater interface {
	// Ask returns when the work has begun or was refused.
	Ask(ctx context.Context, r updater.Request, bundle io.Reader) (updater.Answer, error)
	// Status returns how updates stand, or updater.ErrNoStatus.
	Status() (updater.Status, error)
	// History returns the last events, the newest first.
	History(limit int) ([]updater.Event, error)
	// Busy reports whether an action goes on.
	Busy() (bool, error)
	// Watch calls changed after changes of the status, until ctx ends.
	Watch(ctx context.Context, changed func()) error
}

// updates are what the server knows of updates.
type updates struct {
	Updater
	notices *Notices
	log     *slog.Logger
	now     func() time.Time
	nudge   chan struct{} // has a value when there may be a status soon

	upload sync.Mutex // held while a bundle is passed on
}

func (s *Server) newUpdates() *updates {
	if s.opt.Updater == nil {
		return nil
	}
	return &updates{Updater: s.opt.Updater, notices: s.opt.Notices, log: s.opt.Log, now: s.opt.Now, nudge: make(chan struct{}, 1)}
}

// updater returns what updates the node.
func (s *Server) updater() (*updates, error) {
	if s.updates == nil {
		return nil, problem.New(problem.NoUpdater, "%s", problem.NoUpdater.Title).WithHint("the daemon runs without an updater, as in a sandbox")
	}
	return s.updates, nil
}

// refreshUpdates answers POST /actions/refresh-updates.
func (s *Server) refreshUpdates(c *call) error { return s.update(c, updater.Refresh) }

// prepareUpdate answers POST /actions/prepare-update.
func (s *Server) prepareUpdate(c *call) error { return s.update(c, updater.Prepare) }

// activateUpdate answers POST /actions/activate-update.
func (s *Server) activateUpdate(c *call) error { return s.update(c, updater.Activate) }

// deactivateUpdate answers POST /actions/deactivate-update.
func (s *Server) deactivateUpdate(c *call) error { return s.update(c, updater.Deactivate) }

// applyUpdate answers POST /actions/apply-update.
func (s *Server) applyUpdate(c *call) error { return s.update(c, updater.Apply) }

// rollbackUpdate answers POST /actions/rollback-update.
func (s *Server) rollbackUpdate(c *call) error { return s.update(c, updater.Rollback) }

// cancelUpdate answers POST /actions/cancel-update.
func (s *Server) cancelUpdate(c *call) error { return s.update(c, updater.Cancel) }

// update has the updater begin with a.
func (s *Server) update(c *call, a updater.Action) error {
	u, err := s.updater()
	if err != nil {
		return err
	}
	r, err := c.updateRequest(a)
	if err != nil {
		return err
	}
	return s.begin(c, u, r, nil)
}

// updateRequest reads what the caller wants done, and notes it for the audit log.
func (c *call) updateRequest(a updater.Action) (updater.Request, error) {
	r := updater.Request{Action: a, Actor: c.peer.name}
	v, given, err := c.query.text("version")
	if err != nil {
		return r, err
	}
	if given {
		version, err := update.ParseVersion(v)
		if err != nil {
			return r, badParameter("version", "%v", err)
		}
		r.Version = version.String()
		c.entry.Message = "version " + r.Version
	}
	if r.IgnoreWaves, err = c.query.flag("ignore-waves"); err != nil {
		return r, err
	}
	r.Reboot, err = c.query.flag("reboot")
	return r, err
}

// begin makes the request r and answers.
func (s *Server) begin(c *call, u *updates, r updater.Request, bundle io.Reader) error {
	// It may have to start first, and reads what it goes by.
	if err := c.deadline(time.Now().Add(2 * s.patience.piece)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	answer, err := u.Ask(c.lasting(), r, bundle)
	if err == nil && answer.Code == updater.Busy && bundle == nil {
		answer, err = s.askAgain(c, u, r, answer)
	}
	u.wake()
	if cut, ok := errors.AsType[*cutError](err); ok {
		return problem.New(problem.BadRequest, "the body breaks off: %v", cut.error)
	}
	if err != nil {
		s.opt.Log.Error("no updater", "action", r.Action, "err", err)
		return problem.New(problem.UpdateFailed, "the updater does not answer: %v", err)
	}
	if !answer.Begun {
		return refusedUpdate(r.Action, answer)
	}
	return c.done()
}

// askAgain waits for what the updater does, but not long, and makes r again. What it
// does may be over soon, as after a boot, and agents take a refusal for a failure.
func (s *Server) askAgain(c *call, u *updates, r updater.Request, refused updater.Answer) (updater.Answer, error) {
	busy, err := u.stillBusy(c.r.Context(), s.patience.busy)
	if err != nil || busy {
		return refused, nil
	}
	return u.Ask(c.lasting(), r, nil)
}

var updateProblems = map[updater.Code]problem.Kind{
	updater.Busy: problem.UpdateBusy, updater.NotAllowed: problem.UpdateNotAllowed, updater.NotListed: problem.UnknownUpdate,
	updater.NotStaged: problem.NothingStaged, updater.Invalid: problem.BadRequest, updater.Failed: problem.UpdateFailed,
}

// refusedUpdate returns the problem of an answer that refuses.
func refusedUpdate(a updater.Action, answer updater.Answer) *problem.Problem {
	kind, ok := updateProblems[answer.Code]
	if !ok {
		kind = problem.UpdateFailed
	}
	detail := answer.Detail
	if detail == "" {
		detail = fmt.Sprintf("%s: %s", a, kind.Title)
	}
	p := problem.New(kind, "%s", detail)
	p.Hint = answer.Hint
	return p
}

// plannedActions are those that a plan can be made for.
var plannedActions = []string{
	string(updater.Apply), string(updater.Refresh), string(updater.Prepare), string(updater.Activate), string(updater.Deactivate), string(updater.Rollback),
}

// planning is how long a node may take to look at its repository: a little longer than
// the updater is waited for.
const planning = 6 * time.Minute

// planUpdate answers POST /updates/plan.
func (s *Server) planUpdate(c *call) error {
	u, err := s.updater()
	if err != nil {
		return err
	}
	action, err := c.query.choice("action", plannedActions...)
	if err != nil {
		return err
	}
	r, err := c.updateRequest(updater.Action(action))
	if err != nil {
		return err
	}
	r.DryRun = true
	if err := c.deadline(time.Now().Add(planning)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	answer, err := u.Ask(c.r.Context(), r, nil)
	if err != nil {
		s.opt.Log.Error("no updater", "action", r.Action, "err", err)
		return problem.New(problem.UpdateFailed, "the updater does not answer: %v", err)
	}
	if answer.Plan == nil {
		return refusedUpdate(r.Action, answer)
	}
	return c.sendJSON(answer.Plan)
}

// getUpdateStatus answers GET /updates/status.
func (s *Server) getUpdateStatus(c *call) error {
	u, err := s.updater()
	if err != nil {
		return err
	}
	progress, err := c.query.flag("progress")
	if err != nil {
		return err
	}
	busy, err := u.Busy()
	if err != nil {
		return err
	}
	if busy && !progress {
		if busy, err = u.stillBusy(c.r.Context(), s.patience.busy); err != nil {
			return err
		}
		if busy {
			c.w.Header().Set("Retry-After", "5")
			return problem.New(problem.UpdateBusy, "the updater is at work").WithHint("GET /updates/status?progress=1 says how far it is")
		}
	}
	status, err := u.Status()
	if errors.Is(err, updater.ErrNoStatus) {
		return problem.New(problem.NoUpdateStatus, "%v", err).WithHint("POST /actions/refresh-updates looks for them")
	}
	if err != nil {
		return err
	}
	status = status.AsOf(s.opt.OS.VersionID)
	status.Progress = present(status.Progress, busy)
	if !progress {
		status.LastCommand = knownCommand(status.LastCommand)
	}
	return c.sendJSON(status)
}

// present returns the progress that p is of a node that is busy, or is not. An updater
// that was killed has left one behind that says that it goes on; and one that has
// just begun, or is about to end, has not said so, or no longer.
func present(p *updater.Progress, busy bool) *updater.Progress {
	switch {
	case busy && (p == nil || !p.Running):
		return &updater.Progress{Running: true}
	case p != nil:
		p.Running = busy
	}
	return p
}

// stillBusy waits for the end of what goes on, but not long. Agents ask again at
// once when they hear that the updater is busy, and so they do it less.
func (u *updates) stillBusy(ctx context.Context, patience time.Duration) (bool, error) {
	end := time.NewTimer(patience)
	defer end.Stop()
	look := time.NewTicker(min(patience/10+1, 100*time.Millisecond))
	defer look.Stop()
	for {
		busy, err := u.Busy()
		if err != nil || !busy {
			return false, err
		}
		select {
		case <-look.C:
		case <-end.C:
			return true, nil
		case <-ctx.Done():
			return true, nil
		}
	}
}

// knownCommand returns c in the words that other agents know, which refuse a
// whole status for one that they do not.
func knownCommand(c *updater.Command) *updater.Command {
	if c == nil {
		return nil
	}
	out := *c
	switch c.Type {
	case updater.Apply, updater.Rollback:
		out.Type = updater.Activate
	case updater.Cancel:
		out.Type = updater.Deactivate
	}
	return &out
}

// mostHistory bounds what GET /updates/history gives.
const (
	usualHistory = 50
	mostHistory  = 100_000
)

// getUpdateHistory answers GET /updates/history.
func (s *Server) getUpdateHistory(c *call) error {
	u, err := s.updater()
	if err != nil {
		return err
	}
	limit, err := c.query.number("limit", usualHistory, mostHistory)
	if err != nil {
		return err
	}
	events, err := u.History(int(limit))
	if err != nil {
		return err
	}
	return c.sendJSON(events)
}
