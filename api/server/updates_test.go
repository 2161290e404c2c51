package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/updater"
)

// A fakeUpdater answers what it is told to.
type fakeUpdater struct {
	mu      sync.Mutex
	answer  updater.Answer
	fault   error
	busy    bool
	status  *updater.Status
	history []updater.Event
	asked   []updater.Request
	bundles []string        // what was sent with them
	refuse  bool            // answer without reading a bundle
	watcher func()          // of Watch
	watched chan func()     // is sent watcher
	block   <-chan struct{} // if set, Ask waits for it
	asking  chan<- struct{} // if set, is told that Ask waits
}

func (u *fakeUpdater) Ask(_ context.Context, r updater.Request, bundle io.Reader) (updater.Answer, error) {
	u.mu.Lock()
	answer, fault, refuse, block := u.answer, u.fault, u.refuse, u.block
	u.asked = append(u.asked, r)
	u.mu.Unlock()
	if block != nil {
		u.asking <- struct{}{}
		<-block
	}
	if bundle != nil && !refuse {
		sum := sha256.New()
		n, err := io.CopyN(sum, bundle, r.BundleSize)
		if err != nil {
			return updater.Answer{}, fmt.Errorf("after %d bytes: %w", n, err)
		}
		u.mu.Lock()
		u.bundles = append(u.bundles, fmt.Sprintf("%d %x", n, sum.Sum(nil)))
		u.mu.Unlock()
	}
	return answer, fault
}

func (u *fakeUpdater) Status() (updater.Status, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.status == nil {
		return updater.Status{}, updater.ErrNoStatus
	}
	s := *u.status
	if s.Progress != nil {
		p := *s.Progress
		s.Progress = &p
	}
	return s, nil
}

func (u *fakeUpdater) History(limit int) ([]updater.Event, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := append([]updater.Event{}, u.history...)
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list, nil
}

func (u *fakeUpdater) Busy() (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.busy, nil
}

func (u *fakeUpdater) Watch(ctx context.Context, changed func()) error {
	changed()
	select {
	case u.watched <- changed:
	case <-ctx.Done():
	}
	<-ctx.Done()
	return ctx.Err()
}

// now makes s the status, and tells of it once somebody watches.
func (u *fakeUpdater) now(s updater.Status) {
	u.mu.Lock()
	u.status = &s
	watcher := u.watcher
	u.mu.Unlock()
	if watcher == nil {
		watcher = <-u.watched
		u.mu.Lock()
		u.watcher = watcher
		u.mu.Unlock()
	}
	watcher()
}

func startUpdating(t *testing.T, u *fakeUpdater) *node {
	t.Helper()
	u.watched = make(chan func())
	return start(t, func(o *server.Options) { o.Updater = u })
}

func TestUpdateActions(t *testing.T) {
	actor := "uid " + fmt.Sprint(uid)
	if uid == 0 {
		actor = "root"
	}
	tests := []struct {
		name, line string
		want       updater.Request
	}{
		{"refresh", "POST /actions/refresh-updates", updater.Request{Action: updater.Refresh}},
		{"prepare", "POST /actions/prepare-update", updater.Request{Action: updater.Prepare}},
		{"prepare by name", "POST /actions/prepare-update?version=1.2.3&ignore-waves=1", updater.Request{Action: updater.Prepare, Version: "1.2.3", IgnoreWaves: true}},
		{"activate", "POST /actions/activate-update", updater.Request{Action: updater.Activate}},
		{"deactivate", "POST /actions/deactivate-update", updater.Request{Action: updater.Deactivate}},
		{"apply", "POST /actions/apply-update?version=1.2.3-rc.1&reboot=1&ignore-waves=0", updater.Request{Action: updater.Apply, Version: "1.2.3-rc.1", Reboot: true}},
		{"rollback", "POST /actions/rollback-update?reboot=1", updater.Request{Action: updater.Rollback, Reboot: true}},
		{"cancel", "POST /actions/cancel-update", updater.Request{Action: updater.Cancel}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := &fakeUpdater{answer: updater.Answer{Begun: true}}
			n := startUpdating(t, u)
			if a := n.do(request{line: tt.line}); a.status != http.StatusNoContent || a.body != "" {
				t.Errorf("%s: %d %s, want 204", tt.line, a.status, a.body)
			}
			tt.want.Actor = actor
			if diff := cmp.Diff([]updater.Request{tt.want}, u.asked); diff != "" {
				t.Errorf("%s: asked (-want +got):\n%s", tt.line, diff)
			}
		})
	}
}

