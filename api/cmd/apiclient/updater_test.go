package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

// A scriptedUpdater does what the script's directory updater says. ACTION.json there
// is how a request ends:
//
//	{"answer": …, "fault": "…", "statuses": [ … ]}
//
// It is busy until every status but the last was read; the last one is of the end.
// A status changes the members of the one before that it has. history.json is what
// the history gives. What is asked goes into the file asked.
type scriptedUpdater struct {
	dir string

	mu    sync.Mutex
	last  updater.Status
	known bool
	queue []json.RawMessage // statuses still to come
	now   updater.Action
	ended int // actions
}

func updaterIn(dir string) server.Updater {
	u := &scriptedUpdater{dir: filepath.Join(dir, "updater")}
	if _, err := os.Stat(u.dir); err != nil {
		return nil
	}
	return u
}

func (u *scriptedUpdater) Ask(_ context.Context, r updater.Request, bundle io.Reader) (updater.Answer, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	line := fmt.Sprintf("%s version=%q waves=%t reboot=%t", r.Action, r.Version, !r.IgnoreWaves, r.Reboot)
	if bundle != nil {
		sum := sha256.New()
		if _, err := io.CopyN(sum, bundle, r.BundleSize); err != nil {
			return updater.Answer{}, err
		}
		line += fmt.Sprintf(" bundle=%d %.8x", r.BundleSize, sum.Sum(nil))
	}
	if err := note(filepath.Join(u.dir, "asked"), line); err != nil {
		return updater.Answer{}, err
	}
	var script struct {
		Answer   updater.Answer
		Fault    string
		Statuses []json.RawMessage
	}
	data, err := os.ReadFile(filepath.Join(u.dir, string(r.Action)+".json"))
	if err == nil {
		err = json.Unmarshal(data, &script)
	}
	if err != nil || script.Answer.Code != "" {
		return script.Answer, err
	}
	if r.Action == updater.Cancel {
		u.queue = u.queue[len(u.queue)-1:]
		return updater.Answer{Begun: true}, nil
	}
	u.queue, u.now = script.Statuses, r.Action
	if script.Fault != "" {
		u.last.LastCommand = &updater.Command{Stderr: &script.Fault, Status: updater.CommandFailed}
	} else {
		u.last.LastCommand = &updater.Command{Status: updater.CommandSucceeded}
	}
	return updater.Answer{Begun: true}, nil
}

func note(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, line)
	return err
}

func (u *scriptedUpdater) Busy() (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.queue) > 1, nil
}

func (u *scriptedUpdater) Status() (updater.Status, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.queue) > 0 {
		next := u.last
		next.Progress = nil
		if err := json.Unmarshal(u.queue[0], &next); err != nil {
			return updater.Status{}, err
		}
		next.LastCommand = u.last.LastCommand
		u.last, u.known, u.queue = next, true, u.queue[1:]
		if len(u.queue) == 0 {
			u.end()
		}
	}
	if !u.known {
		return updater.Status{}, updater.ErrNoStatus
	}
	s := u.last
	if s.AvailableUpdates == nil {
		s.AvailableUpdates = []string{}
	}
	if s.LastCommand.Type == "" || len(u.queue) > 0 {
		s.LastCommand = nil
	}
	return s, nil
}

// end notes that the action has ended.
func (u *scriptedUpdater) end() {
	c := *u.last.LastCommand
	c.Type, c.ExitStatus = u.now, new(0)
	c.Timestamp = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(u.ended) * time.Second)
	if !c.OK() {
		c.ExitStatus = new(1)
	}
	u.ended++
	u.last.LastCommand = &c
}

func (u *scriptedUpdater) History(limit int) ([]updater.Event, error) {
	data, err := os.ReadFile(filepath.Join(u.dir, "history.json"))
	if err != nil {
		return []updater.Event{}, nil
	}
	var list []updater.Event
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	if limit > 0 && limit < len(list) {
		list = list[:limit]
	}
	return list, nil
}

func (u *scriptedUpdater) Watch(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}
