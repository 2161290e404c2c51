package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func messages(t *testing.T, text string) []message {
	t.Helper()
	r := newMessageReader(strings.NewReader(text), func() {})
	var all []message
	for {
		m, err := r.next()
		if err != nil {
			return all
		}
		all = append(all, m)
	}
}

func TestMessages(t *testing.T) {
	tests := []struct {
		name, in string
		want     []message
	}{
		{"plain", "id: 1\nevent: commit\ndata: {}\n\n", []message{{"1", "commit", "{}"}}},
		{"line ends", "data: a\r\ndata: b\rdata: c\n\r\n", []message{{"", "message", "a\nb\nc"}}},
		{"comments and unknown fields", ": hello\n\nfoo: bar\ndata:x\n\n", []message{{"", "message", "x"}}},
		{"no data is no message", "event: a\n\ndata: b\n\n", []message{{"", "message", "b"}}},
		{"the id stays", "id: 7\ndata: a\n\ndata: b\n\n", []message{{"7", "message", "a"}, {"7", "message", "b"}}},
		{"an id with NUL is none", "id: 7\nid: a\x00\ndata: a\n\n", []message{{"7", "message", "a"}}},
		{"byte order mark", "\xEF\xBB\xBFdata: a\n\n", []message{{"", "message", "a"}}},
		{"cut off", "data: a\n\ndata: b\n", []message{{"", "message", "a"}}},
		{"only one space goes", "data:  a\n\n", []message{{"", "message", " a"}}},
		{"empty data", "data\n\n", []message{{"", "message", ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, messages(t, tt.in), cmp.AllowUnexported(message{})); diff != "" {
				t.Errorf("messages of %q (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestLongMessage(t *testing.T) {
	for _, in := range []string{strings.Repeat("x", maxMessage+1), strings.Repeat("data: "+strings.Repeat("x", 1<<20)+"\n", 5)} {
		r := newMessageReader(strings.NewReader(in), func() {})
		if _, err := r.next(); !errors.Is(err, errLongMessage) {
			t.Errorf("next() for %d bytes: error %v, want %v", len(in), err, errLongMessage)
		}
	}
}

// What is read and written again reads the same, wherever the text is cut into
// lines.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{"id: 1\nevent: commit\ndata: {}\n\n", "data: a\r\n\r\n", "\xEF\xBB\xBFdata\n\n", ":\n\nretry: 5\n", "data:\x00\xff\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		first := messages(t, in)
		var b strings.Builder
		for _, m := range first {
			fmt.Fprintf(&b, "id: %s\nevent: %s\n", m.id, m.event)
			for line := range strings.SplitSeq(m.data, "\n") {
				fmt.Fprintf(&b, "data: %s\n", line)
			}
			b.WriteByte('\n')
		}
		if diff := cmp.Diff(first, messages(t, b.String()), cmp.AllowUnexported(message{})); diff != "" {
			t.Errorf("messages of %q, written and read again (-first +again):\n%s", in, diff)
		}
	})
}

// A stream that breaks goes on after the last event seen, and one that falls
// silent is broken off.
func TestEventsResume(t *testing.T) {
	dir, err := os.MkdirTemp("", "events")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	asked := make(chan string, 10)
	answers := []func(w http.ResponseWriter, r *http.Request){
		func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "retry: 1\n\nid: e-0\n\nid: e-1\nevent: commit\ndata: {\"generation\":1,\"keys\":[\"settings.motd\"],\"actor\":{\"name\":\"root\"}}\n\n")
		},
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, r *http.Request) { // silent
			w.WriteHeader(http.StatusOK)
			fmt.Fprint(w, "id: e-1b\n\nid: lost\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "id: e-2\nevent: reset\ndata: \n\n")
		},
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
	}
	var next atomic.Int32
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.RequestURI + " " + r.Header.Get("Last-Event-ID")
		answers[next.Add(1)-1](w, r)
	})}
	defer s.Close()
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := New(socket).Events(ctx, EventsRequest{Kinds: []string{"commit", "revert"}})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	stream.idle, stream.pause = 50*time.Millisecond, time.Millisecond

	first, err := stream.Next(ctx)
	want := Event{ID: "e-1", Kind: "commit", Generation: 1, Keys: []string{"settings.motd"}, Actor: Actor{Name: "root"}}
	if diff := cmp.Diff(want, first); diff != "" || err != nil {
		t.Errorf("first event: error %v (-want +got):\n%s", err, diff)
	}
	second, err := stream.Next(ctx)
	if diff := cmp.Diff(Event{ID: "e-2", Kind: Reset}, second); diff != "" || err != nil {
		t.Errorf("second event: error %v (-want +got):\n%s", err, diff)
	}
	_, err = stream.Next(ctx)
	if p, ok := errors.AsType[*Problem](err); !ok || p.Status != http.StatusForbidden {
		t.Errorf("after the API said no: error %v, want a Problem with status 403", err)
	}
	close(asked)
	var got []string
	for a := range asked {
		got = append(got, a)
	}
	uri := "/events?kinds=commit%2Crevert "
	if diff := cmp.Diff([]string{uri, uri + "e-1", uri + "e-1", uri + "e-1b", uri + "e-2"}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