// A plan begins nothing, and is refused as the action would be.
func TestUpdatePlan(t *testing.T) {
	plan := &updater.Plan{Action: updater.Apply, Running: "1.0.0", Version: "1.1.0", From: []string{"https://updates.example.org/targets"}, Steps: []string{"reboot"}}
	u := &fakeUpdater{answer: updater.Answer{Plan: plan}}
	n := startUpdating(t, u)
	const want = `{"action":"apply","running":"1.0.0","version":"1.1.0","from":["https://updates.example.org/targets"],"steps":["reboot"]}`
	if got := n.must("POST /updates/plan?action=apply&version=1.1.0&reboot=1", "", "").body; got != want {
		t.Errorf("GET: %s, want %s", got, want)
	}
	if len(u.asked) != 1 || !u.asked[0].DryRun || u.asked[0].Version != "1.1.0" || !u.asked[0].Reboot {
		t.Errorf("asked %+v, want one dry run", u.asked)
	}
	u.answer = updater.Answer{Code: updater.NotAllowed, Detail: "the state is Idle"}
	for line, status := range map[string]int{"POST /updates/plan?action=activate": http.StatusConflict, "POST /updates/plan?action=cancel": http.StatusBadRequest} {
		if a := n.do(request{line: line}); a.status != status {
			t.Errorf("%s: %d %s, want %d", line, a.status, a.body, status)
		}
	}
}

// The statuses are those of api.md 7.1.
func TestUpdateRefusals(t *testing.T) {
	tests := []struct {
		answer updater.Answer
		fault  error
		status int
		code   string
	}{
		{updater.Answer{Code: updater.Busy}, nil, 423, "update-busy"},
		{updater.Answer{Code: updater.NotAllowed, Detail: "the state is Idle", Hint: "refresh first"}, nil, 409, "update-not-allowed"},
		{updater.Answer{Code: updater.NotListed}, nil, 404, "unknown-update"},
		{updater.Answer{Code: updater.NotStaged}, nil, 404, "nothing-staged"},
		{updater.Answer{Code: updater.Invalid}, nil, 400, "bad-request"},
		{updater.Answer{Code: updater.Failed}, nil, 500, "update-failed"},
		{updater.Answer{Code: "of a later version"}, nil, 500, "update-failed"},
		{updater.Answer{}, errors.New("dial: no such file"), 500, "update-failed"},
	}
	for _, tt := range tests {
		t.Run(string(tt.answer.Code)+" "+tt.code, func(t *testing.T) {
			n := startUpdating(t, &fakeUpdater{answer: tt.answer, fault: tt.fault})
			a := n.do(request{line: "POST /actions/activate-update"})
			var p struct{ Code, Detail, Hint string }
			if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != tt.status || p.Code != tt.code || p.Detail == "" {
				t.Errorf("POST: %d %s, %v, want %d %s", a.status, a.body, err, tt.status, tt.code)
			}
			if tt.answer.Detail != "" && (p.Detail != tt.answer.Detail || p.Hint != tt.answer.Hint) {
				t.Errorf("POST: %s, want the words of the updater", a.body)
			}
		})
	}
}

func TestUpdateParameters(t *testing.T) {
	u := &fakeUpdater{answer: updater.Answer{Begun: true}}
	n := startUpdating(t, u)
	for _, line := range []string{
		"POST /actions/apply-update?version=", "POST /actions/apply-update?version=latest", "POST /actions/apply-update?version=v1.2.3", "POST /actions/apply-update?reboot=yes",
		"POST /actions/prepare-update?ignore-waves=2", "GET /updates/status?progress=x", "GET /updates/history?limit=-1", "POST /updates/bundle?action=activate",
	} {
		if a := n.do(request{line: line}); a.status != http.StatusBadRequest || !strings.Contains(a.body, "invalid-parameter") {
			t.Errorf("%s: %d %s, want 400 invalid-parameter", line, a.status, a.body)
		}
	}
	if len(u.asked) > 0 {
		t.Errorf("asked %+v, want nothing", u.asked)
	}
}

