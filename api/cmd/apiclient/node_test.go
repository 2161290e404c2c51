package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/journal"
	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/models/document"
)

// A scriptedNode answers in the place of the API what only a whole node has. The
// script's directory node holds what: logs is the answer to /logs; boots are
// boot ids, and each reboot leads to the next, after the number of refused
// requests that stands behind it; health are the answers to /health, of which
// the last stays. What is asked goes into the file asked. Everything else is
// left to the API.
type scriptedNode struct {
	dir string
	api http.Handler

	mu   sync.Mutex
	boot int // index of the line
	away int // requests that still go unanswered
	told int // answers to /health
}

func (n *scriptedNode) lines(name string) []string {
	data, err := os.ReadFile(filepath.Join(n.dir, name))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func (n *scriptedNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.note(r.Method + " " + r.RequestURI)
	if n.away > 0 {
		n.away--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch lines := n.lines(strings.TrimPrefix(r.URL.Path, "/")); {
	case r.URL.Path == "/os" && n.lines("boots") != nil:
		id, _, _ := strings.Cut(n.lines("boots")[n.boot], " ")
		fmt.Fprintf(w, `{"boot_id":%q}`, id)
	case r.URL.Path == "/actions/reboot" && r.Method == http.MethodPost:
		n.reboot()
		w.WriteHeader(http.StatusNoContent)
	case (r.URL.Path == "/actions/shutdown" || r.URL.Path == "/actions/reset") && r.Method == http.MethodPost:
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/health" && lines != nil:
		fmt.Fprintln(w, lines[min(n.told, len(lines)-1)])
		n.told++
	case r.URL.Path == "/logs" && lines != nil:
		fmt.Fprintln(w, strings.Join(lines, "\n"))
	default:
		n.api.ServeHTTP(w, r)
	}
}

func (n *scriptedNode) reboot() {
	n.boot++
	if lines := n.lines("boots"); n.boot < len(lines) {
		_, _ = fmt.Sscanf(lines[n.boot], "%s %d", new(string), &n.away)
	}
}

func (n *scriptedNode) note(line string) {
	f, err := os.OpenFile(filepath.Join(n.dir, "asked"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

// startNode serves the directory node of a script, if it has one, on a socket,
// and returns its path.
func startNode(env *testscript.Env, api http.Handler) (socket string, err error) {
	dir := filepath.Join(env.WorkDir, "node")
	if _, err := os.Stat(dir); err != nil {
		return "", nil
	}
	socket = filepath.Join(env.WorkDir, "node.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: &scriptedNode{dir: dir, api: api}}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) }) // ends with the server
	env.Defer(func() {
		s.Close()
		serving.Wait()
	})
	return socket, nil
}

// journalctl puts a stand-in first in PATH that gives one line: its arguments.
func journalctl(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	const text = `#!/bin/sh
printf '{"__REALTIME_TIMESTAMP":"0","__CURSOR":"s=1","MESSAGE":"%s","_SYSTEMD_UNIT":"a.service"}\n' "$*"
`
	if err := os.WriteFile(filepath.Join(dir, journal.Program), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// openGate makes the API reachable over the network, as the settings of a node
// do, for callers with certificates from CA:
//
//	gate CA [CERTIFICATE]
//
// It sets ENDPOINT and FINGERPRINT.
func openGate(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: gate CA [CERTIFICATE]")
	}
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	at := freeAddress(ts)
	remote := map[string]any{"enabled": true, "client-ca": encode(ts.ReadFile(args[0])), "listen": []string{at}}
	if len(args) == 2 {
		text := ts.ReadFile(args[1])
		begin := strings.Index(text, "-----BEGIN PRIVATE KEY")
		remote["server-certificate"], remote["server-key"] = encode(text[:begin]), encode(text[begin:])
	}
	body, err := json.Marshal(map[string]any{"api": map[string]any{"remote": remote}})
	ts.Check(err)
	c, ctx := client.New(filepath.Join(ts.Getenv("WORK"), "api.sock")), context.Background()
	_, err = c.Patch(ctx, client.Patch{Tx: "gate", ContentType: client.MergePatch, Body: body})
	ts.Check(err)
	_, err = c.Commit(ctx, client.CommitRequest{Tx: "gate"})
	ts.Check(err)
	status, err := awaitStatus(reportIn(ts.Getenv("WORK")), at)
	ts.Check(err)
	ts.Setenv("ENDPOINT", at)
	ts.Setenv("FINGERPRINT", status.Fingerprint)
}

// awaitSettings has the API of the script wait for its first settings, and sets
// ENDPOINT, FINGERPRINT and CODE.
func awaitSettings(ts *testscript.TestScript, _ bool, _ []string) {
	at := freeAddress(ts)
	doc, err := document.ParseTOML(fmt.Appendf(nil, "[settings.api]\nmaintenance.enabled = true\nremote.listen = [%q]\n", at))
	ts.Check(err)
	c, ctx := client.New(filepath.Join(ts.Getenv("WORK"), "api.sock")), context.Background()
	ts.Check(c.Generate(ctx, client.GeneratedValues{Generator: "test", Strength: "weak", Values: doc}))
	m, err := c.OpenMaintenance(ctx)
	ts.Check(err)
	status, err := awaitStatus(reportIn(ts.Getenv("WORK")), at)
	ts.Check(err)
	ts.Setenv("ENDPOINT", at)
	ts.Setenv("FINGERPRINT", status.Fingerprint)
	ts.Setenv("CODE", m.Code)
}

// reportIn returns the file that says where the API in the directory work
// listens.
func reportIn(work string) string { return filepath.Join(work, ".state", "remote.json") }

// freeAddress returns an address that nobody listens at.
func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Check(l.Close())
	return l.Addr().String()
}

// awaitStatus waits until the API reports that it listens at an address.
func awaitStatus(path, at string) (s remote.Status, err error) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-look.C {
		data, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(data, &s) == nil && slices.Contains(s.Listen, at) {
			return s, nil
		}
	}
	return s, fmt.Errorf("the API does not listen at %s after 30 s: %+v", at, s)
}

// waitForRequest waits until the scripted node was asked for something in which
// TEXT stands: asked TEXT.
func waitForRequest(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: asked TEXT")
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-look.C {
		data, err := os.ReadFile(ts.MkAbs("node/asked"))
		if err == nil && strings.Contains(string(data), args[0]) {
			return
		}
	}
	ts.Fatalf("the node is not asked for %s within 30 s", args[0])
}
