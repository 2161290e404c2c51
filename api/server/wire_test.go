package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

// A row is a request with the answer it must get. Of a problem document only
// path, code and detail are compared, as refusal writes them.
type row struct {
	name   string
	in     request
	status int
	want   string
	header map[string]string // that the answer must have
	then   []row             // afterwards, names left empty
}

// refusal renders what matters of a problem document.
func refusal(body string) string {
	var p problem.Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return body
	}
	return strings.TrimPrefix(p.Path+": ", ": ") + p.Code + ": " + p.Detail
}

func (n *node) check(t *testing.T, r row) {
	t.Helper()
	got := n.do(r.in)
	if got.status != r.status {
		t.Errorf("%s %s: status %d, want %d: %s", r.in.line, r.in.body, got.status, r.status, got.body)
	}
	body := got.body
	if got.header.Get("Content-Type") == problem.ContentType {
		body = refusal(got.body)
	} else if got.status >= 400 {
		t.Errorf("%s: content type %q, want %q", r.in.line, got.header.Get("Content-Type"), problem.ContentType)
	}
	if diff := cmp.Diff(r.want, body); diff != "" {
		t.Errorf("%s %.200s: body (-want +got):\n%s", r.in.line, r.in.body, diff)
	}
	for name, want := range r.header {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: header %s is %q, want %q", r.in.line, name, got, want)
		}
	}
	for _, next := range r.then {
		n.check(t, next)
	}
}

func (n *node) table(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { n.check(t, r) })
	}
}

func get(path string) request { return request{line: "GET " + path} }

