package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A fakeApplier writes down what it is asked, and answers what it is told to.
type fakeApplier struct {
	hold chan struct{} // when it is there, every apply waits for a value, or for its context

	warmed chan applier.OS // when it is there, it gets what Warm is given, until its context ends

	mu       sync.Mutex
	requests []string // "plan" or "apply", generation and settings
	reasons  []string
	result   func(applier.Request) (applier.Result, error)
	plan     applier.Plan
	planErr  error
}

func (f *fakeApplier) note(what string, r applier.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, fmt.Sprintf("%s %d %s", what, r.Generation, r.Settings))
	f.reasons = append(f.reasons, strings.Split(r.Reason, ",")[0])
}

func (f *fakeApplier) Warm(ctx context.Context, os applier.OS) error {
	select {
	case f.warmed <- os:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeApplier) Plan(_ context.Context, r applier.Request) (applier.Plan, error) {
	f.note("plan", r)
	return f.plan, f.planErr
}

func (f *fakeApplier) Apply(ctx context.Context, r applier.Request, tell func(applier.Item)) (applier.Result, error) {
	f.note("apply", r)
	file := applier.File{Path: "/etc/motd", Action: plan.Update}
	tell(applier.Item{File: &file})
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return applier.Result{}, ctx.Err()
		}
	}
	if f.result != nil {
		return f.result(r)
	}
	return applier.Result{ID: "theirs", Generation: r.Generation, Status: applier.OK, Files: []applier.File{file}}, nil
}

func (f *fakeApplier) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.requests...)
}

func (f *fakeApplier) why() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.reasons...)
}

func withApplier(f *fakeApplier) func(*server.Options) {
	return func(o *server.Options) { o.Applier = f }
}

// An applied change, and an apply, as far as the tests look.
type (
	appliedChange struct {
		Changed []string
		Apply   *applyState
	}
	applyState struct {
		ID, Status, Reason, Error string
		Generation                uint64
		Files                     []applier.File
		Units                     []applier.Unit
		Finished                  *time.Time
	}
)

// withMotd is what the applier is to be given after motd was set.
func withMotd(motd string) string {
	return strings.Replace(everything, `"Welcome!"`, `"`+motd+`"`, 1)
}

func TestCommitAndApply(t *testing.T) {
	f := &fakeApplier{}
	n := start(t, withApplier(f))
	n.must("PATCH /settings", "json", `{"motd":"a"}`)
	a := n.must("POST /tx/commit_and_apply", "", "")
	if a.body != `["settings.motd"]` || a.header.Get("Bulkhead-Applied") != "started" {
		t.Errorf("POST /tx/commit_and_apply: %s, Bulkhead-Applied %q, want the keys and started", a.body, a.header.Get("Bulkhead-Applied"))
	}
	id := a.header.Get("Bulkhead-Apply")
	var got applyState
	within(t, "end of the apply", func() bool {
		got = decode[applyState](t, n.do(get("/applies/"+id)))
		return got.Finished != nil
	})
	got.Finished = nil
	want := applyState{ID: id, Status: "ok", Reason: "commit", Generation: 1, Files: []applier.File{{Path: "/etc/motd", Action: plan.Update}}, Units: []applier.Unit{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET /applies/%s (-want +got):\n%s", id, diff)
	}

	n.must("PATCH /settings", "json", `{"motd":"b"}`)
	a = n.must("POST /tx/commit_and_apply?wait=10s", "", "")
	change := decode[appliedChange](t, a)
	if len(change.Changed) != 1 || change.Apply.Status != "ok" || change.Apply.Generation != 2 || a.header.Get("Bulkhead-Applied") != "ok" {
		t.Errorf("POST /tx/commit_and_apply?wait=10s: %s, Bulkhead-Applied %q, want generation 2 applied", a.body, a.header.Get("Bulkhead-Applied"))
	}
	if diff := cmp.Diff([]string{"apply 1 " + withMotd("a"), "apply 2 " + withMotd("b")}, f.seen()); diff != "" {
		t.Errorf("requests to the applier (-want +got):\n%s", diff)
	}
	if list := decode[[]applyState](t, n.do(get("/applies"))); len(list) != 2 || list[0].Generation != 2 || list[1].ID != id {
		t.Errorf("GET /applies: %+v, want generation 2, then 1", list)
	}
	if list := decode[[]applyState](t, n.do(get("/applies?limit=1"))); len(list) != 1 || list[0].Generation != 2 {
		t.Errorf("GET /applies?limit=1: %+v, want generation 2", list)
	}
}

func TestApplyRoutes(t *testing.T) {
	tests := []struct {
		name   string
		line   string
		status int
		want   string // how the body begins
		calls  []string
	}{
		{"apply", "POST /tx/apply?keys=motd&wait=5s", 200, `{"id":`, []string{"apply"}},
		{"apply all", "POST /tx/apply?wait=5s", 200, `{"id":`, []string{"apply"}},
		{"bad key", "POST /tx/apply?keys=a..b", 400, "", nil},
		{"bad wait", "POST /tx/apply?wait=soon", 400, "", nil},
		{"no wait", "POST /tx/apply?wait=0s", 400, "", nil},
		{"long wait", "POST /tx/commit_and_apply?wait=11m", 400, "", nil},
		{"commit alone", "POST /tx/commit", 200, `["settings.motd"]`, nil},
		{"revert", "POST /generations/0/revert?wait=5s", 200, `{"changed":[`, []string{"revert"}},
		{"revert of settings alone", "POST /generations/0/revert?apply=0", 200, `[`, nil},
		{"revert of settings alone, waiting", "POST /generations/0/revert?apply=0&wait=5s", 200, `{"changed":["settings.motd"]}`, nil},
		{"bad choice", "POST /generations/0/revert?apply=perhaps", 400, "", nil},
		{"unknown apply", "GET /applies/none", 404, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeApplier{}
			n := start(t, withApplier(f))
			n.set(`{"motd":"before"}`)
			n.must("PATCH /settings", "json", `{"motd":"after"}`)
			a := n.do(request{line: tt.line})
			if a.status != tt.status || !strings.HasPrefix(a.body, tt.want) {
				t.Errorf("%s: %d %s, want %d %s", tt.line, a.status, a.body, tt.status, tt.want)
			}
			var calls []string
			for _, why := range f.why() {
				calls = append(calls, strings.Fields(why)[0])
			}
			if diff := cmp.Diff(tt.calls, calls); diff != "" {
				t.Errorf("%s: applies (-want +got):\n%s", tt.line, diff)
			}
		})
	}
}

