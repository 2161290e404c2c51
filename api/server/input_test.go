package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// Whatever is wrong with a body is said, with its place, and nothing of the
// body is kept.
func TestBadInput(t *testing.T) {
	n := start(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	tests := []struct {
		name, kind, body string
		status           int
		want             string // code and place of the first error
	}{
		{"empty", "json", ``, 400, "syntax 1:1"},
		{"half an object", "json", `{"motd":`, 400, "syntax 1:9"},
		{"trailing text", "json", `{} x`, 400, "syntax 1:4"},
		{"trailing comma", "json", "{\n\"motd\":\"x\",}", 400, "syntax 2:11"},
		{"not an object", "json", `[1]`, 400, "wrong-type 1:1"},
		{"null", "json", `null`, 400, "wrong-type 1:1"},
		{"duplicate key", "json", `{"motd":"x","motd":"y"}`, 400, "duplicate-key 1:13"},
		{"other letter case", "json", `{"MOTD":"x"}`, 400, "unknown-setting 1:2"},
		{"wrong type", "json", `{"updates":{"seed":"x"}}`, 400, "wrong-type 1:20"},
		{"fraction for an integer", "json", `{"updates":{"seed":1.5}}`, 400, "wrong-type 1:20"},
		{"out of range", "json", `{"updates":{"seed":99999999999999999999}}`, 400, "invalid-value 1:20"},
		{"too deep", "json", deep, 400, "too-large 1:161"},
		{"not UTF-8", "json", "{\"motd\":\"\xff\"}", 400, "syntax 1:10"},
		{"half a surrogate pair", "json", `{"motd":"\ud800"}`, 400, "syntax 1:10"},
		{"NUL in a string", "json", `{"motd":"a\u0000b"}`, 400, "invalid-value 1:9"},
		{"NUL as such", "json", "{\"motd\":\"a\x00b\"}", 400, "syntax 1:11"},
		{"string of 5 MiB", "json", `{"motd":"` + strings.Repeat("x", 5<<20) + `"}`, 400, "too-large 1:9"},
		{"9 MiB", "json", `{"motd":"` + strings.Repeat("x", 9<<20) + `"}`, 413, "too-large 0:0"},
		{"path traversal in a key", "json", `{"kernel":{"sysctl":{"../../etc/passwd":"1"}}}`, 400, "invalid-key 1:22"},
		{"blank in a key", "json", `{"kernel":{"sysctl":{"a b":"1"}}}`, 400, "invalid-key 1:22"},
		{"long key", "json", `{"kernel":{"sysctl":{"` + strings.Repeat("a", 240) + `":"1"}}}`, 400, "invalid-key 1:22"},
		{"empty key", "json", `{"kernel":{"sysctl":{"":"1"}}}`, 400, "invalid-key 1:22"},
		{"control character in a value", "json", `{"network":{"no-proxy":["a\u001bb"]}}`, 400, "invalid-value 1:25"},

		{"TOML value", "toml", "motd = \n", 400, "syntax 1:8"},
		{"TOML table", "toml", "motd = 'x'\n[ntp\n", 400, "syntax 2:5"},
		{"TOML duplicate key", "toml", "motd = 'x'\n\nmotd = 'y'\n", 400, "duplicate-key 3:1"},
		{"TOML duplicate table", "toml", "[ntp]\n[kernel]\n[ntp]\n", 400, "duplicate-key 3:2"},
		{"TOML unknown key", "toml", "motd = 'x'\n[ntp]\n  time-server = ['a']\n", 400, "unknown-setting 3:3"},
		{"TOML date", "toml", "motd = 2026-01-01\n", 400, "wrong-type 1:8"},
		{"TOML not UTF-8", "toml", "motd = '\xff'\n", 400, "syntax 1:9"},
		{"TOML NUL", "toml", "motd = \"a\\u0000b\"\n", 400, "invalid-value 1:8"},
		{"JSON called TOML", "toml", `{"motd":"x"}`, 400, "syntax 1:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := n.do(request{line: "PATCH /settings?tx=bad", kind: tt.kind, body: tt.body})
			var p problem.Problem
			if err := json.Unmarshal([]byte(a.body), &p); err != nil {
				t.Fatalf("answer %d %.300s: %v", a.status, a.body, err)
			}
			var first report.Fault
			if len(p.Errors) > 0 {
				first = p.Errors[0]
			}
			got := fmt.Sprintf("%s %d:%d", p.Code, first.Line, first.Column)
			if a.status != tt.status || got != tt.want {
				t.Errorf("PATCH %.80q: %d %s, want %d %s (%s)", tt.body, a.status, got, tt.status, tt.want, p.Detail)
			}
			if len(a.body) > 4000 {
				t.Errorf("PATCH %.80q: the answer has %d bytes", tt.body, len(a.body))
			}
		})
	}
	n.check(t, row{in: get("/tx/list"), status: 200, want: "[]"})
	n.check(t, row{in: get("/settings"), status: 200, want: everything})
}