func TestRoot(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"x","boot":{"kernel":{"quiet":[]}}}`)
	settings := strings.NewReplacer("Welcome!", "x", `{"host-`, `{"boot":{"kernel":{"quiet":[]}},"host-`).Replace(everything)
	n.table(t, []row{
		{name: "all sections", in: get("/"), status: 200, want: `{"settings":` + settings + `,"os":` + factsJSON + `}`, header: map[string]string{"ETag": `"1-0"`, "Content-Type": "application/json"}},
		{name: "start of a section's name", in: get("/?prefix=s"), status: 200, want: `{"settings":` + settings + `}`},
		{name: "section's name", in: get("/?prefix=settings"), status: 200, want: `{"settings":` + settings + `}`},
		{name: "alias", in: get("/?prefix=settings.boot.kernel-parameters"), status: 200, want: `{"settings":{"boot":{"kernel":{"quiet":[]}}}}`},
		{name: "section's name with dot", in: get("/?prefix=settings."), status: 200, want: `{"settings":` + settings + `}`},
		{name: "start of a setting", in: get("/?prefix=settings.mot"), status: 200, want: `{"settings":{"motd":"x"}}`},
		{name: "other section", in: get("/?prefix=o"), status: 200, want: `{"os":{"arch":"x86_64","build_id":"abcdef","pretty_name":"Bulkhead 1.2.3 (test-dev)","variant_id":"test-dev","version_id":"1.2.3"}}`},
		{name: "start of facts", in: get("/?prefix=os.v"), status: 200, want: `{"os":{"variant_id":"test-dev","version_id":"1.2.3"}}`},
		{name: "one fact", in: get("/?prefix=os.arch"), status: 200, want: `{"os":{"arch":"x86_64"}}`},
		{name: "nothing begins so", in: get("/?prefix=settings.zzz"), status: 200, want: `{}`},
		{name: "no section begins so", in: get("/?prefix=services"), status: 200, want: `{}`},
		{name: "empty prefix", in: get("/?prefix="), status: 400, want: "invalid-parameter: parameter prefix: is empty"},
		{name: "last of two counts", in: get("/?prefix=zzz&prefix=os.arch&unknown=1"), status: 200, want: `{"os":{"arch":"x86_64"}}`},
	})
}

func TestGetSettings(t *testing.T) {
	n := start(t)
	n.set(`{"boot":{"kernel-parameters":{"console":["tty0"],"quiet":[]}},"motd":"x y","kernel":{"sysctl":{"vm.max_map_count":"1","vm.swappiness":"2"}},"ntp":{"time-servers":["a.example","b.example"]}}`)
	whole := `{"boot":{"kernel":{"console":["tty0"],"quiet":[]}},"host-containers":{"admin":{"enabled":false,"source":"example.org/admin:v1"}},"kernel":{"sysctl":{"vm.max_map_count":"1","vm.swappiness":"2"}},"motd":"x y","ntp":{"time-servers":["a.example","b.example"]}}`
	long := strings.Repeat("a", 247)
	n.table(t, []row{
		{name: "everything", in: get("/settings"), status: 200, want: whole, header: map[string]string{"ETag": `"1-0"`}},
		{name: "one key", in: get("/settings?keys=settings.motd"), status: 200, want: `{"motd":"x y"}`},
		{name: "key without root", in: get("/settings?keys=motd"), status: 200, want: `{"motd":"x y"}`},
		{name: "several keys", in: get("/settings?keys=settings.ntp.time-servers,settings.motd"), status: 200, want: `{"motd":"x y","ntp":{"time-servers":["a.example","b.example"]}}`},
		{name: "same key twice", in: get("/settings?keys=motd,settings.motd"), status: 200, want: `{"motd":"x y"}`},
		{name: "inner node", in: get("/settings?keys=settings.kernel"), status: 200, want: `{"kernel":{"sysctl":{"vm.max_map_count":"1","vm.swappiness":"2"}}}`},
		{name: "all settings", in: get("/settings?keys=settings"), status: 200, want: whole},
		{name: "quoted segment", in: get("/settings?keys=settings.kernel.sysctl.%22vm.swappiness%22"), status: 200, want: `{"kernel":{"sysctl":{"vm.swappiness":"2"}}}`},
		{name: "not set", in: get("/settings?keys=settings.network.hostname"), status: 200, want: `{}`},
		{name: "unknown", in: get("/settings?keys=settings.nope,motd"), status: 200, want: `{"motd":"x y"}`},
		{name: "empty keys", in: get("/settings?keys="), status: 400, want: "invalid-parameter: parameter keys: is empty"},
		{name: "empty key between commas", in: get("/settings?keys=motd,,ntp"), status: 400, want: "invalid-parameter: parameter keys: key is empty, want a name such as settings.motd"},
		{name: "empty segment", in: get("/settings?keys=settings..motd"), status: 400, want: `invalid-parameter: parameter keys: key "settings..motd": segment 2 is empty`},
		{name: "path traversal", in: get("/settings?keys=settings.%2e%2e%2f%2e%2e"), status: 400, want: `invalid-parameter: parameter keys: key "settings.../..": segment 2 is empty`},
		{name: "255 bytes", in: get("/settings?keys=" + long[:246]), status: 200, want: `{}`},
		{name: "256 bytes", in: get("/settings?keys=" + long), status: 400, want: "invalid-parameter: parameter keys: key \"" + long[:32] + "\"… has 256 bytes with its root, want at most 255"},
		{name: "prefix of keys", in: get("/settings?prefix=settings.mo"), status: 200, want: `{"motd":"x y"}`},
		{name: "prefix without root", in: get("/settings?prefix=kernel.sysctl.%22vm.s"), status: 200, want: `{"kernel":{"sysctl":{"vm.swappiness":"2"}}}`},
		{name: "prefix that is part of the root's name is not", in: get("/settings?prefix=set"), status: 200, want: `{}`},
		{name: "root as prefix", in: get("/settings?prefix=settings"), status: 200, want: whole},
		{name: "prefix without match", in: get("/settings?prefix=zzz"), status: 200, want: `{}`},
		{name: "empty prefix", in: get("/settings?prefix="), status: 400, want: "invalid-parameter: parameter prefix: is empty"},
		{name: "keys win over prefix", in: get("/settings?prefix=ntp&keys=motd"), status: 200, want: `{"motd":"x y"}`},
		{name: "last of two counts", in: get("/settings?keys=ntp&keys=motd"), status: 200, want: `{"motd":"x y"}`},
		{name: "alias as key", in: get("/settings?keys=boot.kernel-parameters&layer=user"), status: 200, want: `{"boot":{"kernel":{"console":["tty0"],"quiet":[]}}}`},
		{name: "alias as prefix", in: get("/settings?prefix=boot.kernel-parameters"), status: 200, want: `{"boot":{"kernel":{"console":["tty0"],"quiet":[]}}}`},
		{name: "alias with root as prefix", in: get("/settings?prefix=settings.boot.kernel-parameters"), status: 200, want: `{"boot":{"kernel":{"console":["tty0"],"quiet":[]}}}`},
		{name: "alias within a prefix", in: get("/settings?prefix=boot.kernel-parameters.con"), status: 200, want: `{"boot":{"kernel":{"console":["tty0"]}}}`},
		{name: "alias within a prefix that ends in a quoted name", in: get("/settings?prefix=boot.kernel-parameters.%22console"), status: 200, want: `{}`},
		{name: "alias and a dot as prefix", in: get("/settings?prefix=boot.kernel-parameters."), status: 200, want: `{"boot":{"kernel":{"console":["tty0"],"quiet":[]}}}`},
		{name: "other alias", in: get("/settings?prefix=boot.init-parameters"), status: 200, want: `{}`},
		{name: "user layer", in: get("/settings?layer=user&keys=motd,host-containers"), status: 200, want: `{"motd":"x y"}`},
		{name: "default layer", in: get("/settings?layer=default&keys=motd"), status: 200, want: `{"motd":"Welcome!"}`},
		{name: "generated layer", in: get("/settings?layer=generated"), status: 200, want: `{}`},
		{name: "unknown layer", in: get("/settings?layer=top"), status: 400, want: `invalid-parameter: parameter layer: "top" is not known`},
		{name: "plus is space, and bad escapes are refused", in: get("/settings?prefix=%zz"), status: 400, want: `invalid-parameter: query "prefix=%zz": invalid URL escape "%zz"`},
		{name: "trailing slash", in: get("/settings/"), status: 404, want: `no-route: there is nothing at "/settings/"`},
		{name: "same state", in: request{line: "GET /settings", header: map[string]string{"If-None-Match": `"0-0", W/"1-0"`}}, status: 304, header: map[string]string{"ETag": `"1-0"`}},
		{name: "other state", in: request{line: "GET /settings?keys=motd", header: map[string]string{"If-None-Match": `"0-0"`}}, status: 200, want: `{"motd":"x y"}`},
		{name: "head", in: request{line: "HEAD /settings"}, status: 200, header: map[string]string{"ETag": `"1-0"`, "Content-Type": "application/json"}},
	})
}

func TestPatchSettings(t *testing.T) {
	n := start(t)
	pending := func(tx, want string) []row { return []row{{in: get("/tx?tx=" + tx), status: 200, want: want}} }
	patch := func(tx, kind, body string) request {
		return request{line: "PATCH /settings?tx=" + tx, kind: kind, body: body}
	}
	n.table(t, []row{
		{name: "one setting", in: patch("a", "json", `{"motd":"x"}`), status: 204, then: pending("a", `{"motd":"x"}`)},
		{name: "merged by leaf", in: patch("a", "json", `{"ntp":{"options":["iburst"]}}`), status: 204, then: pending("a", `{"motd":"x","ntp":{"options":["iburst"]}}`)},
		{name: "last write wins, lists are replaced", in: patch("a", "json", `{"motd":"y","ntp":{"options":["prefer"]}}`), status: 204, then: pending("a", `{"motd":"y","ntp":{"options":["prefer"]}}`)},
		{name: "with parameters of the content type", in: patch("b", "application/json; charset=utf-8", `{"motd":"x"}`), status: 204, then: pending("b", `{"motd":"x"}`)},
		{name: "outer settings", in: patch("c", "json", `{"settings":{"motd":"x"}}`), status: 204, then: pending("c", `{"motd":"x"}`)},
		{name: "null is not mentioned", in: patch("d", "json", `{"motd":null,"ntp":null}`), status: 204, then: pending("d", `{}`)},
		{name: "empty table is not mentioned", in: patch("d", "json", `{"ntp":{},"kernel":{"sysctl":{}}}`), status: 204, then: pending("d", `{}`)},
		{name: "empty object opens no transaction", in: patch("d", "json", `{}`), status: 204, then: []row{{in: get("/tx/list"), status: 200, want: `["a","b","c"]`}}},
		{name: "empty list is a value", in: patch("e", "json", `{"ntp":{"options":[]}}`), status: 204, then: pending("e", `{"ntp":{"options":[]}}`)},
		{name: "name with a dot", in: patch("f", "json", `{"kernel":{"sysctl":{"vm.max_map_count":"1"}}}`), status: 204, then: pending("f", `{"kernel":{"sysctl":{"vm.max_map_count":"1"}}}`)},
		{name: "null unsets in a merge patch", in: patch("g", "merge", `{"motd":null}`), status: 204, then: pending("g", `{"motd":null}`)},
		{name: "table unset in a merge patch", in: patch("g", "merge", `{"ntp":null,"motd":"z"}`), status: 204, then: pending("g", `{"motd":"z","ntp":null}`)},
		{name: "toml", in: patch("h", "toml", "motd = 'x'\n[ntp]\noptions = ['iburst']\n"), status: 204, then: pending("h", `{"motd":"x","ntp":{"options":["iburst"]}}`)},
		{name: "toml with outer settings", in: patch("i", "toml", "[settings]\nmotd = 'x'\n"), status: 204, then: pending("i", `{"motd":"x"}`)},
		{name: "default transaction", in: request{line: "PATCH /settings", kind: "json", body: `{"motd":"x"}`}, status: 204, then: []row{{in: get("/tx"), status: 200, want: `{"motd":"x"}`}, {in: get("/tx?tx=default"), status: 200, want: `{"motd":"x"}`}}},
		{name: "live settings stay", in: get("/settings?keys=motd"), status: 200, want: `{"motd":"Welcome!"}`},

		{name: "other tables beside settings", in: patch("z", "json", `{"settings":{"motd":"x"},"other":{}}`), status: 400, want: `other: unknown-setting: "other" stands beside "settings"`},
		{name: "other tables beside settings of a document", in: request{line: "PATCH /settings?tx=doc&document=1", kind: "toml", body: "[settings]\nmotd = 'x'\n[other]\n"}, status: 204, header: map[string]string{"Bulkhead-Warnings": "1"}, then: pending("doc", `{"motd":"x"}`)},
		{name: "document without settings", in: request{line: "PATCH /settings?tx=z&document=1", kind: "toml", body: "[other]\n"}, status: 400, want: `settings.other: unknown-setting: there is no setting "other" here`},
		{name: "odd word for a document", in: request{line: "PATCH /settings?tx=z&document=yes", kind: "json", body: `{}`}, status: 400, want: `invalid-parameter: parameter document: "yes" is not known`},
		{name: "strength of a user's value", in: request{line: "PATCH /settings?tx=z&strength=weak", kind: "json", body: `{"motd":"x"}`}, status: 400, want: "invalid-parameter: parameter strength: has no place in a change of the user layer"},
		{name: "generator of a user's value", in: request{line: "PATCH /settings?tx=z&layer=user&generator=seed", kind: "json", body: `{"motd":"x"}`}, status: 400, want: "invalid-parameter: parameter generator: has no place in a change of the user layer"},
		{name: "user layer by name", in: request{line: "PATCH /settings?tx=u&layer=user", kind: "json", body: `{"motd":"x"}`}, status: 204, then: pending("u", `{"motd":"x"}`)},
		{name: "nothing of the refused", in: get("/tx?tx=z"), status: 200, want: `{}`},
		{name: "no content type", in: patch("z", "", `{"motd":"x"}`), status: 400, want: "unsupported-content-type: the request has no content type"},
		{name: "other content type", in: patch("z", "text/plain", `{"motd":"x"}`), status: 400, want: `unsupported-content-type: content type "text/plain" is not one that this route reads`},
		{name: "unknown setting fails all", in: patch("z", "json", `{"motd":"x","mtod":"y"}`), status: 400, want: `settings.mtod: unknown-setting: there is no setting "mtod" here`, then: pending("z", `{}`)},
		{name: "wrong type", in: patch("z", "json", `{"motd":42}`), status: 400, want: "settings.motd: wrong-type: want a string, got 42"},
		{name: "mandatory member missing", in: patch("z", "json", `{"kubernetes":{"credential-providers":{"x":{"enabled":true}}}}`), status: 400, want: "settings.kubernetes.credential-providers.x.image-patterns: missing-member: is missing: it is mandatory once any other member of settings.kubernetes.credential-providers.x is set"},
		{name: "member given with the same body", in: patch("j", "json", `{"kubernetes":{"credential-providers":{"ecr-credential-provider":{"enabled":true,"image-patterns":["a"]}}}}`), status: 204, then: []row{
			{in: patch("j", "merge", `{"kubernetes":{"credential-providers":{"ecr-credential-provider":{"image-patterns":null}}}}`), status: 400, want: "settings.kubernetes.credential-providers.ecr-credential-provider.image-patterns: missing-member: is missing: it is mandatory once any other member of settings.kubernetes.credential-providers.ecr-credential-provider is set"},
		}},
		{name: "placeholder of a secret", in: patch("z", "json", `{"host-containers":{"admin":{"user-data":"<redacted>"}}}`), status: 400, want: "settings.host-containers.admin.user-data: redacted-value: the value is the placeholder that stands for a hidden secret"},
		{name: "secret hidden in the pending settings", in: patch("k", "json", `{"host-containers":{"admin":{"user-data":"c2VjcmV0"}}}`), status: 204, then: pending("k", `{"host-containers":{"admin":{"user-data":"<redacted>"}}}`)},

		{name: "empty transaction name", in: patch("", "json", `{"motd":"x"}`), status: 400, want: `invalid-transaction: transaction name "" is not acceptable`},
		{name: "transaction name with a slash", in: patch("..%2Fa", "json", `{"motd":"x"}`), status: 400, want: `invalid-transaction: transaction name "../a" is not acceptable`},
		{name: "transaction name of dots", in: patch("..", "json", `{"motd":"x"}`), status: 400, want: `invalid-transaction: transaction name ".." is not acceptable`},
		{name: "transaction name with a zero byte", in: patch("a%00", "json", `{"motd":"x"}`), status: 400, want: `invalid-transaction: transaction name "a\x00" is not acceptable`},
		{name: "transaction name of 64 bytes", in: patch(strings.Repeat("n", 64), "json", `{"motd":"x"}`), status: 204},
		{name: "transaction name of 65 bytes", in: patch(strings.Repeat("n", 65), "json", `{"motd":"x"}`), status: 400, want: `invalid-transaction: transaction name "` + strings.Repeat("n", 65) + `" is not acceptable`},
		{name: "stale", in: request{line: "PATCH /settings?tx=z", kind: "json", body: `{"motd":"x"}`, header: map[string]string{"If-Match": `"7-0"`}}, status: 412, want: `stale: change transaction z: the settings have changed in the meantime: they are at "0-0", the request is for "7-0"`},
		{name: "not stale", in: request{line: "PATCH /settings?tx=l", kind: "json", body: `{"motd":"x"}`, header: map[string]string{"If-Match": `"0-0"`}}, status: 204},
	})
}

func TestPatchKeypair(t *testing.T) {
	n := start(t)
	pairs := func(tx, body string) request {
		return request{line: "PATCH /settings/keypair?tx=" + tx, kind: "json", body: `{"request_payload":` + body + `}`}
	}
	pending := func(tx, want string) []row { return []row{{in: get("/tx?tx=" + tx), status: 200, want: want}} }
	n.table(t, []row{
		{name: "string that looks like a number", in: pairs("a", `["motd=42"]`), status: 204, then: pending("a", `{"motd":"42"}`)},
		{name: "with root", in: pairs("b", `["settings.motd=x"]`), status: 204, then: pending("b", `{"motd":"x"}`)},
		{name: "split at the first equals sign", in: pairs("c", `["motd=a=b=c"]`), status: 204, then: pending("c", `{"motd":"a=b=c"}`)},
		{name: "empty value", in: pairs("d", `["motd="]`), status: 204, then: pending("d", `{"motd":""}`)},
		{name: "number and boolean", in: pairs("e", `["updates.seed=7","updates.ignore-waves=true"]`), status: 204, then: pending("e", `{"updates":{"ignore-waves":true,"seed":7}}`)},
		{name: "quoted name", in: pairs("f", `["kernel.sysctl.\"vm.max_map_count\"=262144"]`), status: 204, then: pending("f", `{"kernel":{"sysctl":{"vm.max_map_count":"262144"}}}`)},
		{name: "list", in: pairs("g", `["ntp.time-servers=[\"a.example\"]"]`), status: 204, then: pending("g", `{"ntp":{"time-servers":["a.example"]}}`)},
		{name: "last of the same key", in: pairs("h", `["motd=a","settings.motd=b"]`), status: 204, then: pending("h", `{"motd":"b"}`)},
		{name: "none", in: pairs("i", `[]`), status: 204, then: pending("i", `{}`)},

		{name: "no equals sign", in: pairs("z", `["motd"]`), status: 400, want: `syntax: "motd" has no =`},
		{name: "bad key", in: pairs("z", `["a b=c"]`), status: 400, want: `invalid-key: key "a b": character ' ' at byte 2 is not allowed, want letters, digits, _ - / and, in double quotes, dots`},
		{name: "unknown key", in: pairs("z", `["mtod=c"]`), status: 400, want: `settings.mtod: unknown-setting: there is no such setting`},
		{name: "value that does not fit", in: pairs("z", `["updates.seed=x"]`), status: 400, want: `settings.updates.seed: wrong-type: want an integer, got "x"`},
		{name: "not a list", in: pairs("z", `"motd=x"`), status: 400, want: `bad-request: the body is not an object with the one member "request_payload", a list`},
		{name: "not strings", in: pairs("z", `["motd=x",1]`), status: 400, want: `bad-request: request_payload[1] is 1`},
		{name: "other member", in: request{line: "PATCH /settings/keypair", kind: "json", body: `{"payload":[]}`}, status: 400, want: `bad-request: the body is not an object with the one member "request_payload", a list`},
		{name: "toml", in: request{line: "PATCH /settings/keypair", kind: "toml", body: `x`}, status: 400, want: `unsupported-content-type: content type "application/toml" is not one that this route reads`},
		{name: "trailing slash", in: request{line: "PATCH /settings/keypair/", kind: "json", body: `{}`}, status: 404, want: `no-route: there is nothing at "/settings/keypair/"`},
		{name: "layer", in: request{line: "PATCH /settings/keypair?tx=z&layer=generated", kind: "json", body: `{"request_payload":["motd=x"]}`}, status: 400, want: "invalid-parameter: parameter layer: has no place in a change of the user layer"},
		{name: "strength", in: request{line: "PATCH /settings/keypair?tx=z&strength=weak", kind: "json", body: `{"request_payload":["motd=x"]}`}, status: 400, want: "invalid-parameter: parameter strength: has no place in a change of the user layer"},
		{name: "generator", in: request{line: "PATCH /settings/keypair?tx=z&generator=x", kind: "json", body: `{"request_payload":["motd=x"]}`}, status: 400, want: "invalid-parameter: parameter generator: has no place in a change of the user layer"},
		{name: "nothing of the refused", in: get("/tx?tx=z"), status: 200, want: `{}`},
	})
}

func TestUnset(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"x","kernel":{"sysctl":{"vm.a":"1","vm.b":"2"}}}`)
	unset := func(query string) request { return request{line: "DELETE /settings?" + query} }
	n.table(t, []row{
		{name: "one key", in: unset("keys=motd&tx=a"), status: 204, then: []row{
			{in: get("/tx?tx=a"), status: 200, want: `{"motd":null}`},
			{in: request{line: "POST /tx/commit?tx=a"}, status: 200, want: `["settings.motd"]`},
			{in: get("/settings?keys=motd"), status: 200, want: `{"motd":"Welcome!"}`},
		}},
		{name: "entry of a map", in: unset("keys=settings.kernel.sysctl.%22vm.a%22"), status: 204, then: []row{
			{in: request{line: "POST /tx/commit"}, status: 200, want: `["settings.kernel.sysctl.\"vm.a\""]`},
			{in: get("/settings?keys=kernel"), status: 200, want: `{"kernel":{"sysctl":{"vm.b":"2"}}}`},
		}},
		{name: "what is not set is staged all the same", in: unset("keys=motd,ntp&tx=b"), status: 204, then: []row{{in: get("/tx?tx=b"), status: 200, want: `{"motd":null,"ntp":null}`}}},
		{name: "table of which something is set again", in: unset("keys=kernel.sysctl&tx=c"), status: 204, then: []row{
			{in: get("/tx?tx=c"), status: 200, want: `{"kernel":{"sysctl":null}}`},
			{in: request{line: "PATCH /settings?tx=c", kind: "json", body: `{"kernel":{"sysctl":{"vm.c":"3"}}}`}, status: 204},
			{in: get("/tx?tx=c"), status: 200, want: `{"kernel":{"sysctl":{"vm.b":null,"vm.c":"3"}}}`},
			{in: request{line: "PATCH /settings?tx=c", kind: "json", body: `{"kernel":{"sysctl":{"vm.b":"4"}}}`}, status: 204},
			{in: get("/tx?tx=c"), status: 200, want: `{"kernel":{"sysctl":{"vm.b":"4","vm.c":"3"}}}`},
		}},
		{name: "table and a part of it", in: unset("keys=kernel,kernel.sysctl&tx=d"), status: 204, then: []row{
			{in: get("/tx?tx=d"), status: 200, want: `{"kernel":null}`},
			{in: request{line: "PATCH /settings?tx=d", kind: "json", body: `{"kernel":{"lockdown":"none"}}`}, status: 204},
			{in: get("/tx?tx=d"), status: 200, want: `{"kernel":{"lockdown":"none","sysctl":null}}`},
		}},
		{name: "layer", in: unset("keys=motd&tx=e&layer=generated"), status: 400, want: "invalid-parameter: parameter layer: has no place in a change of the user layer"},
		{name: "strength", in: unset("keys=motd&tx=e&strength=strong"), status: 400, want: "invalid-parameter: parameter strength: has no place in a change of the user layer"},
		{name: "generator", in: unset("keys=motd&tx=e&generator=x"), status: 400, want: "invalid-parameter: parameter generator: has no place in a change of the user layer"},
		{name: "nothing of the refused", in: get("/tx?tx=e"), status: 200, want: `{}`},
		{name: "unknown key", in: unset("keys=motdd"), status: 404, want: "settings.motdd: unknown-setting: there is no such setting"},
		{name: "below a single value", in: unset("keys=motd.x"), status: 404, want: "settings.motd.x: unknown-setting: there is no such setting"},
		{name: "no keys", in: unset(""), status: 400, want: "invalid-parameter: parameter keys: is missing"},
		{name: "empty keys", in: unset("keys="), status: 400, want: "invalid-parameter: parameter keys: is empty"},
		{name: "everything", in: unset("keys=settings"), status: 400, want: `invalid-parameter: parameter keys: "settings" stands for all settings`},
		{name: "empty transaction name", in: unset("keys=motd&tx="), status: 400, want: `invalid-transaction: transaction name "" is not acceptable`},
		{name: "stale", in: request{line: "DELETE /settings?keys=motd", header: map[string]string{"If-Match": `"1"`}}, status: 412, want: `stale: change transaction default: the settings have changed in the meantime: they are at "3-0", the request is for "1"`},
	})
}