// While one apply is under way all others wait together, and get the settings
// as they are then.
func TestAppliesJoin(t *testing.T) {
	f := &fakeApplier{hold: make(chan struct{})}
	n := start(t, withApplier(f))
	n.set(`{"motd":"a"}`)
	first := n.must("POST /tx/apply", "", "").header.Get("Bulkhead-Apply")
	within(t, "begin of the first apply", func() bool { return len(f.seen()) == 1 })
	got := decode[applyState](t, n.do(get("/applies/"+first)))
	if got.Status != "running" || len(got.Files) != 1 {
		t.Errorf("GET /applies/%s: %+v, want it running with one file done", first, got)
	}
	var ids []string
	for range 20 {
		ids = append(ids, n.must("POST /tx/apply", "", "").header.Get("Bulkhead-Apply"))
	}
	n.set(`{"motd":"b"}`)
	a := n.must("POST /tx/apply?wait=1ms", "", "")
	if got := decode[applyState](t, a); got.Status != "waiting" || got.ID != ids[0] || a.header.Get("Bulkhead-Applied") != "started" {
		t.Errorf("apply that waits too shortly: %+v, want %s waiting", got, ids[0])
	}
	for _, id := range ids {
		if id != ids[0] || id == first {
			t.Fatalf("applies %s behind %s, want one", ids, first)
		}
	}
	close(f.hold)
	within(t, "end of the second apply", func() bool {
		return decode[applyState](t, n.do(get("/applies/"+ids[0]))).Status == "ok"
	})
	if diff := cmp.Diff([]string{"apply 1 " + withMotd("a"), "apply 2 " + withMotd("b")}, f.seen()); diff != "" {
		t.Errorf("requests to the applier (-want +got):\n%s", diff)
	}
}

