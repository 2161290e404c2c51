package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/api/server"
)

// A newNode is one that has no settings, and whose image has it wait for them.
type newNode struct {
	*remoteNode
	dir string
}

func startNew(t *testing.T) *newNode {
	t.Helper()
	dir := t.TempDir()
	n := &newNode{&remoteNode{ca: newAuthority(t), at: freePort(t), report: filepath.Join(dir, "remote.json")}, dir}
	n.node = start(t, func(o *server.Options) {
		o.Network = server.Network{Dir: dir, Report: n.report, Code: filepath.Join(dir, "code")}
	})
	// As defaults are, these are no settings that somebody has given.
	n.must("PATCH /settings?layer=generated", "json",
		fmt.Sprintf(`{"api":{"maintenance":{"enabled":true},"remote":{"enabled":false,"listen":[%q],"allowed-roles":["admin","reader"]}}}`, n.at))
	return n
}

// wait has the node wait for its first settings, and returns the code.
func (n *newNode) wait() string {
	n.t.Helper()
	var m client.Maintenance
	if err := json.Unmarshal([]byte(n.must("POST /actions/maintenance", "", "").body), &m); err != nil {
		n.t.Fatal(err)
	}
	n.awaitListening(n.at)
	return m.Code
}

// somebody is a caller that the node does not know.
func (n *newNode) somebody(fingerprint string) *client.Client {
	return &client.Client{Remote: &client.Remote{Endpoint: n.at.String(), Fingerprint: fingerprint, Anonymous: true}}
}

// opening is a document that opens the API to the network.
func (n *newNode) opening() []byte {
	return fmt.Appendf(nil, "[settings]\nmotd = \"first\"\n[settings.api.remote]\nenabled = true\nclient-ca = %q\n", n.ca.setting())
}

func refusedBy(t *testing.T, err error) (status int, detail string) {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		t.Fatalf("error %v, want a refusal", err)
	}
	return p.Status, p.Error()
}

// From a node that knows nobody to one that only those are let into whom the
// first settings name.
func TestFirstSettings(t *testing.T) {
	n := startNew(t)
	code := n.wait()
	api := n.somebody(n.status().Fingerprint)
	warnings, err := api.FirstSettings(t.Context(), client.FirstDocument{ContentType: client.TOML, Body: n.opening(), Code: strings.ToLower(code)})
	if err != nil || warnings != 0 {
		t.Fatalf("FirstSettings: %d, %v", warnings, err)
	}
	a := n.must("GET /generations/current", "", "")
	if !strings.Contains(a.body, `"user data of somebody at 127.0.0.1, who had the code on the console"`) || !strings.Contains(a.body, `"motd":"first"`) {
		t.Errorf("generation: %s, want the first settings", a.body)
	}
	within(t, "closed to others", func() bool {
		_, err := n.somebody(n.status().Fingerprint).Health(t.Context())
		rejected, ok := errors.AsType[*client.Rejected](err)
		return ok && rejected.Err != nil
	})
	if a := n.as(pki.Admin).do("GET /settings", "", ""); a.status != http.StatusOK {
		t.Errorf("GET /settings as admin: %d, want that the first settings let him in", a.status)
	}
	if _, err := os.Stat(filepath.Join(n.dir, "code")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file of the code: %v, want none any more", err)
	}
	if a := n.do(request{line: "POST /actions/maintenance"}); a.status != http.StatusConflict {
		t.Errorf("POST /actions/maintenance: %d %s, want 409: there are settings", a.status, a.body)
	}
}

