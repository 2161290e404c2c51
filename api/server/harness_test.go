package server_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// groups are those of the variant that the tests run: real settings, few
// enough for whole documents in tables.
var groups = []string{"motd", "updates", "ntp", "kernel", "network", "metrics", "host-containers", "kubernetes", "container-registry", "boot", "api"}

const defaults = `
motd = "Welcome!"
[ntp]
time-servers = ["pool.ntp.org"]
[host-containers.admin]
enabled = false
source = "example.org/admin:v1"
`

// everything is what GET /settings gives when nothing was set.
const everything = `{"host-containers":{"admin":{"enabled":false,"source":"example.org/admin:v1"}},"motd":"Welcome!","ntp":{"time-servers":["pool.ntp.org"]}}`

var facts = server.OS{VariantID: "test-dev", Arch: "x86_64", VersionID: "1.2.3", PrettyName: "Bulkhead 1.2.3 (test-dev)", BuildID: "abcdef"}

const factsJSON = `{"variant_id":"test-dev","arch":"x86_64","version_id":"1.2.3","pretty_name":"Bulkhead 1.2.3 (test-dev)","build_id":"abcdef"}`

// A node is a server with a real store on a real socket.
type node struct {
	t      testing.TB
	dir    string
	socket string
	store  *store.Store
	events *event.Hub
	log    *syncBuffer
	client *http.Client
	stop   func() error // ends the server and returns what Serve returned
}

// A syncBuffer is a log that a test reads while the server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start starts a node. Each of change may change how.
func start(t testing.TB, change ...func(*server.Options)) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir(), log: new(syncBuffer), events: event.NewHub(event.Options{Ring: 8, Streams: 2})}
	n.socket = filepath.Join(n.dir, "api.sock")
	sch := schema.For(settings.Type, "test-dev", groups)
	in := sch.ReadTOML([]byte(defaults), schema.Options{})
	if err := in.Report.Err(); err != nil {
		t.Fatal(err)
	}
	def := document.Document{}.Apply(in.Patch)
	log := slog.New(slog.NewTextHandler(n.log, nil))
	record := audit.Open(audit.Options{Dir: filepath.Join(n.dir, "audit"), Log: log})
	notices := &server.Notices{Events: n.events, Audit: record}
	evaluate := server.Evaluate(sch, def)
	var err error
	n.store, err = store.Open(store.Options{Dir: filepath.Join(n.dir, "state"), Version: "1.2.3", Evaluate: evaluate, Notify: notices.Notify, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	opt := server.Options{
		Store: n.store, Schema: sch, Defaults: def, Evaluate: evaluate, OS: facts, Notices: notices, Log: log,
		Access: server.Access{OwnUser: true},
	}
	for _, f := range change {
		f(&opt)
	}
	l, err := net.Listen("unix", n.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.New(opt).Serve(ctx, l) }()
	n.client = &http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return n.dial() },
		MaxIdleConnsPerHost: 16,
	}}
	n.stop = sync.OnceValue(func() error {
		n.client.CloseIdleConnections()
		cancel()
		err := <-served
		if err := n.store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
		if err := record.Close(); err != nil {
			t.Errorf("close audit log: %v", err)
		}
		return err
	})
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return n
}

func (n *node) dial() (net.Conn, error) { return net.Dial("unix", n.socket) }

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// A request is what is sent. Line is the method and the path with its query.
type request struct {
	line   string
	kind   string // content type, or a short name of it
	body   string
	header map[string]string
}

var kinds = map[string]string{"json": "application/json", "merge": "application/merge-patch+json", "toml": "application/toml"}

func (n *node) try(r request) (answer, error) {
	method, target, _ := strings.Cut(r.line, " ")
	req, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	if kind := r.kind; kind != "" {
		if long := kinds[kind]; long != "" {
			kind = long
		}
		req.Header.Set("Content-Type", kind)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	res, err := n.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, err
}

func (n *node) do(r request) answer {
	n.t.Helper()
	a, err := n.try(r)
	if err != nil {
		n.t.Fatalf("%s: %v", r.line, err)
	}
	return a
}

// must makes a request that has to succeed.
func (n *node) must(line, kind, body string) answer {
	n.t.Helper()
	a := n.do(request{line: line, kind: kind, body: body})
	if a.status >= 300 {
		n.t.Fatalf("%s %s: status %d: %s", line, body, a.status, a.body)
	}
	return a
}

// set commits settings given as JSON.
func (n *node) set(body string) {
	n.t.Helper()
	n.must("PATCH /settings?tx=set", "json", body)
	n.must("POST /tx/commit?tx=set", "", "")
}

// within polls until ok, for at most ten seconds.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}
