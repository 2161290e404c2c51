package server_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/server"
)

var uid = os.Getuid()

// audit returns the audit log as it is now.
func (n *node) audit(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(n.dir, "audit", audit.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A stream is an open GET /events.
type stream struct {
	t   *testing.T
	res *http.Response
	r   *bufio.Reader
}

func (n *node) follow(t *testing.T, query, after string) *stream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := n.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("GET /events%s: %s, content type %q", query, res.Status, got)
	}
	return &stream{t, res, bufio.NewReader(res.Body)}
}

// A message is one event as it came.
type message struct{ id, kind, data string }

// next reads the next message, comments and bare ids left out.
func (s *stream) next() message {
	s.t.Helper()
	var m message
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.t.Fatalf("read events: %v", err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.kind = value
		case "data":
			m.data = value
		case "":
			if m.data != "" {
				return m
			}
		}
	}
}

func TestEvents(t *testing.T) {
	n := start(t)
	all := n.follow(t, "", "")
	generated := n.follow(t, "?kinds=generated,revert", "")
	if a := n.do(get("/events")); a.status != http.StatusTooManyRequests {
		t.Errorf("third stream: %d %s, want 429", a.status, a.body)
	}
	n.must("PATCH /settings", "json", `{"motd":"x"}`)
	n.must("POST /tx/commit?message=hello", "", "")
	n.must("PATCH /settings?layer=generated", "json", `{"updates":{"seed":1}}`)

	first := all.next()
	var data struct {
		Generation uint64
		Keys       []string
		Actor      struct{ UID int }
		Message    string
		Time       time.Time
	}
	if err := json.Unmarshal([]byte(first.data), &data); err != nil {
		t.Fatalf("event %+v: %v", first, err)
	}
	if first.kind != "commit" || data.Generation != 1 || data.Message != "hello" || data.Actor.UID != uid || time.Since(data.Time) > time.Minute {
		t.Errorf("first event: %+v, want the commit", first)
	}
	if diff := cmp.Diff([]string{"settings.motd"}, data.Keys); diff != "" {
		t.Errorf("keys of the commit (-want +got):\n%s", diff)
	}
	second := all.next()
	if got := generated.next(); second.kind != "generated" || got != second {
		t.Errorf("stream of one kind: %+v, want what the other stream got second, %+v", got, second)
	}
	for _, s := range []*stream{all, generated} {
		s.res.Body.Close()
	}
	within(t, "end of the streams", func() bool { return n.events.Streams() == 0 })

	if got := n.follow(t, "", first.id).next(); got != second {
		t.Errorf("resumed stream: %+v, want what was missed, %+v", got, second)
	}
	s := n.follow(t, "", "0")
	reset := s.next()
	got := []message{s.next(), s.next()}
	if diff := cmp.Diff([]message{first, second}, got, cmp.AllowUnexported(message{})); reset.kind != "reset" || diff != "" {
		t.Errorf("stream resumed with an unknown id: %+v, want a reset, then all events (-want +got):\n%s", reset, diff)
	}
	s.res.Body.Close()
	within(t, "end of the streams", func() bool { return n.events.Streams() < 2 })
	if got := n.follow(t, "", reset.id).next(); got != first {
		t.Errorf("stream resumed from the reset: %+v, want the first event, %+v", got, first)
	}
}

// More events than the ring keeps lead to a reset, not to a gap.
func TestEventsTooOld(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"0"}`)
	id := n.follow(t, "", "x-0").next().id
	for range 10 {
		n.set(`{"motd":"x"}`)
	}
	s := n.follow(t, "", id)
	if got := s.next(); got.kind != "reset" {
		t.Errorf("resume behind an event that is gone: %+v, want a reset", got)
	}
	if got := s.next(); !strings.Contains(got.data, `"generation":4,`) { // 8 of 11 are kept
		t.Errorf("after the reset: %+v, want the oldest event that is kept, of generation 4", got)
	}
}

func TestHeartbeat(t *testing.T) {
	n := start(t, func(o *server.Options) { o.Heartbeat = time.Millisecond })
	s := n.follow(t, "", "")
	beats := 0
	for beats < 3 {
		line, err := s.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == ":\n" {
			beats++
		}
	}
}

// Streams end with the server, after what waited in them.
func TestStopEndsStreams(t *testing.T) {
	n := start(t)
	s := n.follow(t, "", "")
	n.set(`{"motd":"x"}`)
	if err := n.stop(); err != nil {
		t.Fatalf("Serve: %v", err)
	}
	if got := s.next(); got.kind != "commit" {
		t.Errorf("last event: %+v, want the commit", got)
	}
	if rest, err := io.ReadAll(s.r); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || len(rest) > 0 {
		t.Errorf("after the last event: %q, %v, want the end", rest, err)
	}
	if _, err := n.dial(); err == nil {
		t.Error("the socket still takes connections")
	}
}
