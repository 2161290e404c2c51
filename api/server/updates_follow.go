package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

// Kinds of event about updates, beside those of the store.
const (
	eventUpdateProgress = "update-progress"
	eventUpdateFinished = "update-finished"
)

// watchAgain is how long it is waited before a directory is watched that was not
// there, unless something begins.
const watchAgain = time.Minute

// wake has follow look whether there is a status to watch by now.
func (u *updates) wake() {
	select {
	case u.nudge <- struct{}{}:
	default:
	}
}

// follow tells of what the updater does, until ctx ends. It does so also when
// nobody here has asked for it.
func (u *updates) follow(ctx context.Context) {
	f := follower{u: u}
	f.look() // what there was before is no news
	f.known = true
	for ctx.Err() == nil {
		err := u.Watch(ctx, f.look)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			u.log.Warn("updates are not followed for a while", "err", err)
		}
		again := time.NewTimer(watchAgain)
		select {
		case <-ctx.Done():
		case <-again.C:
		case <-u.nudge:
		}
		again.Stop()
	}
}

// A follower finds out what has changed since it looked last.
type follower struct {
	u     *updates
	known bool // what there was at the start has been seen
	ended time.Time
	told  progressMark
}

// A progressMark is what of a progress is worth an event.
type progressMark struct {
	action  updater.Action
	step    string
	started time.Time
	tenth   int64
}

func (f *follower) look() {
	s, err := f.u.Status()
	if err != nil {
		return // there will be another one
	}
	if p := s.Progress; p != nil && p.Running {
		mark := progressMark{action: p.Action, step: p.Step, started: p.Started}
		if p.Total > 0 {
			mark.tenth = 10 * p.Done() / p.Total
		}
		if mark != f.told {
			f.told = mark
			f.publish(eventUpdateProgress, progressText(*p), s)
		}
	}
	if c := s.LastCommand; c != nil && !c.Timestamp.Equal(f.ended) {
		f.ended = c.Timestamp
		f.publish(eventUpdateFinished, commandText(s), s)
		f.record(s)
	}
}

func progressText(p updater.Progress) string {
	text := fmt.Sprintf("%s: %s", p.Action, p.Step)
	if p.Total > 0 {
		text += fmt.Sprintf(", %d %%", 100*p.Done()/p.Total)
	}
	return text
}

func commandText(s updater.Status) string {
	c := s.LastCommand
	text := string(c.Type)
	if v := s.About(); v != "" {
		text += " of " + v
	}
	text += ": " + c.Status
	if why := c.Why(); why != "" {
		text += ": " + why
	}
	return text
}

// publish tells the event streams.
func (f *follower) publish(kind, message string, s updater.Status) {
	if !f.known {
		return
	}
	data, err := json.Marshal(struct {
		store.Event
		State    updater.State     `json:"update_state"`
		Progress *updater.Progress `json:"progress,omitempty"`
		Command  *updater.Command  `json:"most_recent_command,omitempty"`
	}{store.Event{Kind: kind, Actor: updaterActor, Message: message, Time: f.u.now()}, s.State, s.Progress, s.LastCommand})
	if err != nil { // texts, numbers and times
		panic("server: " + err.Error())
	}
	f.u.notices.Events.Publish(kind, data)
}

// updaterActor is who does what the node does by itself.
var updaterActor = store.Actor{Name: "updater", Role: "none", Via: "internal"}

// record writes what has ended to the audit log. Who asked for it, if anybody
// did, stands there already.
func (f *follower) record(s updater.Status) {
	if !f.known {
		return
	}
	e := audit.Entry{
		Time: s.LastCommand.Timestamp, Actor: updaterActor.Name, Role: updaterActor.Role, Via: updaterActor.Via,
		Message: commandText(s), Note: eventUpdateFinished, Result: http.StatusOK,
	}
	if !s.LastCommand.OK() {
		e.Result = http.StatusInternalServerError
	}
	f.u.notices.Audit.Append(e)
}
