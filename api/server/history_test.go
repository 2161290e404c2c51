package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/store"
)

// shown is a generation as it is sent, without what differs from run to run.
type shown struct {
	ID        uint64          `json:"id"`
	Parent    uint64          `json:"parent"`
	Message   string          `json:"message,omitempty"`
	Origin    string          `json:"origin,omitempty"`
	Try       bool            `json:"try,omitempty"`
	Changed   int             `json:"changed"`
	Current   bool            `json:"current"`
	Confirmed bool            `json:"confirmed"`
	Settings  json.RawMessage `json:"settings,omitempty"`
}

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("answer %d %s: %v", a.status, a.body, err)
	}
	return v
}

func TestGenerations(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"one"}`)
	n.set(`{"motd":"two","host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`)
	n.must("DELETE /settings?keys=motd", "", "")
	n.must("POST /tx/commit?message=less", "", "")
	three := shown{ID: 3, Parent: 2, Message: "less", Changed: 1, Current: true, Confirmed: true}
	two := shown{ID: 2, Parent: 1, Changed: 2, Confirmed: true}
	one := shown{ID: 1, Changed: 1, Confirmed: true}
	lists := []struct {
		name, query string
		want        []shown
	}{
		{"all, newest first", "", []shown{three, two, one}},
		{"some", "?limit=1", []shown{three}},
		{"before one", "?before=3&limit=1", []shown{two}},
		{"none", "?limit=0", []shown{}},
		{"before the first", "?before=1", []shown{}},
	}
	for _, tt := range lists {
		t.Run(tt.name, func(t *testing.T) {
			got := decode[[]shown](t, n.do(get("/generations"+tt.query)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("GET /generations%s (-want +got):\n%s", tt.query, diff)
			}
		})
	}
	hidden := `{"host-containers":{"admin":{"user-data":"<redacted>"}},"motd":"two"}`
	two.Settings = json.RawMessage(hidden)
	if diff := cmp.Diff(two, decode[shown](t, n.do(get("/generations/2")))); diff != "" {
		t.Errorf("GET /generations/2 (-want +got):\n%s", diff)
	}
	n.table(t, []row{
		{name: "toml", in: get("/generations/2?format=toml"), status: 200, want: "[settings]\nmotd = \"two\"\n\n[settings.host-containers.admin]\nuser-data = \"<redacted>\"\n", header: map[string]string{"Content-Type": "application/toml"}},
		{name: "toml with secrets", in: get("/generations/2?format=toml&secrets=show"), status: 200, want: "[settings]\nmotd = \"two\"\n\n[settings.host-containers.admin]\nuser-data = \"c2VjcmV0\"\n"},
		{name: "other format", in: get("/generations/2?format=xml"), status: 400, want: `invalid-parameter: parameter format: "xml" is not known`},
		{name: "unknown", in: get("/generations/9"), status: 404, want: "no-generation: no such generation: 9"},
		{name: "no number", in: get("/generations/x"), status: 400, want: `invalid-parameter: parameter id: "x" is not the number of a generation`},
		{name: "odd limit", in: get("/generations?limit=-1"), status: 400, want: `invalid-parameter: parameter limit: "-1" is not acceptable`},
		{name: "what one changed", in: get("/generations/2/diff"), status: 200, want: `{"from":1,"to":2,"changes":[{"key":"settings.host-containers.admin.user-data","old":null,"new":"<redacted>"},{"key":"settings.motd","old":"one","new":"two"}]}`},
		{name: "what the first changed", in: get("/generations/1/diff"), status: 200, want: `{"from":0,"to":1,"changes":[{"key":"settings.motd","old":null,"new":"one"}]}`},
		{name: "to another", in: get("/generations/2/diff?to=1"), status: 200, want: `{"from":2,"to":1,"changes":[{"key":"settings.host-containers.admin.user-data","old":"<redacted>","new":null},{"key":"settings.motd","old":"two","new":"one"}]}`},
		{name: "to the current one", in: get("/generations/1/diff?to=current"), status: 200, want: `{"from":1,"to":3,"changes":[{"key":"settings.host-containers.admin.user-data","old":null,"new":"<redacted>"},{"key":"settings.motd","old":"one","new":null}]}`},
		{name: "to itself", in: get("/generations/current/diff?to=3"), status: 200, want: `{"from":3,"to":3,"changes":[]}`},
		{name: "to an unknown one", in: get("/generations/1/diff?to=9"), status: 404, want: "no-generation: no such generation: 9"},
		{name: "stale revert", in: request{line: "POST /generations/1/revert", header: map[string]string{"If-Match": `"2-0"`}}, status: 412, want: `stale: revert to generation 1: the settings have changed in the meantime: they are at "3-0", the request is for "2-0"`},
		{name: "revert to an unknown one", in: request{line: "POST /generations/9/revert"}, status: 404, want: "no-generation: revert to generation 9: no such generation"},
		{name: "revert", in: request{line: "POST /generations/1/revert?message=back"}, status: 200, want: `["settings.host-containers.admin.user-data","settings.motd"]`, header: map[string]string{"ETag": `"4-0"`, "Bulkhead-Generation": "4"}, then: []row{
			{in: get("/settings?layer=user"), status: 200, want: `{"motd":"one"}`},
		}},
	})
	want := shown{ID: 4, Parent: 3, Message: "back", Origin: "revert", Changed: 2, Current: true, Confirmed: true}
	if diff := cmp.Diff([]shown{want}, decode[[]shown](t, n.do(get("/generations?limit=1")))); diff != "" {
		t.Errorf("generation of a revert (-want +got):\n%s", diff)
	}
}

func TestPlan(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"one","kernel":{"sysctl":{"a":"1"}}}`)
	n.set(`{"motd":"two"}`)
	n.must("PATCH /settings?tx=t", "json", `{"updates":{"seed":1}}`)
	plan := func(query, kind, body string) request {
		return request{line: "POST /plan" + query, kind: kind, body: body}
	}
	n.table(t, []row{
		{name: "nothing", in: plan("", "", ""), status: 200, want: `{"generation":2,"changes":[],"faults":[]}`},
		{name: "body", in: plan("", "json", `{"motd":"x"}`), status: 200, want: `{"generation":2,"changes":[{"key":"settings.motd","old":"two","new":"x"}],"faults":[]}`},
		{name: "unset falls back to the default", in: plan("", "merge", `{"motd":null}`), status: 200, want: `{"generation":2,"changes":[{"key":"settings.motd","old":"two","new":"Welcome!"}],"faults":[]}`},
		{name: "transaction", in: plan("?tx=t", "", ""), status: 200, want: `{"generation":2,"changes":[{"key":"settings.updates.seed","old":null,"new":1}],"faults":[]}`},
		{name: "body over transaction", in: plan("?tx=t", "toml", "[updates]\nseed = 2"), status: 200, want: `{"generation":2,"changes":[{"key":"settings.updates.seed","old":null,"new":2}],"faults":[]}`},
		{name: "revert", in: plan("?revert=1", "", ""), status: 200, want: `{"generation":2,"changes":[{"key":"settings.motd","old":"two","new":"one"}],"faults":[]}`},
		{name: "revert to nothing", in: plan("?revert=0", "", ""), status: 200, want: `{"generation":2,"changes":[{"key":"settings.kernel.sysctl.a","old":"1","new":null},{"key":"settings.motd","old":"two","new":"Welcome!"}],"faults":[]}`},
		{name: "secret", in: plan("", "json", `{"host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`), status: 200, want: `{"generation":2,"changes":[{"key":"settings.host-containers.admin.user-data","old":null,"new":"<redacted>"}],"faults":[]}`},
		{name: "body refused", in: plan("", "json", `{"motd":1}`), status: 400, want: "settings.motd: wrong-type: want a string, got 1"},
		{name: "both", in: plan("?tx=t&revert=1", "", ""), status: 400, want: "invalid-parameter: parameter revert: stands beside tx"},
		{name: "unknown generation", in: plan("?revert=7", "", ""), status: 404, want: "no-generation: no such generation: 7"},
		{name: "nothing was stored", in: get("/tx?tx=t"), status: 200, want: `{"updates":{"seed":1}}`},
	})
	a := n.do(plan("", "toml", "[kubernetes]\nimage-gc-high-threshold-percent = 50\nimage-gc-low-threshold-percent = 60\n"))
	got := decode[struct {
		Faults []struct {
			Path, Code string
			Line       int
		}
	}](t, a)
	if a.status != 200 || len(got.Faults) != 1 || got.Faults[0].Code != "conflict" || got.Faults[0].Line < 2 {
		t.Errorf("plan of thresholds that contradict: %d %s, want 200 with one conflict and its line", a.status, a.body)
	}
}

