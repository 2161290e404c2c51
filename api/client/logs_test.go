package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// replies serves each request with the next of answers, and notes what was
// asked.
func replies(t *testing.T, answers ...http.HandlerFunc) (c *Client, asked func() []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "logs")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []string
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.Method+" "+r.RequestURI)
		n := min(len(all), len(answers))
		mu.Unlock()
		answers[n-1](w, r)
	})}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) }) // ends with the server
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
		os.RemoveAll(dir)
	})
	return &Client{Socket: socket, pause: time.Millisecond}, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func logLine(n int) string {
	return fmt.Sprintf(`{"time":"2026-01-02T03:04:0%dZ","unit":"a.service","priority":6,"pid":7,"message":"m%d","cursor":"c%d"}`+"\n", n, n, n)
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// A stream that follows goes on behind the last line after the connection broke,
// whatever it broke with, and gives no line twice.
func TestLogsResume(t *testing.T) {
	cutOff := logLine(3)[:30]
	c, asked := replies(t,
		says(logLine(1)+"\n"+logLine(2)+cutOff),
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		says(logLine(2)+logLine(3)),
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
	)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lost := 0
	s, err := c.Logs(ctx, LogsRequest{Unit: "a.service", Boot: "all", Lines: 10, Follow: true}, func(error) { lost++ })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var got []string
	for range 3 {
		line, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Message)
	}
	if diff := cmp.Diff([]string{"m1", "m2", "m3"}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	_, err = s.Next(ctx)
	if p, ok := errors.AsType[*Problem](err); !ok || p.Status != http.StatusForbidden {
		t.Errorf("after the API said no: error %v, want a Problem with status 403", err)
	}
	want := []string{
		"GET /logs?boot=all&follow=true&lines=10&unit=a.service",
		"GET /logs?after=c2&boot=all&follow=true&unit=a.service",
		"GET /logs?after=c2&boot=all&follow=true&unit=a.service",
		"GET /logs?after=c3&boot=all&follow=true&unit=a.service",
	}
	if diff := cmp.Diff(want, asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if lost != 2 {
		t.Errorf("lost was told %d times, want 2", lost)
	}
}

func TestLogsEnd(t *testing.T) {
	tests := []struct {
		name, answer string
		lines        int
		want         string // how the last error begins
	}{
		{"all", logLine(1) + logLine(2), 2, "EOF"},
		{"no line end", strings.TrimSuffix(logLine(1), "\n"), 1, "EOF"},
		{"none", "", 0, "EOF"},
		{"no JSON", logLine(1) + "x\n", 1, "the API gave something that is no line of the journal: invalid character"},
		{"too long", `{"message":"` + strings.Repeat("x", maxLogLine) + "\"}\n", 0, "the API gave something that is no line of the journal: it is longer than 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := replies(t, says(tt.answer))
			s, err := c.Logs(t.Context(), LogsRequest{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			n := 0
			for {
				if _, err = s.Next(t.Context()); err != nil {
					break
				}
				n++
			}
			if n != tt.lines || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%d lines and then error %.100v, want %d and %s", n, err, tt.lines, tt.want)
			}
		})
	}
}

// What is read as a line reads the same when it is written again; everything
// else is refused.
func FuzzLogLine(f *testing.F) {
	for _, s := range []string{logLine(1), "{}", `{"priority":"6"}`, `{"time":"x"}`, "\x00", `{"message":"\ud800"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		first, err := parseLogLine([]byte(in))
		if err != nil {
			if !errors.Is(err, errNoLogLine) {
				t.Errorf("parseLogLine(%q): error %v, want an errNoLogLine", in, err)
			}
			return
		}
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("encode %+v, read from %q: %v", first, in, err)
		}
		again, err := parseLogLine(text)
		if diff := cmp.Diff(first, again); diff != "" || err != nil {
			t.Errorf("parseLogLine(%s): error %v (-first +again):\n%s", text, err, diff)
		}
	})
}

// Being stopped ends the wait for a line at once.
func TestLogsStop(t *testing.T) {
	started := make(chan struct{})
	c, _ := replies(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		close(started)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.Logs(ctx, LogsRequest{Follow: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() {
		<-started
		cancel()
	}()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next: error %v, want Canceled", err)
	}
}

func TestAwait(t *testing.T) {
	away := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	t.Run("boot", func(t *testing.T) {
		c, asked := replies(t, says(`{"boot_id":"a"}`), away, says(`{"boot_id":"b"}`))
		var told []string
		got, err := c.AwaitBoot(t.Context(), Boot{ID: "a"}, func(err error) { told = append(told, fmt.Sprint(err)) })
		if err != nil || got.ID != "b" {
			t.Errorf("AwaitBoot = %+v, %v, want b", got, err)
		}
		want := []string{"<nil>", "GET /os: 503 service unavailable", "<nil>"}
		if diff := cmp.Diff(want, told); diff != "" || len(asked()) != 3 {
			t.Errorf("progress after %d requests (-want +got):\n%s", len(asked()), diff)
		}
	})
	t.Run("health that never comes", func(t *testing.T) {
		c, _ := replies(t, says(`{"status":"degraded"}`))
		ctx, cancel := context.WithCancel(t.Context())
		h, err := c.AwaitHealth(ctx, func(h Health) bool { return h.Status == "ok" }, func(Health, error) { cancel() })
		if !errors.Is(err, context.Canceled) || h.Status != "degraded" {
			t.Errorf("AwaitHealth = %+v, %v, want a degraded one and Canceled", h, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		c, asked := replies(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		_, err := c.AwaitHealth(t.Context(), func(Health) bool { return true }, func(Health, error) {})
		if _, ok := errors.AsType[*Problem](err); !ok || len(asked()) != 1 {
			t.Errorf("AwaitHealth: error %v after %d requests, want a Problem after one", err, len(asked()))
		}
	})
	t.Run("actions", func(t *testing.T) {
		c, asked := replies(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		if err := errors.Join(c.Reboot(t.Context()), c.Shutdown(t.Context())); err != nil {
			t.Errorf("Reboot and Shutdown: %v", err)
		}
		if diff := cmp.Diff([]string{"POST /actions/reboot", "POST /actions/shutdown"}, asked()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}