func TestNoUpdater(t *testing.T) {
	n := start(t)
	for _, line := range []string{"GET /updates/status", "GET /updates/history", "POST /updates/plan", "POST /actions/refresh-updates", "POST /updates/bundle"} {
		if a := n.do(request{line: line, body: "x"}); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "no-updater") {
			t.Errorf("%s: %d %s, want 503 no-updater", line, a.status, a.body)
		}
	}
}

func image(version string) *updater.Image {
	return &updater.Image{Arch: "x86_64", Version: version, Variant: "test-dev"}
}

var ended = time.Date(2026, 11, 21, 10, 0, 0, 123, time.UTC)

// What agents for Bottlerocket know has exactly these names, and null where there
// is nothing.
func TestUpdateStatus(t *testing.T) {
	u := &fakeUpdater{}
	n := startUpdating(t, u)
	if a := n.do(request{line: "GET /updates/status"}); a.status != http.StatusNotFound || !strings.Contains(a.body, "no-update-status") {
		t.Errorf("GET before anything: %d %s, want 404", a.status, a.body)
	}
	u.now(updater.Status{State: updater.Idle, AvailableUpdates: []string{}})
	const nothing = `{"update_state":"Idle","available_updates":[],"chosen_update":null,"active_partition":null,"staging_partition":null,"most_recent_command":null}`
	if got := n.must("GET /updates/status", "", "").body; got != nothing {
		t.Errorf("GET: %s, want %s", got, nothing)
	}
	zero, words := 0, "x"
	u.now(updater.Status{
		State: updater.Ready, AvailableUpdates: []string{"1.3.0", "1.2.0"}, ChosenUpdate: image("1.3.0"),
		ActivePartition: &updater.Partition{Image: *image("1.2.3")}, StagingPartition: &updater.Partition{Image: *image("1.3.0"), NextToBoot: true},
		LastCommand: &updater.Command{Type: updater.Apply, Status: "Success", Timestamp: ended, ExitStatus: &zero, Stderr: &words},
		Progress:    &updater.Progress{Action: updater.Apply, Step: "activate", Version: "1.3.0", Started: ended, Updated: ended, Running: true, Total: 10, Patched: 1, Reused: 8, Fetched: 1, Received: 2},
		Waiting:     "w",
	})
	const whole = `{"update_state":"Ready","available_updates":["1.3.0","1.2.0"],"chosen_update":{"arch":"x86_64","version":"1.3.0","variant":"test-dev"},` +
		`"active_partition":{"image":{"arch":"x86_64","version":"1.2.3","variant":"test-dev"},"next_to_boot":false},` +
		`"staging_partition":{"image":{"arch":"x86_64","version":"1.3.0","variant":"test-dev"},"next_to_boot":true},` +
		`"most_recent_command":{"cmd_type":"activate","cmd_status":"Success","timestamp":"2026-11-21T10:00:00.000000123Z","exit_status":0,"stderr":"x"},` +
		`"progress":{"action":"apply","step":"activate","version":"1.3.0","started":"2026-11-21T10:00:00.000000123Z","updated":"2026-11-21T10:00:00.000000123Z","running":false,"total":10,"patched":1,"reused":8,"fetched":1,"received":2},"waiting":"w"}`
	if got := n.must("GET /updates/status", "", "").body; got != whole {
		t.Errorf("GET: %s, want %s", got, whole)
	}
	if got, want := n.must("GET /updates/status?progress=1", "", "").body, strings.Replace(whole, `"cmd_type":"activate"`, `"cmd_type":"apply"`, 1); got != want {
		t.Errorf("GET with progress: %s, want %s", got, want)
	}
}

func TestUpdateHistory(t *testing.T) {
	u := &fakeUpdater{}
	n := startUpdating(t, u)
	if got := n.must("GET /updates/history", "", "").body; got != "[]" {
		t.Errorf("GET: %s, want []", got)
	}
	u.mu.Lock()
	for i := range 60 {
		u.history = append(u.history, updater.Event{Time: ended, Kind: "apply", Version: fmt.Sprintf("1.0.%d", 60-i), OK: true})
	}
	u.mu.Unlock()
	for query, want := range map[string]int{"": 50, "?limit=0": 60, "?limit=3": 3} {
		var got []updater.Event
		if err := json.Unmarshal([]byte(n.must("GET /updates/history"+query, "", "").body), &got); err != nil || len(got) != want || got[0].Version != "1.0.60" {
			t.Errorf("GET%s: %d events, %v, want %d, the newest first", query, len(got), err, want)
		}
	}
}