// A body need not say how long it is.
func TestChunkedBody(t *testing.T) {
	n := start(t)
	tests := []struct {
		name   string
		bytes  int
		status int
	}{{"small", 10, 204}, {"large", 200 << 10, 204}, {"huge", 3 << 20, 204}, {"too large", 9 << 20, 413}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value := strings.Repeat("x", tt.bytes)
			body := struct{ io.Reader }{strings.NewReader(`{"motd":"` + value + `"}`)} // hides the length
			req, err := http.NewRequest(http.MethodPatch, "http://localhost/settings", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			res, err := n.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != tt.status {
				t.Fatalf("PATCH of %d bytes: %s, want %d", tt.bytes, res.Status, tt.status)
			}
			if tt.status == 204 {
				n.check(t, row{in: get("/tx"), status: 200, want: `{"motd":"` + value + `"}`})
			}
		})
	}
}

// All faults come in one answer, in the order of the text.
func TestAllFaultsAtOnce(t *testing.T) {
	n := start(t)
	body := "motd = 1\nmtod = 'x'\n[updates]\nseed = -1\n[ntp]\noptions = 'iburst'\n"
	a := n.do(request{line: "PATCH /settings", kind: "toml", body: body})
	var p problem.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range p.Errors {
		got = append(got, fmt.Sprintf("%d:%d %s %s", f.Line, f.Column, f.Path, f.Code))
	}
	want := []string{
		"1:8 settings.motd wrong-type", "2:1 settings.mtod unknown-setting",
		"4:8 settings.updates.seed invalid-value", "6:11 settings.ntp.options wrong-type",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults of %q (-want +got):\n%s", body, diff)
	}
	if p.Path != "settings.motd" || p.Code != "wrong-type" {
		t.Errorf("the document speaks of %s %s, want the first fault", p.Path, p.Code)
	}
}

// A missing member is found by the store and placed in the text all the same.
func TestPlaceOfMissingMember(t *testing.T) {
	n := start(t)
	body := "motd = 'x'\n[kubernetes.credential-providers.p]\nenabled = true\n"
	a := n.do(request{line: "PATCH /settings", kind: "toml", body: body})
	var p problem.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || len(p.Errors) != 1 || p.Errors[0].Line != 3 {
		t.Errorf("PATCH %q: %d %s, want one fault on line 3", body, a.status, a.body)
	}
}

// raw sends text over a connection of its own, closes that half, and returns
// the answer.
func (n *node) raw(t *testing.T, text string) (answer, error) {
	t.Helper()
	c, err := n.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, err
}

// A caller that closes its half after the request gets what it asked for.
func TestHalfClosedConnection(t *testing.T) {
	n := start(t)
	n.must("PATCH /settings", "json", `{"motd":"x"}`)
	a, err := n.raw(t, "POST /tx/commit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	if err != nil || a.status != 200 || a.body != `["settings.motd"]` {
		t.Errorf("commit over a half-closed connection: %d %s, %v, want 200", a.status, a.body, err)
	}
	n.check(t, row{in: get("/settings?keys=motd"), status: 200, want: `{"motd":"x"}`})

	a, err = n.raw(t, "PATCH /settings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"motd\":\"y\"}")
	if err == nil && a.status != http.StatusBadRequest {
		t.Errorf("body that breaks off: %d %s, want 400", a.status, a.body)
	}
	n.check(t, row{in: get("/tx"), status: 200, want: `{}`})
}