// An apply that fails does not undo the commit; /health says what is wrong
// until one has gone well.
func TestFailedApply(t *testing.T) {
	tests := []struct {
		name   string
		result applier.Result
		err    error
		want   string // of /health
	}{
		{
			name: "unit", want: "generation 1 was not applied in full: /etc/motd: no space left; chrony.service: start timed out",
			result: applier.Result{
				Status: applier.Failed, Files: []applier.File{{Path: "/etc/motd", Action: plan.Update, Error: "no space left"}},
				Units: []applier.Unit{{Name: "chrony.service", Action: plan.Restart, Error: "start timed out"}},
			},
		},
		{
			name: "template", want: "generation 1 was not applied in full: template p/x.tmpl:3: needs a setting",
			result: applier.Result{Status: applier.Failed, Faults: []plan.Fault{{Package: "p", Template: "x.tmpl", Line: 3, Detail: "needs a setting"}}},
		},
		{name: "service", err: errors.New("ask for an apply: gone"), want: "generation 1 was not applied in full: ask for an apply: gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var bad sync.Once
			f := &fakeApplier{}
			f.result = func(r applier.Request) (applier.Result, error) {
				res, err := applier.Result{Status: applier.Nothing}, error(nil)
				bad.Do(func() { res, err = tt.result, tt.err })
				res.Generation = r.Generation
				return res, err
			}
			n := start(t, withApplier(f))
			n.must("PATCH /settings", "json", `{"motd":"a"}`)
			a := n.must("POST /tx/commit_and_apply?wait=10s", "", "")
			if got := decode[appliedChange](t, a); got.Apply.Status != "failed" || a.header.Get("Bulkhead-Applied") != "failed" {
				t.Errorf("POST /tx/commit_and_apply?wait=10s: %s, Bulkhead-Applied %q, want failed", a.body, a.header.Get("Bulkhead-Applied"))
			}
			got := decode[health](t, n.do(get("/health")))
			if got.Status != "degraded" || len(got.Faults) != 1 || got.Faults[0].Code != "apply-failed" || got.Faults[0].Detail != tt.want {
				t.Errorf("GET /health: %+v, want the fault %q", got, tt.want)
			}
			n.must("POST /tx/apply?wait=10s", "", "")
			if got := decode[health](t, n.do(get("/health"))); got.Status != "ok" {
				t.Errorf("GET /health after a good apply: %+v, want ok", got)
			}
			if got := n.do(get("/metrics")).body; !strings.Contains(got, `bulkhead_apply_seconds_count{status="failed"} 1`) {
				t.Errorf("GET /metrics counts no failed apply:\n%s", got)
			}
		})
	}
}

