package kubeclient_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/websocket"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/tools/kubeclient"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newClient returns a client of a server that answers with handler.
func newClient(t *testing.T, handler http.Handler) *kubeclient.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true // as the API's does
	server.StartTLS()
	t.Cleanup(server.Close)
	pki, err := kubepki.Open(t.TempDir(), time.Now())
	must(t, err)
	cert, key, err := pki.Issue(kubepki.Leaf{Authority: kubepki.Cluster, Name: "admin", Client: true}, time.Now())
	must(t, err)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	encode := base64.StdEncoding.EncodeToString
	file := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(file, fmt.Appendf(nil, "clusters: [{cluster: {server: %q, certificate-authority-data: %s}}]\nusers: [{user: {client-certificate-data: %s, client-key-data: %s}}]\n",
		server.URL, encode(ca), encode(cert), encode(key)), 0o600))
	c, err := kubeclient.Load(file)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestApply(t *testing.T) {
	var got []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"resources": [{"name": "namespaces", "kind": "Namespace"}, {"name": "pods/log", "kind": "Pod"}, {"name": "pods", "kind": "Pod", "namespaced": true}]}`)
	})
	mux.HandleFunc("GET /apis/apps/v1", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": true}]}`)
	})
	mux.HandleFunc("PATCH /", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got = append(got, r.URL.Path+" "+r.FormValue("fieldManager")+" "+r.Header.Get("Content-Type")+" "+string(text))
	})
	c := newClient(t, mux)
	must(t, c.Apply(t.Context(), []byte(`# first
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
---
apiVersion: v1
kind: Pod
metadata: {name: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: c, namespace: a}
`)))
	want := []string{
		`/api/v1/namespaces/a shipyard application/apply-patch+yaml {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}`,
		`/api/v1/namespaces/default/pods/b shipyard application/apply-patch+yaml {"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"}}`,
		`/apis/apps/v1/namespaces/a/deployments/c shipyard application/apply-patch+yaml {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"c","namespace":"a"}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests of Apply (-want +got):\n%s", diff)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"another kind", "apiVersion: v1\nkind: Cat\nmetadata: {name: d}\n", "apply Cat d: the cluster has no Cat in /api/v1"},
		{"no YAML", "a: [", "manifest: yaml: line 1: did not find expected node content"},
	} {
		if err := c.Apply(t.Context(), []byte(tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("Apply of %s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestNodesAndFaults(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/nodes", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items": [
			{"metadata": {"name": "one"}, "status": {"nodeInfo": {"kubeletVersion": "v1"}, "conditions": [{"type": "Ready", "status": "True", "message": "well"}]}},
			{"metadata": {"name": "two"}, "status": {"conditions": [{"type": "Ready", "status": "False", "message": "no network"}]}},
			{"metadata": {"name": "three"}}]}`)
	})
	mux.HandleFunc("GET /refused", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind": "Status", "code": 403, "message": "not you"}`)
	})
	c := newClient(t, mux)
	got, err := c.Nodes(t.Context())
	must(t, err)
	want := []kubeclient.Node{
		{Name: "one", Version: "v1", Ready: true, Why: "well"}, {Name: "two", Why: "no network"}, {Name: "three", Why: "it has said nothing yet"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Nodes (-want +got):\n%s", diff)
	}
	_, err = c.Do(t.Context(), kubeclient.Request{Path: "/refused"})
	if want := "GET /refused: not you (status 403)"; err == nil || err.Error() != want || kubeclient.IsNotFound(err) {
		t.Errorf("a refused request: %v, want %s", err, want)
	}
	if err := c.Get(t.Context(), "/api/v1/nowhere", nil); !kubeclient.IsNotFound(err) {
		t.Errorf("what is not there: %v, want one that IsNotFound", err)
	}
	must(t, c.Delete(t.Context(), "/api/v1/nowhere"))
}

func TestExec(t *testing.T) {
	var words []string
	status := `{"status": "Success"}`
	mux := http.NewServeMux()
	mux.Handle("/api/v1/namespaces/a/pods/b/exec", websocket.Server{
		Handshake: func(c *websocket.Config, r *http.Request) error {
			words, c.Protocol = r.URL.Query()["command"], []string{"v5.channel.k8s.io"}
			return nil
		},
		Handler: func(ws *websocket.Conn) {
			for _, m := range []string{"\x01", "\x01out", "\x02bad", "\x01 put", "\x03" + status} {
				if err := websocket.Message.Send(ws, []byte(m)); err != nil {
					t.Error(err)
				}
			}
		},
	})
	c := newClient(t, mux)
	if _, err := c.Do(t.Context(), kubeclient.Request{Path: "/"}); !kubeclient.IsNotFound(err) { // which is when a client finds out
		t.Fatal(err)
	}
	got, err := c.Exec(t.Context(), "a", "b", "say", "a b")
	if err != nil || got != "out put" {
		t.Errorf("Exec = %q, %v, want %q", got, err, "out put")
	}
	if diff := cmp.Diff([]string{"say", "a b"}, words); diff != "" {
		t.Errorf("words of the program (-want +got):\n%s", diff)
	}
	status = `{"status": "Failure", "message": "exit code 3"}`
	if _, err := c.Exec(t.Context(), "a", "b", "say"); err == nil || err.Error() != "exec say in b: exit code 3: bad" {
		t.Errorf("Exec of a program that fails: %v, want exec say in b: exit code 3: bad", err)
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "it has 0 clusters and 0 users, want one of each"},
		{"no YAML", "a: [", "yaml: "},
		{"no certificate", "clusters: [{}]\nusers: [{}]\n", "tls: "},
	} {
		if _, err := kubeclient.New([]byte(tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("New of a kubeconfig with %s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