func TestTry(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"good"}`)
	n.check(t, row{in: request{line: "POST /confirm"}, status: 409, want: "no-try: confirm: no such generation is being tried"})
	n.must("PATCH /settings", "json", `{"motd":"risky"}`)
	a := n.must("POST /tx/commit?try=5m", "", "")
	deadline, err := time.Parse(time.RFC3339, a.header.Get("Bulkhead-Try-Deadline"))
	if left := time.Until(deadline); err != nil || left < 4*time.Minute || left > 6*time.Minute {
		t.Errorf("Bulkhead-Try-Deadline %q is %v ahead, want 5 minutes", a.header.Get("Bulkhead-Try-Deadline"), left)
	}
	g := decode[struct {
		Try, Confirmed, Current bool
		Deadline                time.Time
	}](t, n.do(get("/generations/current")))
	if !g.Try || g.Confirmed || !g.Current || g.Deadline.IsZero() {
		t.Errorf("generation being tried: %+v, want one that is not confirmed", g)
	}
	n.must("PATCH /settings", "json", `{"motd":"more"}`)
	n.table(t, []row{
		{name: "commit meanwhile", in: request{line: "POST /tx/commit"}, status: 409, want: "try-pending: a generation is being tried; confirm it or revert first"},
		{name: "confirm another", in: request{line: "POST /confirm?generation=1"}, status: 409, want: "no-try: confirm: no such generation is being tried"},
		{name: "confirm none", in: request{line: "POST /confirm?generation=0"}, status: 409, want: "no-try: generation 0 is never tried"},
		{name: "health tells", in: get("/settings?keys=motd"), status: 200, want: `{"motd":"risky"}`},
	})
	if got := decode[shown](t, n.must("POST /confirm?generation=2", "", "")); got.ID != 2 || !got.Confirmed || !got.Current {
		t.Errorf("POST /confirm: %+v, want generation 2, confirmed", got)
	}
	n.must("POST /tx/commit?try=1h", "", "")
	n.must("POST /generations/1/revert", "", "")
	n.check(t, row{in: get("/settings?keys=motd"), status: 200, want: `{"motd":"good"}`})
}

// A try that nobody confirms ends by itself, and is then shown as what it was.
func TestTryExpires(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"good"}`)
	n.must("PATCH /settings", "json", `{"motd":"risky"}`)
	n.must("POST /tx/commit?try=1s", "", "")
	within(t, "end of the try", func() bool {
		_ = n.store.Transactions() // whoever asks makes the store look at the clock
		n.must("PATCH /settings?tx=other", "json", `{"motd":"x"}`)
		return strings.Contains(n.do(get("/settings?keys=motd")).body, "good")
	})
	got := decode[[]shown](t, n.do(get("/generations?limit=2")))
	want := []shown{
		{ID: 3, Parent: 2, Message: "generation 2 was not confirmed within 1s", Origin: store.OriginTryExpired, Changed: 1, Current: true, Confirmed: true},
		{ID: 2, Parent: 1, Try: true, Changed: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET /generations (-want +got):\n%s", diff)
	}
	within(t, "entry in the audit log", func() bool { return strings.Contains(n.audit(t), `"generation":3`) })
}

