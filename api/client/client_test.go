package client_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// serve answers requests on a Unix socket with handler and returns its path.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "client") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "api.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ends with the server
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
		os.RemoveAll(dir)
	})
	return path
}

// What the methods send, and what they make of the answer.
func TestRequests(t *testing.T) {
	ctx := t.Context()
	motd := key.Of("motd")
	one, two := document.NewValue(`"a"`), document.NewValue(`"b"`)
	tests := []struct {
		name   string
		answer string
		header map[string]string
		call   func(c *client.Client) (any, error)
		sent   string // method, URI, content type, If-Match and body
		want   any
	}{
		{
			name: "settings", answer: `{"motd":"a","kernel":{"sysctl":{"a.b":"1"}}}`, header: map[string]string{"ETag": `"3-0"`},
			call: func(c *client.Client) (any, error) {
				s, err := c.Settings(ctx, client.Query{Keys: []key.Key{motd, key.Of("kernel", "sysctl", "a.b")}, Layer: client.User, Secrets: true})
				return s.ETag + string(s.Document.JSON()), err
			},
			sent: `GET /settings?keys=settings.motd%2Csettings.kernel.sysctl.%22a.b%22&layer=user&secrets=show`,
			want: `"3-0"{"kernel":{"sysctl":{"a.b":"1"}},"motd":"a"}`,
		},
		{
			name: "origins", answer: `{"settings.motd":{"value":"a","layer":"user","generation":3}}`,
			call: func(c *client.Client) (any, error) { return c.Origins(ctx, client.Query{Prefix: "settings.m"}) },
			sent: "GET /settings?origin=1&prefix=settings.m",
			want: map[string]client.Origin{"settings.motd": {Value: []byte(`"a"`), Layer: client.User, Generation: 3}},
		},
		{
			name: "patch", header: map[string]string{"Bulkhead-Warnings": "2"},
			call: func(c *client.Client) (any, error) {
				return c.Patch(ctx, client.Patch{Tx: "t", ContentType: client.TOML, Body: []byte("x"), IfMatch: `"3"`})
			},
			sent: `PATCH /settings?tx=t application/toml "3" x`, want: 2,
		},
		{
			name: "patch with a whole document",
			call: func(c *client.Client) (any, error) {
				return c.Patch(ctx, client.Patch{ContentType: client.JSON, Body: []byte("{}"), Document: true})
			},
			sent: "PATCH /settings?document=1 application/json {}", want: 0,
		},
		{
			name: "pairs",
			call: func(c *client.Client) (any, error) { return c.PatchPairs(ctx, "", []string{`a="<b>"`}) },
			sent: `PATCH /settings/keypair application/json {"request_payload":["a=\"\u003cb\u003e\""]}`, want: 0,
		},
		{
			name: "unset",
			call: func(c *client.Client) (any, error) { return nil, c.Unset(ctx, "t", []key.Key{motd}) },
			sent: "DELETE /settings?keys=settings.motd&tx=t",
		},
		{
			name: "commit", answer: `["settings.motd"]`,
			header: map[string]string{"Bulkhead-Generation": "4", "ETag": `"4-0"`, "Bulkhead-Try-Deadline": "2026-01-02T03:04:05Z"},
			call: func(c *client.Client) (any, error) {
				return c.Commit(ctx, client.CommitRequest{Tx: "t", Message: "a b", Try: 5 * time.Minute, IfMatch: "*"})
			},
			sent: "POST /tx/commit?message=a+b&try=5m0s&tx=t *",
			want: client.Committed{Changed: []string{"settings.motd"}, Generation: 4, ETag: `"4-0"`, TryDeadline: new(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))},
		},
		{
			name: "commit and apply", answer: `[]`, header: map[string]string{"Bulkhead-Applied": "no"},
			call: func(c *client.Client) (any, error) { return c.Commit(ctx, client.CommitRequest{Apply: true}) },
			sent: "POST /tx/commit_and_apply", want: client.Committed{Changed: []string{}},
		},
		{
			name: "commit, apply and wait", header: map[string]string{"Bulkhead-Applied": "failed", "Bulkhead-Apply": "x"},
			answer: `{"changed":["settings.motd"],"apply":{"id":"x","status":"failed","files":[{"path":"/etc/motd","action":"update","error":"full"}]}}`,
			call: func(c *client.Client) (any, error) {
				return c.Commit(ctx, client.CommitRequest{Apply: true, Wait: 30 * time.Second})
			},
			sent: "POST /tx/commit_and_apply?wait=30s",
			want: client.Committed{Changed: []string{"settings.motd"}, Applied: true, ApplyID: "x", Apply: &client.Apply{
				ID: "x", Status: applier.Failed, Files: []applier.File{{Path: "/etc/motd", Action: plan.Update, Error: "full"}},
			}},
		},
		{
			name: "wait for an API that does not", answer: `["settings.motd"]`,
			call: func(c *client.Client) (any, error) {
				return c.Commit(ctx, client.CommitRequest{Apply: true, Wait: time.Second})
			},
			sent: "POST /tx/commit_and_apply?wait=1s", want: client.Committed{Changed: []string{"settings.motd"}, Applied: true},
		},
		{
			name: "applies", answer: `[{"id":"x","status":"running"}]`,
			call: func(c *client.Client) (any, error) { return c.Applies(ctx, 1) },
			sent: "GET /applies?limit=1", want: []client.Apply{{ID: "x", Status: client.Running}},
		},
		{
			name: "one apply", answer: `{"id":"a/b","status":"nothing"}`,
			call: func(c *client.Client) (any, error) { return c.FindApply(ctx, "a/b") },
			sent: "GET /applies/a%2Fb", want: client.Apply{ID: "a/b", Status: applier.Nothing},
		},
		{
			name: "readers", answer: `{"settings.motd":{"files":[{"name":"base-motd","path":"/etc/motd","units":[],"on_change":"restart"}],"programs":[]}}`,
			call: func(c *client.Client) (any, error) { return c.Readers(ctx, motd) },
			sent: "GET /metadata/readers?keys=settings.motd",
			want: client.Readers{Files: []client.FileReader{{Name: "base-motd", Path: "/etc/motd", Units: []string{}, OnChange: "restart"}}, Programs: []string{}},
		},
		{
			name: "plan of files", answer: `{"generation":3,"changes":[],"files":[],"daemon_reload":true,"actions":[],"units":[{"name":"a.service","action":"stop"}]}`,
			call: func(c *client.Client) (any, error) { return c.Plan(ctx, client.PlanRequest{}) },
			sent: "POST /plan",
			want: client.Plan{Generation: 3, Changes: []document.Change{}, Host: &applier.Plan{
				Files: []plan.FileChange{}, DaemonReload: true, Actions: []plan.Action{}, Units: []plan.UnitAction{{Name: "a.service", Action: plan.Stop}},
			}},
		},
		{
			name: "apply", answer: `{"id":"x","status":"ok"}`,
			call: func(c *client.Client) (any, error) { return c.ApplyCurrent(ctx, time.Minute) },
			sent: "POST /tx/apply?wait=1m0s", want: client.Apply{ID: "x", Status: applier.OK},
		},
		{
			name: "drop", answer: `["settings.motd"]`,
			call: func(c *client.Client) (any, error) { return c.Drop(ctx, "t") },
			sent: "DELETE /tx?tx=t", want: []string{"settings.motd"},
		},
		{
			name: "transactions", answer: `[{"name":"t","keys":2}]`,
			call: func(c *client.Client) (any, error) { return c.Transactions(ctx) },
			sent: "GET /tx/list?details=1", want: []client.Transaction{{Name: "t", Keys: 2}},
		},
		{
			name: "generations", answer: `[{"id":3,"parent":2,"actor":{"name":"root"},"changed":1,"current":true}]`,
			call: func(c *client.Client) (any, error) { return c.Generations(ctx, 5, 9) },
			sent: "GET /generations?before=9&limit=5",
			want: []client.Generation{{ID: 3, Parent: 2, Actor: client.Actor{Name: "root"}, Changed: 1, Current: true}},
		},
		{
			name: "diff to the current one", answer: `{"from":1,"to":3,"changes":[{"key":"settings.motd","old":"a","new":"b"}]}`,
			call: func(c *client.Client) (any, error) {
				d, err := c.Diff(ctx, 1, client.Current)
				return fmt.Sprintln(d.From, d.To, d.Changes[0].Key, *d.Changes[0].Old == one, *d.Changes[0].New == two), err
			},
			sent: "GET /generations/1/diff?to=current", want: "1 3 settings.motd true true\n",
		},
		{
			name: "plan", answer: `{"generation":3,"changes":[{"key":"settings.motd","old":"a","new":null}],"faults":[]}`,
			call: func(c *client.Client) (any, error) {
				p, err := c.Plan(ctx, client.PlanRequest{Tx: "t", ContentType: client.MergePatch, Body: []byte(`{"motd":null}`)})
				return fmt.Sprint(p.Generation, len(p.Changes), p.Changes[0].New == nil), err
			},
			sent: `POST /plan?tx=t application/merge-patch+json {"motd":null}`, want: "3 1 true",
		},
		{
			name: "plan of a revert", answer: `{"generation":3}`,
			call: func(c *client.Client) (any, error) { return c.Plan(ctx, client.PlanRequest{Revert: new(uint64(0))}) },
			sent: "POST /plan?revert=0", want: client.Plan{Generation: 3, Changes: []document.Change{}},
		},
		{
			name: "revert", answer: `[]`,
			call: func(c *client.Client) (any, error) { return c.Revert(ctx, client.RevertRequest{To: 7, Message: "why"}) },
			sent: "POST /generations/7/revert?message=why", want: client.Committed{Changed: []string{}, Applied: true},
		},
		{
			name: "confirm", answer: `{"id":7}`,
			call: func(c *client.Client) (any, error) { return c.Confirm(ctx, 7) },
			sent: "POST /confirm?generation=7", want: client.Generation{ID: 7},
		},
		{
			name: "facts", answer: `{"os":{"variant_id":"v"}}`,
			call: func(c *client.Client) (any, error) { return c.OS(ctx, "v") },
			sent: "GET /?prefix=os.v", want: map[string]any{"variant_id": "v"},
		},
		{
			name: "as typed", answer: "text",
			call: func(c *client.Client) (any, error) {
				r, err := c.Do(ctx, client.Request{Method: "PUT", URI: `/a%2Fb?k="x y"&z=%20#`})
				return string(r.Body), err
			},
			sent: `PUT /a%2Fb?k=%22x%20y%22&z=%20%23`, want: "text",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sent string
			socket := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				words := []string{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("If-Match"), string(body)}
				sent = strings.Join(strings.Fields(strings.Join(words, " ")), " ")
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				fmt.Fprint(w, tt.answer)
			})
			got, err := tt.call(client.New(socket))
			if err != nil {
				t.Fatalf("error %v, want none", err)
			}
			if diff := cmp.Diff(tt.sent, sent); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	const document = `{"type":"urn:bulkhead:problem:invalid-settings","title":"invalid settings","status":400,"detail":"d","path":"settings.a","code":"wrong-type",
		"errors":[{"severity":"warning","path":"settings.w","code":"deprecated","detail":"old"},
		{"severity":"error","path":"settings.a","code":"wrong-type","detail":"want a string","hint":"quote it","line":2,"column":3},
		{"severity":"error","path":"settings.b","code":"unknown-setting","detail":"unknown"}]}`
	tests := []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"faults", "application/problem+json; charset=utf-8", document, 400, `2:3: settings.a: want a string (quote it) (and 1 more)`},
		{"no faults", "application/problem+json", `{"detail":"nothing is pending in transaction t"}`, 422, "nothing is pending in transaction t"},
		{"text of another server", "text/plain", "Tried to commit with no pending changes\nmore", 422, "GET /x: 422 unprocessable entity: Tried to commit with no pending changes"},
		{"page of a proxy", "text/html", "<html>", 502, "GET /x: 502 bad gateway"},
		{"no body", "", "", 500, "GET /x: 500 internal server error"},
		{"not what it says", "application/problem+json", "{", 400, "GET /x: 400 bad request: {"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			_, err := client.New(socket).Do(t.Context(), client.Request{URI: "/x"})
			p, ok := errors.AsType[*client.Problem](err)
			if !ok || p.Status != tt.status {
				t.Fatalf("Do: error %#v, want a Problem with status %d", err, tt.status)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "x.sock")
	_, err := client.New(socket).Settings(t.Context(), client.Query{})
	if want := "connect to " + socket + ": no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("Settings: error %v, want %s", err, want)
	}
	if !errors.Is(err, syscall.ENOENT) {
		t.Errorf("Settings: error %v is not ENOENT", err)
	}
}

func TestWrongURI(t *testing.T) {
	for _, uri := range []string{"", "settings", "http://example.org/", "/%zz"} {
		if _, err := client.New("/nowhere").Do(t.Context(), client.Request{URI: uri}); err == nil || !strings.Contains(err.Error(), "URI") {
			t.Errorf("Do(%q): error %v, want one about the URI", uri, err)
		}
	}
}

// The zero Client looks at the environment.
func TestZeroClient(t *testing.T) {
	socket := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) })
	t.Setenv(client.SocketVariable, socket)
	var c client.Client
	var traced client.Exchange
	c.Trace = func(e client.Exchange) { traced = e }
	h, err := c.Health(t.Context())
	if err != nil || h.Status != "ok" {
		t.Errorf("Health() = %+v, %v, want status ok", h, err)
	}
	if traced.Method != "GET" || traced.URI != "/health" || traced.Status != 200 {
		t.Errorf("Trace was told %+v, want GET /health and 200", traced)
	}
}