func TestTransactions(t *testing.T) {
	n := start(t)
	n.must("PATCH /settings?tx=b", "json", `{"motd":"x","updates":{"seed":1}}`)
	n.must("PATCH /settings?tx=a", "json", `{"motd":"y"}`)
	commit := func(query string) request { return request{line: "POST /tx/commit" + query} }
	n.table(t, []row{
		{name: "list", in: get("/tx/list"), status: 200, want: `["a","b"]`},
		{name: "pending of none", in: get("/tx?tx=none"), status: 200, want: `{}`},
		{name: "empty name", in: get("/tx?tx="), status: 400, want: `invalid-transaction: transaction name "" is not acceptable`},
		{name: "drop with an empty name", in: request{line: "DELETE /tx?tx="}, status: 400, want: `invalid-transaction: transaction name "" is not acceptable`, then: []row{{in: get("/tx/list"), status: 200, want: `["a","b"]`}}},
		{name: "drop", in: request{line: "DELETE /tx?tx=b"}, status: 200, want: `["settings.motd","settings.updates.seed"]`, then: []row{{in: get("/tx?tx=b"), status: 200, want: `{}`}}},
		{name: "drop again", in: request{line: "DELETE /tx?tx=b"}, status: 200, want: `[]`},
		{name: "commit", in: commit("?tx=a&message=why%20not"), status: 200, want: `["settings.motd"]`, header: map[string]string{"ETag": `"1-0"`, "Bulkhead-Generation": "1", "Bulkhead-Applied": ""}},
		{name: "nothing pending any more", in: commit("?tx=a"), status: 422, want: "nothing-pending: nothing is pending in transaction a"},
		{name: "nothing pending in default", in: commit(""), status: 422, want: "nothing-pending: nothing is pending in transaction default"},
		{name: "list without any", in: get("/tx/list"), status: 200, want: `[]`},
		{name: "same value counts as a change", in: request{line: "PATCH /settings", kind: "json", body: `{"motd":"y"}`}, status: 204, then: []row{{in: commit(""), status: 200, want: `["settings.motd"]`}}},
		{name: "commit and apply", in: request{line: "PATCH /settings", kind: "json", body: `{"motd":"z"}`}, status: 204, then: []row{
			{in: request{line: "POST /tx/commit_and_apply"}, status: 200, want: `["settings.motd"]`, header: map[string]string{"Bulkhead-Applied": "no", "Bulkhead-Generation": "3"}},
			{in: request{line: "POST /tx/commit_and_apply"}, status: 422, want: "nothing-pending: nothing is pending in transaction default"},
		}},
		{name: "apply", in: request{line: "POST /tx/apply"}, status: 503, want: "no-apply: settings are stored and served, and nothing here applies them"},
		{name: "apply of no keys", in: request{line: "POST /tx/apply?keys="}, status: 400, want: "invalid-parameter: parameter keys: is empty"},
		{name: "stale commit", in: request{line: "PATCH /settings?tx=c", kind: "json", body: `{"motd":"z"}`}, status: 204, then: []row{
			{in: request{line: "POST /tx/commit?tx=c", header: map[string]string{"If-Match": `"1-0"`}}, status: 412, want: `stale: commit transaction c: the settings have changed in the meantime: they are at "3-0", the request is for "1-0"`},
			{in: request{line: "POST /tx/commit?tx=c", header: map[string]string{"If-Match": `"3-0"`}}, status: 200, want: `["settings.motd"]`},
		}},
		{name: "checks across fields at commit", in: request{line: "PATCH /settings?tx=d", kind: "json", body: `{"kubernetes":{"image-gc-high-threshold-percent":50,"image-gc-low-threshold-percent":60}}`}, status: 204},
		{name: "odd time to try", in: commit("?tx=d&try=soon"), status: 400, want: `invalid-parameter: parameter try: "soon" is not acceptable`},
		{name: "too short to try", in: commit("?tx=d&try=1ms"), status: 400, want: `invalid-parameter: parameter try: "1ms" is not acceptable`},
		{name: "message with a control character", in: commit("?tx=d&message=%1b"), status: 400, want: "invalid-parameter: parameter message: holds a control character, or is not UTF-8"},
		{name: "wrong method", in: request{line: "PUT /tx"}, status: 405, want: "wrong-method: /tx does not take PUT", header: map[string]string{"Allow": "GET, HEAD, DELETE"}},
	})
	a := n.do(commit("?tx=d"))
	if a.status != http.StatusBadRequest || !strings.Contains(a.body, `"conflict"`) {
		t.Errorf("commit of thresholds that contradict: %d %s, want 400 and a conflict", a.status, a.body)
	}
	n.check(t, row{in: get("/settings?keys=kubernetes"), status: 200, want: `{}`})
	n.check(t, row{in: get("/tx?tx=d"), status: 200, want: `{"kubernetes":{"image-gc-high-threshold-percent":50,"image-gc-low-threshold-percent":60}}`})
}

