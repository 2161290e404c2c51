package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/power"
)

// A fakePower notes what it is asked for, and how the answer stood then.
type fakePower struct {
	answer *httptest.ResponseRecorder
	refuse error
	fail   error
	asked  []string
}

func (f *fakePower) Prepare(_ context.Context, a power.Action, reason string) (func() error, error) {
	f.note("prepare "+string(a)+" "+reason, false)
	if f.refuse != nil {
		return nil, f.refuse
	}
	return func() error {
		f.note("carry out", true)
		return f.fail
	}, nil
}

func (f *fakePower) note(what string, answered bool) {
	if f.answer.Flushed != answered || answered && f.answer.Code != http.StatusNoContent {
		what += ", at the wrong time"
	}
	f.asked = append(f.asked, what)
}

// A node ends when whoever asked for that has the answer, and not before.
func TestPower(t *testing.T) {
	tests := []struct {
		name, target string
		power        fakePower
		role         Role
		status       int
		asked        []string
		says         string
	}{
		{name: "reboot", target: "/actions/reboot", role: Operator, status: 204, asked: []string{"prepare reboot by uid 7", "carry out"}},
		{name: "shutdown", target: "/actions/shutdown", role: Admin, status: 204, asked: []string{"prepare shutdown by uid 7", "carry out"}},
		{name: "reset", target: "/actions/reset", role: Admin, status: 204, asked: []string{"prepare reset by uid 7", "carry out"}},
		{name: "reset of the settings", target: "/actions/reset?keep-data=1", role: Admin, status: 204, asked: []string{"prepare reset-settings by uid 7", "carry out"}},
		{name: "reset by an operator", target: "/actions/reset", role: Operator, status: 403, says: "needs admin"},
		{name: "reset, wrong word", target: "/actions/reset?keep-data=perhaps", role: Admin, status: 400, says: "keep-data"},
		{name: "reader", target: "/actions/reboot", role: Reader, status: 403, says: "needs operator"},
		{
			name: "refused", target: "/actions/reboot", power: fakePower{refuse: errors.New("the node is ending already")}, role: Admin,
			status: 503, asked: []string{"prepare reboot by uid 7"}, says: `"the node is ending already"`,
		},
		{
			name: "failed", target: "/actions/reboot", power: fakePower{fail: errors.New("no")}, role: Admin,
			status: 204, asked: []string{"prepare reboot by uid 7", "carry out"},
		},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			tt.power.answer = httptest.NewRecorder()
			s.opt.Power = &tt.power
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, &Peer{Role: tt.role, UID: 7, name: "uid 7"}), "POST", tt.target, nil)
			s.Handler().ServeHTTP(tt.power.answer, r)
			if w := tt.power.answer; w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("POST %s: %d %s, want %d, %s", tt.target, w.Code, w.Body, tt.status, tt.says)
			}
			if diff := cmp.Diff(tt.asked, tt.power.asked); diff != "" {
				t.Errorf("what the power service was asked (-want +got):\n%s", diff)
			}
		})
	}
	if w := as(newServer(t), Admin, "POST", "/actions/reboot", ""); w.Code != 503 || !strings.Contains(w.Body.String(), `"no-power"`) {
		t.Errorf("POST /actions/reboot without a service: %d %s, want 503 no-power", w.Code, w.Body)
	}
}
