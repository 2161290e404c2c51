package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/cli"
	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/internal/fakecontainers"
	"github.com/bulkhead-os/bulkhead/api/journal"
	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"apiclient": main})
}

// Each script has a server of its own, as it is on a node of the variant, with
// the clock standing still unless it has a file real-time.
func TestScripts(t *testing.T) {
	v, err := variant.Load(variants.Files, "metal-k8s-1.36")
	if err != nil {
		t.Fatal(err)
	}
	journalctl(t)
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: func(env *testscript.Env) error { return startServer(env, v) },
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"streams": waitForStreams, "gate": openGate, "await-settings": awaitSettings, "asked": waitForRequest, "answered": waitForAnswers},
	})
}

// startServer serves the API on $WORK/api.sock until the script ends. A script
// with a file applier.json has its settings applied, one with a directory
// packages has a catalogue.
func startServer(env *testscript.Env, v *variant.Variant) error {
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	if _, err := os.Stat(filepath.Join(env.WorkDir, "real-time")); err == nil {
		now = time.Now
	}
	state := filepath.Join(env.WorkDir, ".state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	log := audit.Open(audit.Options{Dir: state, Now: now})
	notices := &server.Notices{Events: event.NewHub(event.Options{}), Audit: log}
	evaluate := server.Evaluate(v.Schema, v.Defaults)
	st, err := store.Open(store.Options{Dir: state, Now: now, Evaluate: evaluate, Notify: notices.Notify})
	if err != nil {
		return err
	}
	service, err := containersIn(env)
	if err != nil {
		return err
	}
	s := server.New(server.Options{
		Containers: service, Store: st, Schema: v.Schema, Defaults: v.Defaults, Evaluate: evaluate, Notices: notices, Now: now,
		OS:      server.OS{VariantID: v.Name, Arch: "x86_64", VersionID: "0.0.0", PrettyName: "Bulkhead", BuildID: "test"},
		Access:  server.Access{OwnUser: true},
		Updater: updaterIn(env.WorkDir), Applier: applierIn(env.WorkDir), Catalogue: catalogueIn(env.WorkDir),
		Journal: journal.Journal{},
		Network: server.Network{Dir: state, Report: reportIn(env.WorkDir), Limits: remote.Limits{Handshakes: 1000}},
	})
	socket := filepath.Join(env.WorkDir, "api.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.Serve(ctx, l) }()
	go func() { done <- st.Run(ctx) }()
	env.Defer(func() {
		stop()
		if err := errors.Join(<-done, <-done, st.Close(), log.Close()); err != nil {
			env.T().Log("stop the server:", err)
		}
	})
	if node, err := startNode(env, forwardTo(socket)); err != nil {
		return err
	} else if node != "" {
		socket = node
	}
	env.Setenv(client.SocketVariable, socket)
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
	env.Setenv("NO_PROXY", "*")
	// With the race detector every program would sleep a second at its end.
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	return nil
}

// containersIn returns the way to a container service, for scripts with a directory
// containers.
func containersIn(env *testscript.Env) (*containers.Client, error) {
	if _, err := os.Stat(filepath.Join(env.WorkDir, "containers")); err != nil {
		return nil, nil
	}
	s, err := fakecontainers.Start(filepath.Join(env.WorkDir, "containers.sock"))
	if err != nil {
		return nil, err
	}
	env.Defer(s.Stop)
	return containers.New(s.Socket), nil
}

// forwardTo passes requests on to the API at socket.
func forwardTo(socket string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "localhost" },
		FlushInterval: -1,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}},
	}
}

// waitForStreams waits until N programs follow events: streams N [SOCKET].
func waitForStreams(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: streams N [SOCKET]")
	}
	socket := ts.Getenv(client.SocketVariable)
	if len(args) == 2 {
		socket = args[1]
	}
	waitForMetric(ts, socket, "bulkhead_event_streams "+args[0])
}

// waitForAnswers waits until N requests to GET a route were answered: answered
// ROUTE N.
func waitForAnswers(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: answered ROUTE N")
	}
	waitForMetric(ts, ts.Getenv(client.SocketVariable), fmt.Sprintf(`bulkhead_requests_total{method="GET",route=%q,status="200"} %s`, args[0], args[1]))
}

func waitForMetric(ts *testscript.TestScript, socket, line string) {
	c := client.New(socket)
	for deadline := time.Now().Add(30 * time.Second); ; {
		res, err := c.Do(context.Background(), client.Request{URI: "/metrics"})
		ts.Check(err)
		if strings.Contains(string(res.Body), "\n"+line+"\n") {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("there is no %s after 30 s:\n%s", line, res.Body)
		}
	}
}

// Every command has a script of its own.
func TestEveryCommandHasAScript(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range files {
		have[strings.TrimSuffix(filepath.Base(f), ".txt")] = true
	}
	for _, c := range cli.Command().Commands() {
		if !have[c.Name()] {
			t.Errorf("there is no testdata/%s.txt", c.Name())
		}
	}
}
