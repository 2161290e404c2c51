package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/api/exec"
	"github.com/bulkhead-os/bulkhead/api/internal/fakecontainers"
	"github.com/bulkhead-os/bulkhead/api/server"
)

// serveContainers has nodes reach a service.
func serveContainers(t *testing.T) (*fakecontainers.Service, func(*server.Options)) {
	t.Helper()
	s, err := fakecontainers.Start(filepath.Join(t.TempDir(), "c.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s, func(o *server.Options) { o.Containers = containers.New(s.Socket) }
}

func TestContainers(t *testing.T) {
	s, with := serveContainers(t)
	n := start(t, with)
	n.set(`{"host-containers":{"idle":{"enabled":true,"source":"example.org/idle:v1"}},"network":{"https-proxy":"http://proxy.example:3128","no-proxy":["example.org"]}}`)
	tests := []struct {
		line string
		want string
	}{
		{"GET /containers", `200 [{"name":"debug-1","kind":"debug","state":"running","exit_status":3,"restarts":0},` +
			`{"name":"admin","kind":"host","unit":"host-container@admin.service","image":"example.org/admin:v1","digest":"sha256:1","state":"running","restarts":0},` +
			`{"name":"idle","kind":"host","image":"example.org/idle:v1","state":"stopped","restarts":0}]`},
		{"POST /containers/admin/restart", "204 "},
		{"POST /containers/none/stop", `404 {"type":"urn:bulkhead:problem:unknown-container","title":"unknown container","status":404,"detail":"there is none","code":"unknown-container","hint":"make one"}`},
		{"POST /containers/pull", `400 {"type":"urn:bulkhead:problem:invalid-parameter","title":"invalid query parameter","status":400,"detail":"parameter image: it is missing","code":"invalid-parameter","hint":"name an image, as registry.example.org/team/tool:v1"}`},
		{"POST /containers/pull?image=a", `200 {"done":1,"total":2}` + "\n" + `{"image":{"name":"a","digest":"sha256:2"}}` + "\n"},
		{"POST /containers/pull?image=none", `404 {"type":"urn:bulkhead:problem:unknown-container","title":"unknown container","status":404,"detail":"there is none","code":"unknown-container","hint":"make one"}`},
		{"POST /containers/pull?image=broken", `200 {"done":1,"total":2}` + "\n" + `{"problem":{"type":"urn:bulkhead:problem:container-failed","title":"the container service could not do it","status":500,"detail":"it is broken","code":"container-failed"}}` + "\n"},
		{"GET /exec", `426 {"type":"urn:bulkhead:problem:upgrade-required","title":"this is a WebSocket","status":426,"detail":"/exec speaks the WebSocket protocol","code":"upgrade-required","hint":"apiclient exec does"}`},
		{"GET /debug", `400 {"type":"urn:bulkhead:problem:invalid-parameter","title":"invalid query parameter","status":400,"detail":"parameter image: it is missing","code":"invalid-parameter","hint":"name an image, as registry.example.org/team/tool:v1"}`},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			a := n.do(request{line: tt.line})
			if diff := cmp.Diff(tt.want, strings.Join([]string{itoa(a.status), a.body}, " ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.line, diff)
			}
		})
	}
	a := n.do(request{line: "POST /debug/image", kind: "application/x-tar", body: "12345"})
	if a.status != 200 || a.body != `{"name":"loaded","digest":"xxxxx"}` {
		t.Errorf("POST /debug/image: %d %s, want the image of 5 bytes", a.status, a.body)
	}
	for _, r := range s.Asked() {
		if r.Operation == containers.Pull {
			if diff := cmp.Diff(containers.Proxy{HTTPS: "http://proxy.example:3128/", Direct: []string{"localhost", "127.0.0.1", "example.org"}}, r.Proxy); diff != "" {
				t.Errorf("proxy of a pull (-want +got):\n%s", diff)
			}
		}
	}
	if b := start(t).do(request{line: "GET /containers"}); b.status != 503 {
		t.Errorf("GET /containers without a service: %d, want 503", b.status)
	}
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// Programs run for callers, are bounded, end with their callers and with the
// daemon, and are in the record.
func TestExec(t *testing.T) {
	s, with := serveContainers(t)
	n := start(t, with)
	transport := n.client.Transport
	var out bytes.Buffer
	resized := make(chan exec.Size, 1)
	status, err := exec.Run(t.Context(), transport, "/exec", exec.Options{
		Initialize: exec.Initialize{Command: []string{"cat", "a b"}, Target: "one", TTY: &exec.Terminal{Size: &exec.Size{Rows: 2, Cols: 3}}},
		Stdin:      strings.NewReader("hello"), Stdout: &out, Resized: resized,
	})
	if status != 0 || err != nil || out.String() != "hello" {
		t.Errorf("cat: %d, %v, %q, want its input", status, err, &out)
	}
	if status, err := exec.Run(t.Context(), transport, "/debug?image=x&superpowered=1", exec.Options{Initialize: exec.Initialize{Command: []string{"7"}}, Stdout: io.Discard}); status != 7 || err != nil {
		t.Errorf("7: %d, %v, want status 7", status, err)
	}
	silence, hush := io.Pipe()
	defer hush.Close()
	ended := make(chan error, 16)
	for range 8 {
		go func() {
			for {
				_, err := exec.Run(t.Context(), transport, "/exec", exec.Options{Initialize: exec.Initialize{Command: []string{"hang"}, Target: "two"}, Stdin: silence, Stdout: io.Discard})
				if err != nil && strings.Contains(err.Error(), "429") { // those before have ended for their caller, and not yet for the daemon
					continue
				}
				ended <- err
				return
			}
		}()
	}
	within(t, "eight programs run", func() bool {
		return len(s.Asked()) == 10
	})
	_, err = exec.Run(t.Context(), transport, "/exec", exec.Options{Initialize: exec.Initialize{Command: []string{"1"}}, Stdout: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("the ninth program: %v, want 429", err)
	}
	go func() {
		if err := n.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		ended <- nil
	}()
	for range 9 {
		select {
		case err := <-ended:
			if err != nil && err.Error() != "the API of the node is ending" {
				t.Errorf("a program when the daemon ends: %v, want that it says so", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("programs go on when the daemon ends")
		}
	}
	for range 8 {
		<-s.Gone
	}
	checkRecord(t, filepath.Join(n.dir, "audit", "audit.log"))
}

func checkRecord(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Route, Container, Command, Outcome, Message, Code string
		Result                                            int
	}
	counts := map[line]int{}
	for text := range strings.Lines(string(data)) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if e.Code != "" {
			e.Route = "refused" // some number of times
			counts[line{Route: e.Route, Code: e.Code}] = 1
			continue
		}
		if e.Route != "" {
			counts[line{e.Route, e.Container, e.Command, e.Outcome, e.Message, e.Code, e.Result}]++
		}
	}
	want := map[line]int{
		{"/exec", "one", "cat a b", "began", "", "", 101}:                      1,
		{"/exec", "one", "cat a b", "exit status 0", "", "", 101}:              1,
		{"/debug", "", "7", "began", "image x, superpowered", "", 101}:         1,
		{"/debug", "", "7", "exit status 7", "image x, superpowered", "", 101}: 1,
		{"/exec", "two", "hang", "began", "", "", 101}:                         8,
		{"/exec", "two", "hang", "the API of the node is ending", "", "", 101}: 8,
		{Route: "refused", Code: "too-many-sessions"}:                          1,
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
}
