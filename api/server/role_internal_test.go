package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

func newServer(t *testing.T) *Server {
	t.Helper()
	dir := t.TempDir()
	sch := schema.For(settings.Type, "test-dev", []string{"motd"})
	notices := &Notices{Events: event.NewHub(event.Options{}), Audit: audit.Open(audit.Options{Dir: filepath.Join(dir, "audit")})}
	evaluate := Evaluate(sch, document.Document{})
	st, err := store.Open(store.Options{Dir: filepath.Join(dir, "state"), Evaluate: evaluate, Notify: notices.Notify})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
		if err := notices.Audit.Close(); err != nil {
			t.Errorf("close audit log: %v", err)
		}
	})
	return New(Options{Store: st, Schema: sch, Evaluate: evaluate, Notices: notices})
}

// as makes a request in the name of a caller with the given role.
func as(s *Server, role Role, method, target, body string) *httptest.ResponseRecorder {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), peerKey{}, &Peer{Role: role, UID: 7, name: "uid 7"}))
	cancel() // an event stream then ends at once
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// Every route with every role: who has less than the route asks for gets 403
// and nothing else happens, everybody else gets past that.
func TestRoutesByRole(t *testing.T) {
	s := newServer(t)
	for _, rt := range Routes() {
		for _, role := range []Role{None, Reader, Operator, Admin} {
			t.Run(fmt.Sprintf("%s %s as %s", rt.Method, rt.Path, role), func(t *testing.T) {
				methods := []string{rt.Method}
				if rt.Method == http.MethodGet {
					methods = append(methods, http.MethodHead)
				}
				for _, m := range methods {
					w := as(s, role, m, strings.Replace(rt.Path, "{id}", "0", 1), "{}")
					if refused := w.Code == http.StatusForbidden; refused != (role < rt.Role) {
						t.Errorf("status %d, want 403: %t", w.Code, role < rt.Role)
					}
				}
			})
		}
	}
}

// What the table of routes may not forget.
func TestRouteTable(t *testing.T) {
	for _, rt := range Routes() {
		changes := rt.Method != http.MethodGet && !strings.HasSuffix(rt.Path, "/plan")
		if rt.Changes != changes {
			t.Errorf("%s %s: Changes is %t, want %t", rt.Method, rt.Path, rt.Changes, changes)
		}
		want := map[bool]Role{false: Reader, true: Operator}[rt.Method != http.MethodGet]
		if rt.Method == http.MethodPost && rt.Path == "/actions/reset" {
			want = Admin // it takes the node from everybody
		}
		if rt.Path == "/exec" || rt.Path == "/debug" || rt.Path == "/debug/image" {
			want = Admin // in a container its secrets are in clear
		}
		if rt.Path == "/actions/first-settings" {
			want = None // who has the code
		}
		if rt.Role != want {
			t.Errorf("%s %s needs %s, want %s", rt.Method, rt.Path, rt.Role, want)
		}
	}
}

func TestOnlyAdminsSeeSecretsAndOnlyRootGenerates(t *testing.T) {
	s := newServer(t)
	tests := []struct {
		name, method, target string
		role                 Role
		status               int
	}{
		{"reader", "GET", "/settings?secrets=show", Reader, 403},
		{"operator", "GET", "/settings?secrets=show", Operator, 403},
		{"operator, generation", "GET", "/generations/0?secrets=show", Operator, 403},
		{"operator, transaction", "GET", "/tx?secrets=show", Operator, 403},
		{"operator, difference", "GET", "/generations/0/diff?to=0&secrets=show", Operator, 403},
		{"admin", "GET", "/settings?secrets=show", Admin, 200},
		{"admin, transaction", "GET", "/tx?secrets=show", Admin, 200},
		{"admin, difference", "GET", "/generations/0/diff?to=0&secrets=show", Admin, 200},
		{"generated layer by an admin that is not root", "PATCH", "/settings?layer=generated", Admin, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := as(s, tt.role, tt.method, tt.target, `{"motd":"x"}`); w.Code != tt.status {
				t.Errorf("%s %s as %s: %d %s, want %d", tt.method, tt.target, tt.role, w.Code, w.Body, tt.status)
			}
		})
	}
	if g := s.opt.Store.Snapshot().Generated; g.Len() != 0 {
		t.Errorf("generated layer is %s, want nothing in it", g.JSON())
	}
}