func TestApplyEvents(t *testing.T) {
	n := start(t, withApplier(&fakeApplier{}))
	stream, err := n.events.Subscribe("", "apply-started", "apply-finished")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	n.set(`{"motd":"a"}`)
	id := n.must("POST /tx/apply?wait=10s", "", "").header.Get("Bulkhead-Apply")
	var got []string
	within(t, "two events", func() bool {
		events, err := stream.Take()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			v := decode[struct{ Kind, Apply, Status, Message string }](t, answer{body: string(e.Data)})
			got = append(got, fmt.Sprint(e.Kind == v.Kind && v.Apply == id, " ", e.Kind, " ", v.Status, " ", v.Message))
		}
		return len(got) >= 2
	})
	if diff := cmp.Diff([]string{"true apply-started running ", "true apply-finished ok files: 1, programs: 0, units: 0"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The apply service gets ready while its caller goes on. One that does not
// answer keeps nobody waiting.
func TestExpectedApply(t *testing.T) {
	tests := []struct {
		name, route, contentType, body string
	}{
		{"document", "PATCH /settings", "json", `{"motd":"a"}`},
		{"pairs", "PATCH /settings/keypair", "json", `{"request_payload":["motd=a"]}`},
		{"unset", "DELETE /settings?keys=settings.motd", "", ""},
		{"revert", "POST /generations/1/revert?apply=1", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeApplier{warmed: make(chan applier.OS)}
			n := start(t, withApplier(f))
			n.do(request{line: tt.route, kind: tt.contentType, body: tt.body})
			want := applier.OS{Variant: "test-dev", Arch: "x86_64", Version: "1.2.3", Pretty: "Bulkhead 1.2.3 (test-dev)", Build: "abcdef"}
			select {
			case got := <-f.warmed:
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Warm (-want +got):\n%s", diff)
				}
			case <-time.After(60 * time.Second):
				t.Errorf("%s: the applier is not told to get ready", tt.route)
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		f := &fakeApplier{} // its Warm hangs
		n := start(t, withApplier(f))
		n.must("PATCH /settings", "json", `{"motd":"a"}`)
		n.must("POST /tx/commit_and_apply?wait=10s", "", "")
		if diff := cmp.Diff([]string{"apply 1 " + withMotd("a")}, f.seen()); diff != "" {
			t.Errorf("requests to the applier (-want +got):\n%s", diff)
		}
	})
}

func TestPlanOfHost(t *testing.T) {
	motd := plan.FileChange{Path: "/etc/motd", Action: plan.Update, Mode: 0o644, Diff: "-a\n+b\n"}
	tests := []struct {
		name, body string
		plan       applier.Plan
		err        error
		want       string
		asked      bool
	}{
		{
			name: "files and units", body: `{"motd":"b"}`, asked: true,
			plan: applier.Plan{Files: []plan.FileChange{motd}, Units: []plan.UnitAction{{Name: "a.service", Action: plan.Restart, Because: []string{"/etc/motd"}}}},
			want: `{"generation":0,"changes":[{"key":"settings.motd","old":"Welcome!","new":"b"}],"faults":[],` +
				`"files":[{"path":"/etc/motd","action":"update","mode":"0644","diff":"-a\n+b\n"}],"daemon_reload":false,"actions":[],` +
				`"units":[{"name":"a.service","action":"restart","because":["/etc/motd"]}]}`,
		},
		{
			name: "fault", body: `{"motd":"Welcome!"}`, asked: true,
			plan: applier.Plan{Faults: []plan.Fault{{Package: "p", Template: "x.tmpl", Line: 2, Column: 3, Path: "/etc/x", Setting: "settings.motd", Detail: "it is not set"}}},
			want: `{"generation":0,"changes":[],"faults":[{"severity":"error","path":"settings.motd","code":"not-rendered","detail":"/etc/x cannot be made: it is not set",` +
				`"source":"p/x.tmpl","line":2,"column":3}],"files":[],"daemon_reload":false,"actions":[],"units":[]}`,
		},
		{
			name: "no answer", body: `{"motd":"Welcome!"}`, asked: true, err: errors.New("gone"),
			want: `{"generation":0,"changes":[],"faults":[{"severity":"warning","code":"no-plan","detail":"which files and units would change is not known: gone"}]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeApplier{plan: tt.plan, planErr: tt.err}
			n := start(t, withApplier(f))
			if got := n.must("POST /plan", "json", tt.body).body; got != tt.want {
				t.Errorf("POST /plan %s:\ngot  %s\nwant %s", tt.body, got, tt.want)
			}
			if got := f.seen(); (len(got) == 1) != tt.asked {
				t.Errorf("requests to the applier: %q", got)
			}
		})
	}
}

// A try that reverts by itself takes files and units back, too.
func TestRevertedTryIsApplied(t *testing.T) {
	f := &fakeApplier{}
	n := start(t, withApplier(f))
	n.set(`{"motd":"a"}`)
	n.must("PATCH /settings", "json", `{"motd":"b"}`)
	n.must("POST /tx/commit_and_apply?try=1s&wait=10s", "", "")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.store.Run(ctx) }()
	within(t, "apply of the reverted try", func() bool { return len(f.seen()) == 2 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"apply 2 " + withMotd("b"), "apply 3 " + withMotd("a")}, f.seen()); diff != "" {
		t.Errorf("requests to the applier (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("try-reverted by apiserver", f.why()[1]); diff != "" {
		t.Errorf("reason (-want +got):\n%s", diff)
	}
}

// The daemon does not wait for an apply when it ends: a unit that the apply
// restarts may be its own.
func TestStopDuringApply(t *testing.T) {
	f := &fakeApplier{hold: make(chan struct{})}
	n := start(t, withApplier(f))
	n.set(`{"motd":"a"}`)
	got := make(chan answer, 1)
	go func() { a, _ := n.try(request{line: "POST /tx/apply?wait=1m"}); got <- a }()
	within(t, "begin of the apply", func() bool { return len(f.seen()) == 1 })
	begin := time.Now()
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("the end took %v", took)
	}
	if a := <-got; a.status != 200 || decode[applyState](t, a).Status != "running" {
		t.Errorf("answer to the one who waits: %d %s, want an apply that runs", a.status, a.body)
	}
}

// A try may have run out while no daemon was there.
func TestTryRevertedBeforeTheStartIsApplied(t *testing.T) {
	f := &fakeApplier{}
	start(t, withApplier(f), func(o *server.Options) {
		set := document.Of(document.Leaf{Key: key.Of("motd"), Value: document.StringValue("tried")})
		if err := o.Store.Patch(t.Context(), store.PatchRequest{Tx: "t", Patch: document.Patch{Set: set}}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Store.Commit(t.Context(), store.CommitRequest{Tx: "t", Try: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.Store.Run(ctx) }()
		within(t, "end of the try", func() bool { return o.Store.Snapshot().Current.ID == 2 })
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	within(t, "apply", func() bool { return len(f.seen()) == 1 })
	if diff := cmp.Diff([]string{"apply 2 " + everything}, f.seen()); diff != "" {
		t.Errorf("requests to the applier (-want +got):\n%s", diff)
	}
}