func TestMalformedRequests(t *testing.T) {
	n := start(t)
	tests := []struct {
		name, text string
		status     int
	}{
		{"no HTTP", "hello\r\n\r\n", 400},
		{"header of 100 KiB", "GET /settings HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", 431},
		{"two lengths", "POST /tx/commit HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
		{"path traversal", "GET /../../settings HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"odd method", "FROB /settings HTTP/1.1\r\nHost: x\r\n\r\n", 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a, err := n.raw(t, tt.text); err != nil || a.status != tt.status {
				t.Errorf("%.60q: %d %s, %v, want %d", tt.text, a.status, a.body, err, tt.status)
			}
		})
	}
}

// 200 writers at once: each commit that was acknowledged is in the history,
// once, and each value is what its writer set.
func TestConcurrentWriters(t *testing.T) {
	n := start(t)
	const writers = 200
	var all sync.WaitGroup
	var acknowledged atomic.Int32
	for i := range writers {
		all.Go(func() {
			tx := fmt.Sprintf("w%d", i)
			for _, r := range []request{
				{line: "PATCH /settings?tx=" + tx, kind: "json", body: fmt.Sprintf(`{"kernel":{"sysctl":{"w%d":"%d"}}}`, i, i)},
				{line: "POST /tx/commit?tx=" + tx + "&message=" + tx},
			} {
				if a, err := n.try(r); err != nil || a.status >= 300 {
					t.Errorf("%s: %d %s, %v", r.line, a.status, a.body, err)
					return
				}
			}
			acknowledged.Add(1)
		})
	}
	all.Wait()
	got := decode[struct {
		Kernel struct{ Sysctl map[string]string }
	}](t, n.do(get("/settings?keys=kernel"))).Kernel.Sysctl
	if len(got) != writers || int(acknowledged.Load()) != writers {
		t.Errorf("%d acknowledged, %d values, want %d", acknowledged.Load(), len(got), writers)
	}
	for k, v := range got {
		if k != "w"+v {
			t.Errorf("kernel.sysctl.%s is %q", k, v)
		}
	}
	seen := map[string]bool{}
	for _, g := range decode[[]shown](t, n.do(get("/generations?limit=1000"))) {
		if seen[g.Message] {
			t.Errorf("commit %s is in the history twice", g.Message)
		}
		seen[g.Message] = true
	}
	if len(seen) != writers {
		t.Errorf("history has %d commits, want %d", len(seen), writers)
	}
}

func TestTooManyTransactions(t *testing.T) {
	n := start(t)
	for i := range 256 {
		n.must(fmt.Sprintf("PATCH /settings?tx=t%d", i), "json", `{"motd":"x"}`)
	}
	n.table(t, []row{
		{name: "one more", in: request{line: "PATCH /settings?tx=more", kind: "json", body: `{"motd":"x"}`}, status: 429, want: "too-many-transactions: change transaction more: too many open transactions: 256, want at most 256"},
		{name: "one of them", in: request{line: "PATCH /settings?tx=t0", kind: "json", body: `{"motd":"x"}`}, status: 204},
	})
}

// Who comes when all connections are taken is told so, and is served once one
// is free again.
func TestTooManyConnections(t *testing.T) {
	n := start(t, func(o *server.Options) { o.Connections = 3 })
	var held []net.Conn
	for range 3 {
		c, err := n.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	within(t, "refusal", func() bool {
		a, err := n.try(get("/os"))
		return err == nil && a.status == http.StatusServiceUnavailable
	})
	large := request{line: "PATCH /settings", kind: "json", body: `{"motd":"` + strings.Repeat("x", 1<<20) + `"}`}
	for range 50 { // every time, whatever is sent
		for _, r := range []request{get("/os"), large} {
			n.check(t, row{in: r, status: http.StatusServiceUnavailable, want: "busy: there are 3 connections already", header: map[string]string{"Retry-After": "1"}})
		}
	}
	held[0].Close()
	within(t, "answer", func() bool {
		a, err := n.try(get("/os"))
		return err == nil && a.status == http.StatusOK
	})
}
