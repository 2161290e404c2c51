package applier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/problem"
)

// serve answers on a socket with h.
func serve(t *testing.T, h http.HandlerFunc) *applier.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "apply.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return applier.New(socket)
}

var request = applier.Request{Generation: 4, Reason: "commit", OS: applier.OS{Variant: "v"}, Settings: json.RawMessage(`{"motd":"x"}`)}

func TestPlan(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var got applier.Request
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("request of %s: %v", r.Header.Get("Content-Type"), err)
		}
		if diff := cmp.Diff(request, got); diff != "" || r.Method+" "+r.URL.Path != "POST /plan" {
			t.Errorf("%s %s (-want +got):\n%s", r.Method, r.URL.Path, diff)
		}
		fmt.Fprint(w, `{"changes":[],"files":[{"path":"/etc/motd","action":"update","mode":"0644"}],"daemon_reload":true,"actions":[],`+
			`"units":[{"name":"a.service","action":"restart","because":["/etc/motd"]}],"faults":[{"package":"p","detail":"d"}]}`)
	})
	got, err := c.Plan(t.Context(), request)
	want := applier.Plan{
		Files: []plan.FileChange{{Path: "/etc/motd", Action: plan.Update, Mode: 0o644}}, DaemonReload: true, Actions: []plan.Action{},
		Units:  []plan.UnitAction{{Name: "a.service", Action: plan.Restart, Because: []string{"/etc/motd"}}},
		Faults: []plan.Fault{{Package: "p", Detail: "d"}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Plan: %v (-want +got):\n%s", err, diff)
	}
}

func TestWarm(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var got applier.OS
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got != request.OS || r.Method+" "+r.URL.Path != "POST /warm" {
			t.Errorf("%s %s: %+v, %v, want POST /warm with %+v", r.Method, r.URL.Path, got, err, request.OS)
		}
	})
	if err := c.Warm(t.Context(), request.OS); err != nil {
		t.Errorf("Warm: %v", err)
	}
	c = serve(t, http.NotFound)
	if err := c.Warm(t.Context(), request.OS); err == nil || err.Error() != "warm the apply service: the apply service answers 404 Not Found" {
		t.Errorf("Warm of another server: %v", err)
	}
}

func TestApply(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"file":{"path":"/etc/motd","action":"update"}}`)
		fmt.Fprintln(w, `{"unit":{"name":"a.service","action":"restart","state":"active"}}`)
		fmt.Fprintln(w, `{"result":{"id":"x","generation":5,"status":"ok","files":[{"path":"/etc/motd","action":"update"}]}}`)
	})
	var told []string
	got, err := c.Apply(t.Context(), request, func(i applier.Item) {
		if i.File != nil {
			told = append(told, i.File.Path)
		}
		if i.Unit != nil {
			told = append(told, i.Unit.Name)
		}
	})
	want := applier.Result{ID: "x", Generation: 5, Status: applier.OK, Files: []applier.File{{Path: "/etc/motd", Action: plan.Update}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Apply: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"/etc/motd", "a.service"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestFaults(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	tests := []struct {
		name        string
		ctx         context.Context
		answer      http.HandlerFunc
		plan, apply string // what the errors hold
	}{
		{
			name: "refused", plan: "ask for a plan: the apply service refuses: there is no variant", apply: "ask for an apply: the apply service refuses: there is no variant",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				problem.Write(w, problem.New(problem.BadRequest, "there is no variant"))
			},
		},
		{
			name: "another server", plan: "the apply service answers 404 Not Found", apply: "the apply service answers 404 Not Found",
			answer: http.NotFound,
		},
		{
			name: "cut off", plan: "read the plan: EOF", apply: "follow the apply: the answer ends before the result",
			answer: func(http.ResponseWriter, *http.Request) {},
		},
		{
			name: "no JSON", plan: "read the plan: invalid character", apply: "follow the apply: invalid character",
			answer: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		},
		{
			name: "ended", ctx: ended, plan: "ask for a plan: context canceled", apply: "ask for an apply: context canceled",
			answer: func(http.ResponseWriter, *http.Request) {},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, ctx := serve(t, tt.answer), tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			if _, err := c.Plan(ctx, request); err == nil || !strings.Contains(err.Error(), tt.plan) {
				t.Errorf("Plan: %v, want %q", err, tt.plan)
			}
			if _, err := c.Apply(ctx, request, func(applier.Item) {}); err == nil || !strings.Contains(err.Error(), tt.apply) {
				t.Errorf("Apply: %v, want %q", err, tt.apply)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	_, err := applier.New(socket).Plan(t.Context(), request)
	if want := "ask for a plan: dial unix " + socket + ": connect: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("Plan: %v, want %q", err, want)
	}
}
