package podnet_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/sources/podnet"
)

const cluster = "10.244.0.0/16"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func node(name, pods, addr string) podnet.Node {
	n := podnet.Node{Name: name}
	n.Pods, _ = netip.ParsePrefix(pods)
	n.Addr, _ = netip.ParseAddr(addr)
	return n
}

func TestCompute(t *testing.T) {
	one, two := node("one", "10.244.0.0/24", "192.0.2.1"), node("two", "10.244.1.0/24", "192.0.2.2")
	tests := []struct {
		name   string
		nodes  []podnet.Node
		routes map[string]string
		err    string
	}{
		{"alone", []podnet.Node{one}, map[string]string{}, ""},
		{"another", []podnet.Node{one, two}, map[string]string{"10.244.1.0/24": "192.0.2.2"}, ""},
		{"another without pods", []podnet.Node{one, node("two", "", "192.0.2.2")}, map[string]string{}, ""},
		{"another without an address", []podnet.Node{one, node("two", "10.244.1.0/24", "")}, map[string]string{}, ""},
		{"without pods", []podnet.Node{node("one", "", "192.0.2.1"), two}, nil, "the node has no network for its pods yet"},
		{"unknown", []podnet.Node{two}, nil, "the node has no network for its pods yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := podnet.Compute(tt.nodes, "one", netip.MustParsePrefix(cluster))
			got := map[string]string{}
			for to, via := range p.Routes {
				got[to.String()] = via.String()
			}
			if text := fmt.Sprint(err); tt.err != "" && text != tt.err || tt.err == "" && err != nil {
				t.Fatalf("Compute: error %s, want %q", text, tt.err)
			}
			if diff := cmp.Diff(tt.routes, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if want := "ip saddr 10.244.0.0/24 ip daddr != 10.244.0.0/16 masquerade"; tt.err == "" && !strings.Contains(p.Masquerade, want) {
				t.Errorf("rules\n%swant %q", p.Masquerade, want)
			}
			if want := `"subnet": "10.244.0.0/24"`; tt.err == "" && !strings.Contains(string(p.Plugins), want) {
				t.Errorf("plugins\n%s\nwant %s", p.Plugins, want)
			}
		})
	}
}

// standIns puts programs first in PATH that note how they are called, and returns
// what reads the notes.
func standIns(t *testing.T) func() []string {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for _, name := range []string{"ip", "nft"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho \"${0##*/}\" \"${1%%\n*}\" \"$2\" \"$3\" \"$4\" \"$5\" \"$6\" >>"+log+"\n"), 0o755))
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() []string {
		text, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return lines
	}
}

// An api is one whose list and events are given.
type api struct {
	list   string
	events chan string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("Authorization"); got != "Bearer secret" {
		http.Error(w, "no token: "+got, http.StatusUnauthorized)
		return
	}
	if r.FormValue("watch") == "" {
		fmt.Fprint(w, a.list)
		return
	}
	if got := r.FormValue("resourceVersion"); got != "7" {
		http.Error(w, "version "+got, http.StatusGone)
		return
	}
	for {
		must2(http.NewResponseController(w).Flush())
		select {
		case e := <-a.events:
			fmt.Fprintln(w, e)
		case <-r.Context().Done():
			return
		}
	}
}

func must2(err error) {
	if err != nil {
		panic(err)
	}
}

func object(name, pods, addr string) string {
	return fmt.Sprintf(`{"metadata": {"name": %q}, "spec": {"podCIDR": %q}, "status": {"addresses": [{"type": "Hostname", "address": %q}, {"type": "InternalIP", "address": %q}]}}`,
		name, pods, name, addr)
}

// Nodes come, get another address and go; this one gets its own network late.
func TestRun(t *testing.T) {
	calls := standIns(t)
	a := &api{events: make(chan string), list: `{"metadata": {"resourceVersion": "7"}, "items": [` + object("one", "", "192.0.2.1") + `]}`}
	server := httptest.NewTLSServer(a)
	defer server.Close()
	account, plugins := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(account, "token"), []byte("secret\n"), 0o600))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	must(t, os.WriteFile(filepath.Join(account, "ca.crt"), ca, 0o600))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- podnet.Run(ctx, podnet.Config{
			Node: "one", Cluster: netip.MustParsePrefix(cluster), Plugins: plugins, API: podnet.API{Server: server.URL, Account: account},
		}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	}()
	for _, step := range []struct{ event, want string }{
		{"", "ip -4 route flush proto 98"},
		{`{"type": "MODIFIED", "object": ` + object("one", "10.244.0.0/24", "192.0.2.1") + `}`, "nft table ip podnet"},
		{`{"type": "ADDED", "object": ` + object("two", "10.244.1.0/24", "192.0.2.2") + `}`, "ip -4 route replace 10.244.1.0/24 via 192.0.2.2"},
		{`{"type": "MODIFIED", "object": ` + object("two", "10.244.1.0/24", "192.0.2.3") + `}`, "ip -4 route replace 10.244.1.0/24 via 192.0.2.3"},
		{`{"type": "DELETED", "object": ` + object("two", "10.244.1.0/24", "192.0.2.3") + `}`, "ip -4 route del 10.244.1.0/24 proto 98"},
	} {
		if step.event != "" {
			a.events <- step.event
		}
		end := time.Now().Add(time.Minute)
		for got := calls(); len(got) == 0 || got[len(got)-1] != step.want; got = calls() {
			if time.Now().After(end) {
				t.Fatalf("after %q the programs called are %q, want %q as the last", step.event, got, step.want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	stop()
	must(t, <-done)
	if _, err := os.Stat(filepath.Join(plugins, "10-podnet.conflist")); err != nil {
		t.Errorf("the list of plugins: %v, want one", err)
	}
}