func TestNode(t *testing.T) {
	n := start(t)
	n.table(t, []row{
		{name: "os", in: get("/os"), status: 200, want: factsJSON},
		{name: "os by prefix", in: get("/os?prefix=v"), status: 200, want: `{"variant_id":"test-dev","version_id":"1.2.3"}`},
		{name: "os by prefix with section", in: get("/os?prefix=os.pretty"), status: 200, want: `{"pretty_name":"Bulkhead 1.2.3 (test-dev)"}`},
		{name: "os by empty prefix", in: get("/os?prefix="), status: 400, want: "invalid-parameter: parameter prefix: is empty"},
		{name: "unknown route", in: get("/nothing"), status: 404, want: `no-route: there is nothing at "/nothing"`},
		{name: "root with a method it does not take", in: request{line: "POST /"}, status: 405, want: "wrong-method: / does not take POST", header: map[string]string{"Allow": "GET, HEAD"}},
		{name: "web page", in: request{line: "GET /settings", header: map[string]string{"Origin": "http://localhost"}}, status: 403, want: "foreign-origin: the request carries Origin or Referer, as requests of web pages do"},
		{name: "link on a web page", in: request{line: "POST /tx/commit", header: map[string]string{"Referer": "x"}}, status: 403, want: "foreign-origin: the request carries Origin or Referer, as requests of web pages do"},
		{name: "any host", in: request{line: "GET /os?prefix=arch", header: map[string]string{"Host": "node-1"}}, status: 200, want: `{"arch":"x86_64"}`},
	})
	for path, kind := range map[string]string{"/schema": "application/schema+json", "/openapi.yaml": "application/yaml", "/metrics": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"} {
		if a := n.do(get(path)); a.status != 200 || a.header.Get("Content-Type") != kind || len(a.body) < 500 {
			t.Errorf("GET %s: %d, %q, %d bytes, want 200, %q and a document", path, a.status, a.header.Get("Content-Type"), len(a.body), kind)
		}
	}
	if a := n.do(get("/schema")); !json.Valid([]byte(a.body)) || !strings.Contains(a.body, `"Welcome!"`) {
		t.Error("GET /schema: not JSON, or without the defaults")
	}
}