// What updates do is told to those who follow events, and is in the audit log; what
// was there before the daemon is not.
func TestUpdateEvents(t *testing.T) {
	old := updater.Status{State: updater.Available, LastCommand: &updater.Command{Type: updater.Refresh, Status: "Success", Timestamp: ended}}
	u := &fakeUpdater{answer: updater.Answer{Begun: true}, status: &old}
	n := startUpdating(t, u)
	u.now(old)
	running := old
	step := func(step string, done int64) {
		running.Progress = &updater.Progress{Action: updater.Prepare, Step: step, Version: "1.3.0", Started: ended, Running: true, Total: 1000, Patched: done}
		u.now(running)
	}
	step("tree", 0)
	step("root", 10)
	step("root", 20) // not worth an event
	step("root", 510)
	why := "the mirror is gone"
	running.Progress.Running = false
	running.LastCommand = &updater.Command{Type: updater.Prepare, Status: "Failed", Timestamp: ended.Add(time.Minute), Stderr: &why}
	u.now(running)
	u.now(running)
	stream, err := n.events.Subscribe("0")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	events, err := stream.Take()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		var data struct{ Message string }
		if err := json.Unmarshal(e.Data, &data); e.Kind != "reset" && err != nil {
			t.Errorf("event %s: %s: %v", e.Kind, e.Data, err)
		}
		got = append(got, strings.TrimSpace(e.Kind+" "+data.Message))
	}
	want := []string{
		"reset", "update-progress prepare: tree, 0 %", "update-progress prepare: root, 1 %", "update-progress prepare: root, 51 %",
		"update-finished prepare of 1.3.0: Failed: the mirror is gone",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	if log := n.audit(t); strings.Count(log, "\n") != 1 || !strings.Contains(log, `"message":"prepare of 1.3.0: Failed: the mirror is gone"`) {
		t.Errorf("audit log:\n%s\nwant one line about the end", log)
	}
}

func TestUpdateHealth(t *testing.T) {
	at := func(kind string, ok bool) updater.Event {
		return updater.Event{Time: ended, Kind: kind, Version: "1.3.0", OK: ok, Detail: "why"}
	}
	tests := []struct {
		name    string
		history []updater.Event
		status  string
		want    []string // severity and code
	}{
		{"nothing", nil, "ok", nil},
		{"all went well", []updater.Event{at("apply", true), at("refresh", true), at("apply", false)}, "ok", nil},
		{"failed", []updater.Event{at("apply", false), at("refresh", true)}, "degraded", []string{"warning update-failed"}},
		{"failed, and looked for updates again", []updater.Event{at("refresh", true), at("prepare", false)}, "degraded", []string{"warning update-failed"}},
		{"looked in vain", []updater.Event{at("refresh", false), at("refresh", true), at("apply", true)}, "ok", []string{"info update-check-failed"}},
		{"came no further than looking", []updater.Event{{Time: ended, Kind: "apply", Detail: "why"}, at("apply", true)}, "ok", []string{"info update-check-failed"}},
		{"looked in vain once", []updater.Event{at("refresh", true), at("refresh", false)}, "ok", nil},
		{"the version did not hold", []updater.Event{at("failed", false), at("apply", true)}, "ok", nil},
		{"kept", []updater.Event{at("kept", true), at("apply", false)}, "ok", nil},
		{"cancelled", []updater.Event{at("cancel", true), at("prepare", true)}, "ok", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := startUpdating(t, &fakeUpdater{history: tt.history})
			var h struct {
				Status string
				Faults []struct{ Severity, Code, Detail string }
			}
			if err := json.Unmarshal([]byte(n.must("GET /health", "", "").body), &h); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range h.Faults {
				got = append(got, f.Severity+" "+f.Code)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || h.Status != tt.status {
				t.Errorf("health %s, want %s (-want +got):\n%s", h.Status, tt.status, diff)
			}
		})
	}
}
