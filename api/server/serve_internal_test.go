package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// Who does not finish a request, does not begin one, or does not say more, is
// dropped, and so is what is under way when the end has come.
func TestSlowClients(t *testing.T) {
	long := time.Hour
	const head = "PATCH /settings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
	tests := []struct {
		name     string
		patience patience
		sent     string
	}{
		{"half a header", patience{header: 20 * time.Millisecond, read: long, write: long, idle: long}, "GET /settings HT"},
		{"half a body", patience{header: long, read: 20 * time.Millisecond, write: long, idle: long}, head + "{"},
		{"no second request", patience{header: long, read: long, write: long, idle: 20 * time.Millisecond}, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.patience = tt.patience
			s.patience.stop = time.Second
			l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(ctx, l) }()
			c, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, tt.sent); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); errors.Is(err, context.DeadlineExceeded) || err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("after %q: the connection is still open, it gave %q", tt.sent, got)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// Sockets for readers have connections of their own: neither side keeps the
// other out. When one socket breaks, all are given up.
func TestReadersApart(t *testing.T) {
	s := newServer(t)
	s.opt.Access.OwnUser, s.opt.Connections = true, 1
	var listeners []net.Listener
	for _, name := range []string{"api", "read"} {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(t.Context(), listeners[0], listeners[1]) }()
	for _, tt := range []struct {
		listener int
		want     string
	}{{0, "HTTP/1.1 200 OK"}, {1, "HTTP/1.1 200 OK"}, {0, "HTTP/1.1 503 "}, {1, "HTTP/1.1 503 "}} {
		c, err := net.Dial("unix", listeners[tt.listener].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /settings HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, tt.want) {
			t.Errorf("GET /settings by socket %d: %q, %v, want %s", tt.listener, line, err, tt.want)
		}
	}
	if err := listeners[1].Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), "serve: ") {
		t.Errorf("Serve after one socket broke: %v, want an error", err)
	}
	if c, err := net.Dial("unix", listeners[0].Addr().String()); err == nil {
		c.Close()
		t.Error("the other socket still takes connections")
	}
}

// Errors of the store have a status each. What is about storage does not show
// its cause, which names files, to the caller.
func TestProblemFrom(t *testing.T) {
	s := newServer(t)
	c := &call{r: httptest.NewRequest("POST", "/tx/commit", nil), route: &Route{Path: "/tx/commit"}}
	c.entry.Tx = "t"
	refusal := report.Report{}
	refusal.Add(report.Fault{Code: report.InvalidValue, Path: "settings.motd", Detail: "no"})
	tests := []struct {
		err    error
		status int
		code   string
	}{
		{fmt.Errorf("x: %w", refusal.Err()), 400, "invalid-value"},
		{store.ErrTransactionName, 400, "invalid-transaction"},
		{store.ErrNoGeneration, 404, "no-generation"},
		{store.ErrTryPending, 409, "try-pending"},
		{store.ErrNoTry, 409, "no-try"},
		{store.ErrStale, 412, "stale"},
		{store.ErrNothingPending, 422, "nothing-pending"},
		{store.ErrTooManyTransactions, 429, "too-many-transactions"},
		{event.ErrTooManyStreams, 429, "too-many-streams"},
		{fmt.Errorf("%w: write /secret/place", store.ErrNoSpace), 507, "no-space"},
		{fmt.Errorf("%w: write /secret/place", store.ErrReadOnly), 503, "read-only"},
		{store.ErrClosed, 503, "busy"},
		{errors.New("write /secret/place: bang"), 500, "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			p := s.problemFrom(c, tt.err)
			if p.Status != tt.status || p.Code != tt.code || strings.Contains(p.Detail, "/secret") {
				t.Errorf("problemFrom(%v): %d %s %q, want %d %s", tt.err, p.Status, p.Code, p.Detail, tt.status, tt.code)
			}
		})
	}
}

// Settings that another image stored, and this one does not know, are left
// out, refuse nothing, and can be unset.
func TestForeignSettings(t *testing.T) {
	dir := t.TempDir()
	other, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	foreign := document.Patch{Set: document.Of(
		document.Leaf{Key: key.Of("warp", "factor"), Value: document.NewValue("9")},
		document.Leaf{Key: key.Of("motd"), Value: document.StringValue("x")},
	)}
	if err := other.Patch(t.Context(), store.PatchRequest{Tx: "t", Patch: foreign}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Commit(t.Context(), store.CommitRequest{Tx: "t"}); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}

	sch := schema.For(settings.Type, "test-dev", []string{"motd"})
	evaluate := Evaluate(sch, document.Document{})
	st, err := store.Open(store.Options{Dir: dir, Evaluate: evaluate})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	log := audit.Open(audit.Options{Dir: filepath.Join(dir, "audit")})
	defer log.Close()
	s := New(Options{Store: st, Schema: sch, Evaluate: evaluate, Notices: &Notices{Events: event.NewHub(event.Options{}), Audit: log}})

	steps := []struct{ method, target, body, want string }{
		{"GET", "/settings", "", `{"motd":"x"}`},
		{"PATCH", "/settings", `{"motd":"y"}`, ``},
		{"POST", "/tx/commit", "", `["settings.motd"]`},
		{"DELETE", "/settings?keys=warp", "", ``},
		{"POST", "/tx/commit", "", `["settings.warp.factor"]`},
		{"GET", "/settings?layer=user", "", `{"motd":"y"}`},
	}
	if w := as(s, Admin, "GET", "/health", ""); !strings.Contains(w.Body.String(), `"degraded"`) || !strings.Contains(w.Body.String(), "settings.warp.factor") {
		t.Errorf("GET /health: %s, want a fault about the foreign setting", w.Body)
	}
	for _, step := range steps {
		if w := as(s, Admin, step.method, step.target, step.body); w.Code >= 300 || w.Body.String() != step.want {
			t.Errorf("%s %s %s: %d %s, want %s", step.method, step.target, step.body, w.Code, w.Body, step.want)
		}
	}
}

// Every kind of problem that a route can answer with is among those that its
// description lists, or happens on any route.
func TestRefusalsAreKinds(t *testing.T) {
	known := map[string]bool{}
	for _, k := range problem.Kinds() {
		known[k.Code] = true
	}
	for _, rt := range Routes() {
		for _, k := range rt.Refuses {
			if !known[k.Code] {
				t.Errorf("%s %s refuses with %q, which is no kind of problem", rt.Method, rt.Path, k.Code)
			}
		}
	}
}
