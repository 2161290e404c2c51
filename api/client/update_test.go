package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

// answering returns a client of a server that answers as h does.
func answering(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c := New("")
	c.once.Do(func() {
		c.http = s.Client()
		c.http.Transport = toServer{s.URL, http.DefaultTransport}
	})
	c.pause = time.Millisecond
	return c
}

// toServer sends every request to one server.
type toServer struct {
	url  string
	next http.RoundTripper
}

func (s toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Host = strings.TrimPrefix(s.url, "http://")
	return s.next.RoundTrip(r)
}

func TestUpdateRequests(t *testing.T) {
	var got []string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		line := fmt.Sprintf("%s %s", r.Method, r.RequestURI)
		if len(body) > 0 {
			line += fmt.Sprintf(" %s %d %s %s", r.Header.Get("Content-Type"), r.ContentLength, r.Header.Get("Expect"), body)
		}
		got = append(got, line)
		if r.URL.Path == "/updates/plan" {
			fmt.Fprint(w, `{"action":"apply","running":"1.0.0","steps":[]}`)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	ctx := t.Context()
	all := UpdateRequest{Version: "1.2.3", IgnoreWaves: true, Reboot: true}
	for _, a := range []updater.Action{updater.Refresh, updater.Prepare, updater.Activate, updater.Deactivate, updater.Rollback, updater.Cancel} {
		if err := c.Update(ctx, a, UpdateRequest{}); err != nil {
			t.Errorf("Update(%s): %v", a, err)
		}
	}
	if err := c.Update(ctx, updater.Apply, all); err != nil {
		t.Errorf("Update(apply): %v", err)
	}
	if err := c.UpdateFrom(ctx, strings.NewReader("bundle"), 6, updater.Prepare, all); err != nil {
		t.Errorf("UpdateFrom: %v", err)
	}
	if _, err := c.UpdatePlan(ctx, updater.Apply, all); err != nil {
		t.Errorf("UpdatePlan(apply): %v", err)
	}
	want := []string{
		"POST /actions/refresh-updates", "POST /actions/prepare-update", "POST /actions/activate-update", "POST /actions/deactivate-update",
		"POST /actions/rollback-update", "POST /actions/cancel-update", "POST /actions/apply-update?ignore-waves=1&reboot=1&version=1.2.3",
		"POST /updates/bundle?action=prepare&ignore-waves=1&reboot=1&version=1.2.3 application/x-tar 6 100-continue bundle",
		"POST /updates/plan?action=apply&ignore-waves=1&reboot=1&version=1.2.3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// A refusal of a bundle comes before it is sent, or while it is.
func TestRefusedBundle(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusLocked)
		fmt.Fprint(w, `{"code":"update-busy","detail":"busy"}`)
	})
	err := c.UpdateFrom(t.Context(), endless{}, 1<<40, updater.Apply, UpdateRequest{})
	if p, ok := errors.AsType[*Problem](err); !ok || p.Code != "update-busy" {
		t.Errorf("UpdateFrom: %v, want the problem update-busy", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

const (
	running  = `{"update_state":"Available","progress":{"action":"apply","step":"root","running":true}}`
	nobody   = `{"update_state":"Available"}`
	finished = `{"update_state":"Ready","most_recent_command":{"cmd_type":"apply","cmd_status":"Success","timestamp":"2026-11-21T10:00:01Z"}}`
	earlier  = `{"update_state":"Available","most_recent_command":{"cmd_type":"apply","cmd_status":"Success","timestamp":"2026-11-21T10:00:00Z"}}`
	another  = `{"update_state":"Available","most_recent_command":{"cmd_type":"refresh","cmd_status":"Success","timestamp":"2026-11-21T10:00:01Z"}}`
)

func TestAwaitTurn(t *testing.T) {
	const turns = `{"update_state":"Idle","progress":{"action":"","step":"","running":true}}`
	tests := []struct {
		name    string
		answers []string
		want    bool
	}{
		{"free", []string{nobody}, true},
		{"soon", []string{turns, turns, nobody}, true},
		{"an action goes on", []string{running}, false},
		{"an action begins", []string{turns, running}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int64
			c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, tt.answers[min(int(asked.Add(1))-1, len(tt.answers)-1)])
			})
			if got, err := c.AwaitTurn(t.Context()); got != tt.want || err != nil {
				t.Errorf("AwaitTurn = %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestAwaitUpdate(t *testing.T) {
	since := UpdateMark{time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	tests := []struct {
		name    string
		answers []string // status, or status code; the last one stays
		err     string
		told    int // calls of progress with a status
	}{
		{name: "at once", answers: []string{finished}, told: 1},
		{name: "after a while", answers: []string{running, running, finished}, told: 3},
		{name: "not the one before", answers: []string{earlier, running, earlier, finished}, told: 4},
		{name: "not another action", answers: []string{running, another, another, finished}, told: 4},
		{name: "nothing is known yet", answers: []string{"404", "423", running, finished}, told: 4},
		{name: "the API goes away", answers: []string{running, "503", "500", finished}, told: 2},
		{name: "refused", answers: []string{running, "403"}, err: "403", told: 1},
		{name: "lost", answers: []string{running, nobody}, err: ErrUpdateLost.Error(), told: 2 + lostAfter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int64
			c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				answer := tt.answers[min(int(asked.Add(1))-1, len(tt.answers)-1)]
				if len(answer) == 3 {
					var code int
					_, _ = fmt.Sscan(answer, &code)
					w.WriteHeader(code)
					return
				}
				fmt.Fprint(w, answer)
			})
			told := 0
			_, err := c.AwaitUpdate(t.Context(), updater.Apply, since, func(_ updater.Status, err error) {
				if err == nil {
					told++
				}
			})
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("AwaitUpdate: %v, want %q", err, tt.err)
			}
			if told != tt.told {
				t.Errorf("AwaitUpdate told of %d statuses, want %d", told, tt.told)
			}
		})
	}
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, running) })
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := c.AwaitUpdate(ctx, updater.Apply, since, func(updater.Status, error) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("AwaitUpdate whose context ends: %v, want context.Canceled", err)
	}
}