func TestIdentify(t *testing.T) {
	access := Access{AdminGroups: []uint32{274}, ReaderGroups: []uint32{300}}
	sandbox := Access{OwnUser: true}
	tests := []struct {
		name   string
		access Access
		peer   Peer
		role   Role
		system bool
	}{
		{"root", access, Peer{UID: 0, GID: 0}, Admin, true},
		{"primary group", access, Peer{UID: 5, GID: 274}, Admin, false},
		{"other group", access, Peer{UID: 5, GID: 5, Groups: []uint32{9, 274}}, Admin, false},
		{"both groups", access, Peer{UID: 5, GID: 300, Groups: []uint32{274}}, Admin, false},
		{"reader", access, Peer{UID: 5, GID: 5, Groups: []uint32{300}}, Reader, false},
		{"group of root alone", access, Peer{UID: 5, GID: 0}, None, false},
		{"daemon's own user on a node", access, Peer{UID: 77, GID: 77}, None, false},
		{"daemon's own user in a sandbox", sandbox, Peer{UID: 77, GID: 77}, Admin, true},
		{"another user in a sandbox", sandbox, Peer{UID: 78, GID: 78}, None, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.peer
			tt.access.identify(&p, 77)
			if p.Role != tt.role || p.System != tt.system {
				t.Errorf("identify(%+v): role %s, system %t, want %s, %t", tt.peer, p.Role, p.System, tt.role, tt.system)
			}
		})
	}
}

// Root, too, only reads by a socket for readers.
func TestReaderSocket(t *testing.T) {
	tests := []struct {
		name   string
		peer   Peer
		most   Role
		role   Role
		system bool
	}{
		{"root", Peer{UID: 0}, Reader, Reader, false},
		{"admin", Peer{UID: 5, GID: 274}, Reader, Reader, false},
		{"reader", Peer{UID: 5, GID: 300}, Reader, Reader, false},
		{"nobody", Peer{UID: 5, GID: 5}, Reader, None, false},
		{"root by the other socket", Peer{UID: 0}, Admin, Admin, true},
	}
	access := Access{AdminGroups: []uint32{274}, ReaderGroups: []uint32{300}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.peer
			access.identify(&p, 77)
			p.limit(tt.most)
			if p.Role != tt.role || p.System != tt.system {
				t.Errorf("identify and limit(%s) of %+v: role %s, system %t, want %s, %t", tt.most, tt.peer, p.Role, p.System, tt.role, tt.system)
			}
		})
	}
}

// A caller whose connection did not come by a listener of ours may do nothing.
func TestForeignConnection(t *testing.T) {
	s := newServer(t)
	s.opt.Access.OwnUser = true
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := peerFrom(s.withPeer(t.Context(), c)); p.Role != None || p.System {
		t.Errorf("withPeer of %T: role %s, system %t, want none, false", c, p.Role, p.System)
	}
}

// The kernel tells who is at the other end of a socket.
func TestPeerOfSocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	end, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	p, err := peerOf(end)
	if err != nil {
		t.Fatal(err)
	}
	if int(p.UID) != os.Getuid() || int(p.GID) != os.Getgid() || int(p.PID) != os.Getpid() {
		t.Errorf("peerOf: %+v, want this process: uid %d, gid %d, pid %d", p, os.Getuid(), os.Getgid(), os.Getpid())
	}
	want, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range want {
		if !slices.Contains(p.Groups, uint32(g)) {
			t.Errorf("peerOf: groups %v, want %v", p.Groups, want)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := peerOf(a); err == nil {
		t.Error("peerOf a pipe: no error")
	}
}

// A handler that panics is answered with 500 and a number that the log has,
// the store stays as it is, and the next request is served.
func TestPanic(t *testing.T) {
	s := newServer(t)
	for i := range s.routes {
		if s.routes[i].Path == "/health" {
			s.routes[i].handle = func(*Server, *call) error { panic("the sky falls") }
		}
	}
	w := as(s, Admin, "GET", "/health", "")
	var p problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 500 || p.Code != "internal" || !strings.HasPrefix(p.Instance, "urn:bulkhead:request:") {
		t.Errorf("GET /health: %d %s, %v, want 500 and the number of the request", w.Code, w.Body, err)
	}
	if strings.Contains(w.Body.String(), "sky") {
		t.Errorf("the answer shows the cause: %s", w.Body)
	}
	if w := as(s, Admin, "GET", "/settings", ""); w.Code != 200 {
		t.Errorf("GET /settings afterwards: %d, want 200", w.Code)
	}
}