// What somebody without the code, or with something wrong, gets.
func TestFirstSettingsRefused(t *testing.T) {
	n := startNew(t)
	if _, err := n.somebody(strings.Repeat("ab", 32)).Health(t.Context()); err == nil {
		t.Error("a node that does not wait answers")
	}
	code := n.wait()
	if again := n.wait(); again != code {
		t.Errorf("code %q, then %q, want the same", code, again)
	}
	api := n.somebody(n.status().Fingerprint)
	tests := []struct {
		name   string
		doc    client.FirstDocument
		status int
		says   string
	}{
		{"no code", client.FirstDocument{ContentType: client.TOML, Body: n.opening()}, 403, "the code is not the one on the console"},
		{"wrong code", client.FirstDocument{ContentType: client.TOML, Body: n.opening(), Code: "AAAA-AAAA"}, 403, "the code is not the one on the console"},
		{"faults", client.FirstDocument{ContentType: client.TOML, Body: []byte("[settings]\nmotd = 5\n"), Code: code}, 400, "settings.motd: want a string, got 5"},
		{"closed", client.FirstDocument{ContentType: client.TOML, Body: []byte("[settings]\nmotd = \"x\"\n"), Code: code}, 400, "do not open the API"},
		{"too often", client.FirstDocument{ContentType: client.TOML, Body: n.opening(), Code: "AAAA-AAAA"}, 403, ""},
		{"and then with the right one", client.FirstDocument{ContentType: client.TOML, Body: n.opening(), Code: code}, 429, "too often"},
	}
	for _, tt := range tests {
		_, err := api.FirstSettings(t.Context(), tt.doc)
		if status, detail := refusedBy(t, err); status != tt.status || !strings.Contains(detail, tt.says) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, detail, tt.status, tt.says)
		}
	}
	// And there is nothing else to be had.
	for _, line := range []string{"/settings", "/health", "/os", "/logs", "/maintenance", "/openapi.yaml", "/metrics"} {
		_, err := api.Do(t.Context(), client.Request{URI: line})
		if status, detail := refusedBy(t, err); status != 403 {
			t.Errorf("GET %s: %d %s, want 403", line, status, detail)
		}
	}
	for _, line := range []string{"/actions/reboot", "/actions/reset", "/actions/maintenance", "/tx/commit"} {
		_, err := api.Do(t.Context(), client.Request{Method: "POST", URI: line})
		if status, detail := refusedBy(t, err); status != 403 {
			t.Errorf("POST %s: %d %s, want 403", line, status, detail)
		}
	}
	if got := n.must("GET /generations", "", "").body; got != "[]" && strings.Contains(got, `"id":1`) {
		t.Errorf("generations: %s, want none", got)
	}
}

// Settings that leave the node closed are taken when that is meant, and close it.
func TestFirstSettingsClosed(t *testing.T) {
	n := startNew(t)
	code := n.wait()
	_, err := n.somebody(n.status().Fingerprint).FirstSettings(t.Context(), client.FirstDocument{
		ContentType: client.JSON, Body: []byte(`{"settings":{"motd":"x"}}`), Code: code, Closed: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.awaitListening()
}

// Settings that come another way end the wait, and whoever waits on the socket
// does not count as a caller on the network.
func TestWaitEnds(t *testing.T) {
	n := startNew(t)
	code := n.wait()
	a := n.do(request{line: "POST /actions/first-settings", kind: "toml", body: "[settings]\n", header: map[string]string{"Bulkhead-Code": code}})
	if a.status != http.StatusConflict {
		t.Errorf("POST /actions/first-settings on the socket: %d %s, want 409", a.status, a.body)
	}
	if a := n.must("GET /health", "", ""); !strings.Contains(a.body, `"waits-for-settings"`) || !strings.Contains(a.body, `"degraded"`) {
		t.Errorf("health: %s, want that the node waits", a.body)
	}
	n.set(`{"motd":"x"}`)
	n.awaitListening()
	if a := n.must("GET /maintenance", "", ""); a.body != `{"waiting":false}` {
		t.Errorf("GET /maintenance: %s, want that it does not wait", a.body)
	}
}

// A node whose image does not want it never waits.
func TestNoWait(t *testing.T) {
	n := startNew(t)
	n.must("PATCH /settings?layer=generated", "json", `{"api":{"maintenance":{"enabled":false}}}`)
	a := n.do(request{line: "POST /actions/maintenance"})
	if a.status != http.StatusConflict || !strings.Contains(a.body, "no-maintenance") {
		t.Errorf("POST /actions/maintenance: %d %s, want 409 no-maintenance", a.status, a.body)
	}
}
