package server_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/event"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// Every request that changes something is in the audit log, also a refused
// one, and no other; values are not.
func TestAudit(t *testing.T) {
	n := start(t)
	n.must("PATCH /settings?tx=a", "json", `{"motd":"value"}`)
	n.do(request{line: "PATCH /settings?tx=a", kind: "json", body: `{"mtod":"value"}`})
	n.must("GET /settings", "", "")
	n.must("DELETE /settings?keys=updates.seed&tx=a", "", "")
	n.must("POST /tx/commit?tx=a&message=because", "", "")
	n.do(request{line: "POST /tx/commit?tx=a"})
	n.must("POST /plan", "json", `{"motd":"value"}`)
	n.do(request{line: "POST /tx/apply?keys=motd"})
	n.do(request{line: "DELETE /tx?tx=../x"})
	n.do(request{line: "POST /generations/0/revert", header: map[string]string{"Origin": "x"}})
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	actor := "root"
	if uid != 0 {
		actor = fmt.Sprintf("uid %d", uid)
	}
	var got []string
	for line := range strings.Lines(n.audit(t)) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Actor != actor || int(e.UID) != uid || e.PID == 0 || e.Role != "admin" || e.Via != "socket" {
			t.Errorf("entry of %s %s is by %s, uid %d, pid %d, role %s, via %s", e.Method, e.Route, e.Actor, e.UID, e.PID, e.Role, e.Via)
		}
		got = append(got, strings.TrimRight(fmt.Sprintf("%s %s tx=%s %d %s %v gen=%d %s", e.Method, e.Route, e.Tx, e.Result, e.Code, e.Keys, e.Generation, e.Message), " "))
	}
	want := []string{
		"PATCH /settings tx=a 204  [settings.motd] gen=0",
		"PATCH /settings tx=a 400 unknown-setting [] gen=0",
		"DELETE /settings tx=a 204  [settings.updates.seed] gen=0",
		"POST /tx/commit tx=a 200  [settings.motd] gen=1 because",
		"POST /tx/commit tx=a 422 nothing-pending [] gen=0",
		"POST /tx/apply tx= 503 no-apply [settings.motd] gen=0",
		"DELETE /tx tx= 400 invalid-transaction [] gen=0",
		"POST /generations/{id}/revert tx= 403 foreign-origin [] gen=0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
	if strings.Contains(n.audit(t), "value") {
		t.Errorf("the audit log shows a value:\n%s", n.audit(t))
	}
	if _, err := audit.Verify(filepath.Join(n.dir, "audit")); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

// Commits whose audit entry a crash has swallowed are made up for at start.
func TestAuditIsMadeUpFor(t *testing.T) {
	dir := t.TempDir()
	sch := schema.For(settings.Type, "test-dev", []string{"motd"})
	evaluate := server.Evaluate(sch, document.Document{})
	st, err := store.Open(store.Options{Dir: filepath.Join(dir, "state"), Evaluate: evaluate})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	commit := func(message string) {
		t.Helper()
		patch := document.Patch{Set: document.Of(document.Leaf{Key: key.Of("motd"), Value: document.StringValue(message)})}
		actor := store.Actor{Name: "uid 9", UID: 9, Role: "admin", Via: "socket"}
		if err := st.Patch(t.Context(), store.PatchRequest{Tx: "t", Patch: patch, Actor: actor}); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Commit(t.Context(), store.CommitRequest{Tx: "t", Message: message, Actor: actor}); err != nil {
			t.Fatal(err)
		}
	}
	serve := func() {
		log := audit.Open(audit.Options{Dir: filepath.Join(dir, "audit")})
		server.New(server.Options{Store: st, Schema: sch, Evaluate: evaluate, Notices: &server.Notices{Events: event.NewHub(event.Options{}), Audit: log}})
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	commit("one")
	commit("two")
	serve()
	commit("three")
	serve()
	serve()
	n := &node{t: t, dir: dir}
	var got []string
	for line := range strings.Lines(n.audit(t)) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %s %s: %s", e.Generation, e.Actor, e.Message, e.Note))
	}
	want := []string{
		"1 uid 9 one: made up from the generation", "2 uid 9 two: made up from the generation",
		"3 uid 9 three: made up from the generation",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}