func TestOriginAndGeneratedLayer(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"x"}`)
	generated := func(query, body string) request {
		return request{line: "PATCH /settings?layer=generated" + query, kind: "json", body: body}
	}
	n.table(t, []row{
		{name: "at once", in: generated("&generator=seed", `{"updates":{"seed":7}}`), status: 204, header: map[string]string{"ETag": `"1-1"`}, then: []row{
			{in: get("/settings?keys=updates.seed"), status: 200, want: `{"updates":{"seed":7}}`, header: map[string]string{"ETag": `"1-1"`}},
			{in: get("/settings?layer=generated"), status: 200, want: `{"updates":{"seed":7}}`},
			{in: get("/settings?layer=user"), status: 200, want: `{"motd":"x"}`},
		}},
		{name: "never over the user's", in: generated("&strength=weak", `{"motd":"generated"}`), status: 204, then: []row{{in: get("/settings?keys=motd"), status: 200, want: `{"motd":"x"}`}}},
		{name: "stale", in: request{line: "PATCH /settings?layer=generated", kind: "json", body: `{"updates":{"seed":8}}`, header: map[string]string{"If-Match": `"1-0"`}}, status: 412, want: `stale: change generated settings: the settings have changed in the meantime: they are at "1-2", the request is for "1-0"`, then: []row{{in: get("/settings?keys=updates.seed"), status: 200, want: `{"updates":{"seed":7}}`}}},
		{name: "not stale", in: request{line: "PATCH /settings?layer=generated", kind: "json", body: `{"updates":{"seed":7}}`, header: map[string]string{"If-Match": `"1-2"`}}, status: 204, header: map[string]string{"ETag": `"1-2"`}},
		{name: "other strength", in: generated("&strength=iron", `{"motd":"y"}`), status: 400, want: `invalid-parameter: parameter strength: "iron" is not known`},
		{name: "refused", in: generated("", `{"motd":1}`), status: 400, want: "settings.motd: wrong-type: want a string, got 1"},
	})
	type from struct {
		Value, Layer, Actor, Generator, Strength any
		Generation                               uint64
		Time                                     time.Time
	}
	got := decode[map[string]from](t, n.do(get("/settings?origin=1&keys=motd,updates.seed,ntp")))
	for k, v := range got {
		if v.Layer != "default" && time.Since(v.Time) > time.Minute {
			t.Errorf("origin of %s: time %v, want now", k, v.Time)
		}
		v.Time = time.Time{}
		got[k] = v
	}
	actor := fmt.Sprintf("uid %d", uid)
	if uid == 0 {
		actor = "root"
	}
	want := map[string]from{
		"settings.motd":             {Value: "x", Layer: "user", Actor: actor, Generation: 1},
		"settings.ntp.time-servers": {Value: []any{"pool.ntp.org"}, Layer: "default"},
		"settings.updates.seed":     {Value: 7.0, Layer: "generated", Actor: actor, Generator: "seed", Strength: "strong"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET /settings?origin=1 (-want +got):\n%s", diff)
	}
}

func TestSecrets(t *testing.T) {
	n := start(t)
	n.set(`{"host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`)
	n.must("PATCH /settings", "json", `{"host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`)
	n.table(t, []row{
		{name: "hidden", in: get("/settings?keys=host-containers.admin.user-data"), status: 200, want: `{"host-containers":{"admin":{"user-data":"<redacted>"}}}`},
		{name: "in clear", in: get("/settings?keys=host-containers.admin.user-data&secrets=show"), status: 200, want: `{"host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`},
		{name: "in clear, user layer", in: get("/settings?layer=user&secrets=show"), status: 200, want: `{"host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`},
		{name: "transaction in clear", in: get("/tx?secrets=show"), status: 200, want: `{"host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`},
		{name: "difference in clear", in: get("/generations/1/diff?secrets=show"), status: 200, want: `{"from":0,"to":1,"changes":[{"key":"settings.host-containers.admin.user-data","old":null,"new":"c2VjcmV0"}]}`},
		{name: "difference to another in clear", in: get("/generations/1/diff?to=0&secrets=show"), status: 200, want: `{"from":1,"to":0,"changes":[{"key":"settings.host-containers.admin.user-data","old":"c2VjcmV0","new":null}]}`},
		{name: "odd word", in: get("/settings?secrets=yes"), status: 400, want: `invalid-parameter: parameter secrets: "yes" is not known`},
	})
	within(t, "entries of secrets shown", func() bool {
		log := n.audit(t)
		return strings.Count(log, `"method":"GET","route":"/settings"`) == 2 &&
			strings.Count(log, `"method":"GET","route":"/tx"`) == 1 && strings.Count(log, `"method":"GET","route":"/generations/{id}/diff"`) == 2
	})
	for _, path := range []string{"/", "/settings", "/settings?origin=1", "/generations/1", "/generations/1/diff", "/generations/1?format=toml", "/tx", "/metrics", "/health"} {
		if a := n.do(get(path)); a.status != http.StatusOK || strings.Contains(a.body, "c2VjcmV0") {
			t.Errorf("GET %s: %d, shows the secret: %s", path, a.status, a.body)
		}
	}
	if strings.Contains(n.log.String()+n.audit(t), "c2VjcmV0") {
		t.Error("a log shows the secret")
	}
}
