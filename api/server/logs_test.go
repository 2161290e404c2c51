package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/journal"
	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/api/server"
)

// journalctl puts a stand-in first in PATH that writes its words to a file and
// then runs script.
func journalctl(t *testing.T, script string) (words func() string) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\necho \"$*\" >%s/words\n%s\n", dir, script)
	if err := os.WriteFile(filepath.Join(dir, journal.Program), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, "words"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(strings.TrimSpace(string(data)), "--no-pager")
		return strings.TrimSpace(rest)
	}
}

func withJournal(o *server.Options) { o.Journal = journal.Journal{} }

const oneLine = `echo '{"__REALTIME_TIMESTAMP":"0","__CURSOR":"s=1","MESSAGE":"<hi>","PRIORITY":"4","_PID":"7","_SYSTEMD_UNIT":"a.service","SYSLOG_IDENTIFIER":"a"}'`

func TestLogs(t *testing.T) {
	n := start(t, withJournal)
	tests := []struct{ name, query, words string }{
		{"nothing said", "", "--lines=100000"},
		{
			"all of it", "?unit=a.service&boot=-1&priority=err&since=2026-01-02T03:04:05Z&after=s%3D1&lines=5&kernel=1",
			"--unit=a.service --boot=-1 --priority=err --after-cursor=s=1 --since=2026-01-02 03:04:05.000000 UTC --lines=5 _TRANSPORT=kernel",
		},
		{"every boot", "?boot=all&kernel=false", "--lines=100000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			words := journalctl(t, oneLine)
			a := n.do(get("/logs" + tt.query))
			want := `{"time":"1970-01-01T00:00:00Z","unit":"a.service","identifier":"a","pid":7,"priority":4,"message":"<hi>","cursor":"s=1"}` + "\n"
			if diff := cmp.Diff(want, a.body); diff != "" || a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" {
				t.Errorf("GET /logs%s: %d %v (-want +got):\n%s", tt.query, a.status, a.header, diff)
			}
			if got := words(); got != tt.words {
				t.Errorf("GET /logs%s asks for %q, want %q", tt.query, got, tt.words)
			}
		})
	}
	t.Run("no lines", func(t *testing.T) {
		journalctl(t, "")
		if a := n.do(get("/logs")); a.status != 200 || a.body != "" {
			t.Errorf("GET /logs of an empty journal: %d %q, want 200 and nothing", a.status, a.body)
		}
	})
	t.Run("many lines", func(t *testing.T) {
		journalctl(t, "i=0; while [ $i -lt 2000 ]; do "+oneLine+"; i=$((i+1)); done")
		if a := n.do(get("/logs")); a.status != 200 || strings.Count(a.body, "\n") != 2000 {
			t.Errorf("GET /logs: %d, %d lines, want 2000", a.status, strings.Count(a.body, "\n"))
		}
	})
}

func TestLogsAreRefused(t *testing.T) {
	n := start(t, withJournal)
	for query, want := range map[string]string{
		"unit=--directory":     "parameter unit: ",
		"unit=":                "parameter unit: ",
		"boot=1":               "parameter boot: ",
		"priority=loud":        "parameter priority: ",
		"since=yesterday":      "parameter since: ",
		"after=x y":            "parameter after: ",
		"lines=1000000":        "parameter lines: ",
		"lines=-1":             "parameter lines: ",
		"follow=yes":           "parameter follow: ",
		"kernel=2":             "parameter kernel: ",
		"unit=a%0Ab":           "parameter unit: ",
		"since=1h&since=later": "parameter since: ",
	} {
		if a := n.do(get("/logs?" + strings.ReplaceAll(query, " ", "%20"))); a.status != 400 || !strings.Contains(a.body, want) {
			t.Errorf("GET /logs?%s: %d %s, want 400 and %q", query, a.status, a.body, want)
		}
	}
	journalctl(t, "echo no such boot >&2; exit 1")
	for query, want := range map[string]string{"?boot=-7": `400 "parameter boot: journalctl: no such boot"`, "": `503 "the journal cannot be read: journalctl: no such boot"`} {
		a := n.do(get("/logs" + query))
		if status, detail, _ := strings.Cut(want, " "); fmt.Sprint(a.status) != status || !strings.Contains(a.body, detail) {
			t.Errorf("GET /logs%s: %d %s, want %s", query, a.status, a.body, want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if a := n.do(get("/logs")); a.status != 503 || !strings.Contains(a.body, `"no-journal"`) {
		t.Errorf("GET /logs without the program: %d %s, want 503 no-journal", a.status, a.body)
	}
	if a := start(t).do(get("/logs")); a.status != 503 || !strings.Contains(a.body, `"no-journal"`) {
		t.Errorf("GET /logs in a sandbox: %d %s, want 503 no-journal", a.status, a.body)
	}
}

// An answer whose lines break off does not look like a whole one.
func TestLogsBreakOff(t *testing.T) {
	n := start(t, withJournal)
	journalctl(t, oneLine+"; sleep 0.1; exit 1")
	if a, err := n.try(get("/logs")); err == nil {
		t.Errorf("GET /logs: %d %q, want that it breaks off", a.status, a.body)
	}
}

// Lines are sent when they come, and signs of life between them; the stream ends
// with the caller, with the daemon, and with the access from the network.
func TestFollowLogs(t *testing.T) {
	quick := func(o *server.Options) { o.Heartbeat = 20 * time.Millisecond }
	for name, end := range map[string]func(*remoteNode, context.CancelFunc){
		"caller": func(_ *remoteNode, cancel context.CancelFunc) { cancel() },
		"daemon": func(n *remoteNode, _ context.CancelFunc) { _ = n.stop() }, // its error is told at the end of the test
		"access": func(n *remoteNode, _ context.CancelFunc) { n.set(`{"api":{"remote":{"enabled":false}}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			journalctl(t, "echo $$ >"+dir+"/pid; "+oneLine+"; exec sleep 1000")
			n := startRemote(t, withJournal, quick)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+n.at.String()+"/logs?follow=1", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := n.as(pki.Reader).http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewReader(res.Body)
			if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"<hi>"`) {
				t.Fatalf("first line %q, %v", line, err)
			}
			if line, err := lines.ReadString('\n'); err != nil || line != "\n" {
				t.Fatalf("second line %q, %v, want a sign of life", line, err)
			}
			end(n, cancel)
			pid, err := os.ReadFile(dir + "/pid")
			if err != nil {
				t.Fatal(err)
			}
			within(t, "end of the program that reads the journal", func() bool {
				_, err := os.Stat("/proc/" + strings.TrimSpace(string(pid)))
				return os.IsNotExist(err)
			})
		})
	}
}

// As many follow the journal as may, and no more.
func TestLogStreamsAreBounded(t *testing.T) {
	journalctl(t, oneLine+`; case "$*" in *follow*) exec sleep 1000; esac`)
	n := start(t, withJournal)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 8 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/logs?follow=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := n.client.Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("GET /logs?follow=true: %v, %v", res, err)
		}
		defer res.Body.Close()
	}
	if a := n.do(get("/logs")); a.status != 429 || !strings.Contains(a.body, `"too-many-streams"`) {
		t.Errorf("GET /logs beside eight others: %d %s, want 429", a.status, a.body)
	}
	cancel()
	within(t, "room for another", func() bool {
		return n.do(get("/logs")).status != 429
	})
}
