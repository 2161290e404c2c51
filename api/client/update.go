package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

// An UpdateRequest says what an action of updates is to do. Not every action
// looks at all of it.
type UpdateRequest struct {
	Version     string // this one, whatever the settings say
	IgnoreWaves bool
	Reboot      bool // when it is done
}

func (r UpdateRequest) query() []string {
	flag := func(on bool) string {
		if on {
			return "1"
		}
		return ""
	}
	return []string{"version", r.Version, "ignore-waves", flag(r.IgnoreWaves), "reboot", flag(r.Reboot)}
}

var updateRoutes = map[updater.Action]string{
	updater.Refresh:    "/actions/refresh-updates",
	updater.Prepare:    "/actions/prepare-update",
	updater.Activate:   "/actions/activate-update",
	updater.Deactivate: "/actions/deactivate-update",
	updater.Apply:      "/actions/apply-update",
	updater.Rollback:   "/actions/rollback-update",
	updater.Cancel:     "/actions/cancel-update",
}

// UpdateStatus tells how updates stand, also while an action goes on. An error for
// which NoUpdateStatus holds says that nothing was ever done about them.
func (c *Client) UpdateStatus(ctx context.Context) (updater.Status, error) {
	var s updater.Status
	_, err := c.do(ctx, Request{URI: "/updates/status?progress=1"}, &s)
	return s, err
}

// NoUpdateStatus reports whether err says that nothing was ever done about updates.
func NoUpdateStatus(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusNotFound && (p.Code == "no-update-status" || p.Code == "")
}

// UpdateHistory tells what was done about updates, the newest first: at most limit
// events, or all that are kept for 0.
func (c *Client) UpdateHistory(ctx context.Context, limit int) ([]updater.Event, error) {
	var list []updater.Event
	_, err := c.do(ctx, Request{URI: fmt.Sprintf("/updates/history?limit=%d", limit)}, &list)
	return list, err
}

// Update has an action begin. AwaitUpdate waits for its end.
func (c *Client) Update(ctx context.Context, a updater.Action, r UpdateRequest) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, URI: uri(updateRoutes[a], r.query()...)})
	return err
}

// UpdatePlan tells what an action would fetch and do.
func (c *Client) UpdatePlan(ctx context.Context, a updater.Action, r UpdateRequest) (updater.Plan, error) {
	var p updater.Plan
	_, err := c.do(ctx, Request{Method: http.MethodPost, URI: uri("/updates/plan", append(r.query(), "action", string(a))...)}, &p)
	return p, err
}

// UpdateFrom has an action begin with a bundle of size bytes: updater.Refresh,
// Prepare or Apply.
func (c *Client) UpdateFrom(ctx context.Context, bundle io.Reader, size int64, a updater.Action, r UpdateRequest) error {
	_, err := c.Do(ctx, Request{
		Method: http.MethodPost, URI: uri("/updates/bundle", append(r.query(), "action", string(a))...),
		ContentType: "application/x-tar", Stream: bundle, Length: size,
	})
	return err
}

// An UpdateMark is the state before an action, by which its end is known.
type UpdateMark struct{ last time.Time }

// MarkUpdate returns the mark of now.
func (c *Client) MarkUpdate(ctx context.Context) (UpdateMark, error) {
	s, err := c.UpdateStatus(ctx)
	if err != nil && !NoUpdateStatus(err) {
		return UpdateMark{}, err
	}
	return markOf(s), nil
}

func markOf(s updater.Status) UpdateMark {
	if s.LastCommand == nil {
		return UpdateMark{}
	}
	return UpdateMark{s.LastCommand.Timestamp}
}

// updatePause is the time between the first looks at an action; many take no longer.
// After so many looks at a node that is not at work it is taken for one that has
// lost the action.
const (
	updatePause = 50 * time.Millisecond
	lostAfter   = 20
)

// ErrUpdateLost says that an action has ended, and nobody says how.
var ErrUpdateLost = errors.New("the updater has ended, and does not say what became of it")

// AwaitUpdate waits for the end of the action a, which has begun after the mark,
// and returns the status then. Progress is told of every status, and of every error
// that may pass.
func (c *Client) AwaitUpdate(ctx context.Context, a updater.Action, since UpdateMark, progress func(updater.Status, error)) (updater.Status, error) {
	var s updater.Status
	quiet := 0
	err := c.pollFrom(ctx, updatePause, func(ctx context.Context) (bool, error) {
		var err error
		s, err = c.UpdateStatus(ctx)
		if p, ok := errors.AsType[*Problem](err); ok && (p.Status == http.StatusLocked || NoUpdateStatus(err)) {
			err = nil // it has begun, and that is all that is known
		}
		progress(s, err)
		running := s.Progress != nil && s.Progress.Running
		switch {
		case err != nil:
			return false, err
		case !running && s.LastCommand != nil && s.LastCommand.Type == a && markOf(s) != since:
			return true, nil
		case running:
			quiet = 0
			return false, nil
		}
		if quiet++; quiet > lostAfter {
			return true, ErrUpdateLost
		}
		return false, nil
	})
	return s, err
}

// UpdaterBusy reports whether err says that the updater does something else.
func UpdaterBusy(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusLocked
}

// AwaitTurn waits for an updater that is busy with nothing in particular: an action
// has just begun or ended, or the node sees after a boot what became of the last one.
// It reports false at once when an action goes on.
func (c *Client) AwaitTurn(ctx context.Context) (free bool, err error) {
	err = c.pollFrom(ctx, updatePause, func(ctx context.Context) (bool, error) {
		s, err := c.UpdateStatus(ctx)
		if err != nil {
			return false, err
		}
		free = s.Progress == nil || !s.Progress.Running
		return free || s.Progress.Action != "", nil
	})
	return free, err
}

// AwaitIdleUpdater waits until no action goes on, and returns the status then.
func (c *Client) AwaitIdleUpdater(ctx context.Context) (updater.Status, error) {
	var s updater.Status
	err := c.pollFrom(ctx, updatePause, func(ctx context.Context) (bool, error) {
		var err error
		s, err = c.UpdateStatus(ctx)
		return err == nil && (s.Progress == nil || !s.Progress.Running), err
	})
	return s, err
}
