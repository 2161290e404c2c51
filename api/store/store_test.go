package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A node is what a store sees of its machine: clocks, boots, receivers.
type node struct {
	t       testing.TB
	opt     Options
	boot    string
	elapsed atomic.Int64
	wall    atomic.Int64 // seconds added to the wall clock

	quiet func() // waits for what is under way; in bubbles

	mu     sync.Mutex
	events []string
}

func (n *node) ID() (string, error)    { return n.boot, nil }
func (n *node) Elapsed() time.Duration { return time.Duration(n.elapsed.Load()) }
func (n *node) pass(d time.Duration)   { n.elapsed.Add(int64(d)) }
func (n *node) path(name ...string) string {
	return filepath.Join(append([]string{n.opt.Dir}, name...)...)
}

var epoch = time.Date(2026, 8, 22, 12, 0, 0, 0, time.UTC)

// newNode returns a machine with an empty state directory. Settings with the
// value "bad" are refused, at every stage but the first; those with the value
// "late" at commit.
func newNode(t testing.TB) *node {
	n := &node{t: t, boot: "boot-1"}
	n.opt = Options{
		Dir: filepath.Join(t.TempDir(), "state"), Boot: n, Version: "1.0.0", Evaluate: evaluate,
		Now: func() time.Time { return epoch.Add(n.Elapsed() + time.Duration(n.wall.Load())*time.Second) },
		Notify: func(e Event) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.events = append(n.events, fmt.Sprintf("%s %d %s", e.Kind, e.Generation, keyList(e.Keys)))
		},
	}
	return n
}

func evaluate(user, generated document.Document, stage Stage) (document.Document, report.Report) {
	var rep report.Report
	effective := document.Merge(user, generated).Filter(func(k key.Key, v document.Value) bool {
		switch {
		case v.JSON() == `"bad"`, v.JSON() == `"late"` && stage == Commit:
			rep.Add(report.Fault{Code: report.InvalidValue, Path: k.String(), Value: v.JSON(), Detail: "is " + v.JSON()})
			return false
		case v.JSON() == `"odd"`:
			rep.Add(report.Fault{Severity: report.Warning, Code: report.Conflict, Path: k.String(), Detail: "is odd"})
		}
		return true
	})
	return effective, rep
}

// open starts a store that ends with the test.
func (n *node) open() *Store {
	n.t.Helper()
	s, err := Open(n.opt)
	if err != nil {
		n.t.Fatalf("Open: %v", err)
	}
	n.t.Cleanup(func() { s.Close() })
	return s
}

// reboot closes s and opens the store on the next boot of the machine.
func (n *node) reboot(s *Store) *Store {
	n.t.Helper()
	n.stop(s)
	n.newBoot()
	return n.open()
}

func (n *node) newBoot() {
	n.boot += "+"
	n.elapsed.Store(int64(time.Second))
}

func (n *node) stop(s *Store) {
	n.t.Helper()
	if err := s.Close(); err != nil {
		n.t.Fatalf("Close: %v", err)
	}
}

// kill ends s as SIGKILL would: nothing is written any more.
func (n *node) kill(s *Store) {
	n.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.release(); err != nil {
		n.t.Fatalf("release: %v", err)
	}
}

// told returns the events since it was asked last.
func (n *node) told() []string {
	if n.quiet != nil {
		n.quiet()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.events = nil }()
	return n.events
}

var tester = Actor{Name: "uid 1000", UID: 1000, PID: 7, Role: "admin", Via: "socket"}

func parse(t testing.TB, text string) document.Document {
	t.Helper()
	if text == "" {
		return document.Document{}
	}
	d, err := document.ParseTOML([]byte("[settings]\n" + text))
	if err != nil {
		t.Fatalf("ParseTOML(%q): %v", text, err)
	}
	return d
}

// set returns the patch that sets what text says, after unsetting keys.
func set(t testing.TB, text string, unset ...string) document.Patch {
	t.Helper()
	p := document.Patch{}
	for _, u := range unset {
		p = p.Then(document.Patch{Unset: []key.Key{mustKey(t, u)}})
	}
	return p.Then(document.Patch{Set: parse(t, text)})
}

func mustKey(t testing.TB, text string) key.Key {
	t.Helper()
	k, err := key.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func patch(t testing.TB, s *Store, tx, text string, unset ...string) {
	t.Helper()
	err := s.Patch(t.Context(), PatchRequest{Tx: tx, Patch: set(t, text, unset...), Actor: tester})
	if err != nil {
		t.Fatalf("Patch(%s, %q, unset %v): %v", tx, text, unset, err)
	}
}

func commit(t testing.TB, s *Store, tx string) Committed {
	t.Helper()
	c, err := s.Commit(t.Context(), CommitRequest{Tx: tx, Actor: tester, Message: "because"})
	if err != nil {
		t.Fatalf("Commit(%s): %v", tx, err)
	}
	return c
}

// change commits what text sets.
func change(t testing.TB, s *Store, text string, unset ...string) Committed {
	t.Helper()
	patch(t, s, "change", text, unset...)
	return commit(t, s, "change")
}

// try commits what text sets for d.
func try(t testing.TB, s *Store, text string, d time.Duration) Committed {
	t.Helper()
	patch(t, s, "try", text)
	c, err := s.Commit(t.Context(), CommitRequest{Tx: "try", Actor: tester, Try: d})
	if err != nil {
		t.Fatalf("Commit(try %v): %v", d, err)
	}
	return c
}

func keyList(keys []key.Key) string {
	var out []string
	for _, k := range keys {
		out = append(out, strings.TrimPrefix(k.String(), "settings."))
	}
	return strings.Join(out, ",")
}

func wantUser(t testing.TB, s *Store, text string) {
	t.Helper()
	if diff := cmp.Diff(string(parse(t, text).TOML()), string(s.Snapshot().User.TOML())); diff != "" {
		t.Errorf("user layer of generation %d (-want +got):\n%s", s.Snapshot().Current.ID, diff)
	}
}

func wantEvents(t testing.TB, n *node, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, n.told(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func wantErr(t testing.TB, call string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", call, got, want)
	}
}

// wantRefusal checks that err is a report about path.
func wantRefusal(t testing.TB, call string, err error, path string) {
	t.Helper()
	refusal, ok := errors.AsType[*report.Refusal](err)
	if !ok || len(refusal.Report.Faults) == 0 || refusal.Report.Faults[0].Path != path {
		t.Errorf("%s: error %v, want a refusal of %s", call, err, path)
	}
}

func wantFault(t testing.TB, s *Store, codes ...report.Code) {
	t.Helper()
	var got []report.Code
	for _, f := range s.Health() {
		got = append(got, f.Code)
	}
	if diff := cmp.Diff(codes, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Health (-want +got):\n%s\n%v", diff, s.Health())
	}
}

// history returns the generations, oldest first, as "id<parent origin".
func history(s *Store) []string {
	var out []string
	for _, g := range slices.Backward(s.Generations(0, 0)) {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d<%d %s", g.ID, g.Parent, g.Origin)))
	}
	return out
}

func wantHistory(t testing.TB, s *Store, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, history(s), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestEmptyStore(t *testing.T) {
	n := newNode(t)
	s := n.open()
	snap := s.Snapshot()
	if got, want := snap.ETag(), `"0-0"`; got != want {
		t.Errorf("ETag = %s, want %s", got, want)
	}
	if diff := cmp.Diff(Generation{}, snap.Current); diff != "" {
		t.Errorf("Current (-want +got):\n%s", diff)
	}
	wantHistory(t, s)
	wantFault(t, s)
	wantEvents(t, n)
	if g, d, err := s.Generation(0); err != nil || d.Len() != 0 || g.ID != 0 {
		t.Errorf("Generation(0) = %v, %s, %v, want the empty document", g, d.JSON(), err)
	}
	for _, name := range []string{"", "settings.db"} {
		info, err := os.Stat(n.path(name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("Stat(%q) = %v, %v, want it private", name, info.Mode(), err)
		}
	}
	n.stop(s)
	if _, err := os.Stat(n.path("settings.toml")); err == nil {
		t.Error("a store without settings has left a copy of them")
	}
}

func TestOneProcessAtATime(t *testing.T) {
	n := newNode(t)
	s := n.open()
	_, err := Open(n.opt)
	wantErr(t, "second Open", err, ErrInUse)
	change(t, s, "a = 1")
	n.stop(s)
	wantUser(t, n.open(), "a = 1")
}

func TestClosed(t *testing.T) {
	n := newNode(t)
	s := n.open()
	patch(t, s, "t", "a = 1")
	n.stop(s)
	n.stop(s)
	wantErr(t, "Patch after Close", s.Patch(t.Context(), PatchRequest{Tx: "t", Patch: set(t, "b = 1")}), ErrClosed)
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantErr(t, "Commit after Close", err, ErrClosed)
	if err := s.Run(t.Context()); err != nil {
		t.Errorf("Run after Close: %v", err)
	}
	s = n.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Commit(ctx, CommitRequest{Tx: "t"})
	wantErr(t, "Commit for a caller who has gone", err, context.Canceled)
	wantHistory(t, s)
}

func TestIfMatch(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	for _, tt := range []struct {
		name, condition string
		want            error
	}{
		{"none", "", nil},
		{"anything", "*", nil},
		{"whole tag", `"1-0"`, nil},
		{"generation alone", `"1"`, nil},
		{"one of several", `"7", "1-0"`, nil},
		{"older", `"0-0"`, ErrStale},
		{"other revision", `"1-1"`, ErrStale},
		{"weak", `W/"1-0"`, ErrStale},
		{"no quotes", `1`, ErrStale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := s.Patch(t.Context(), PatchRequest{Tx: "t", IfMatch: tt.condition, Patch: set(t, "b = 1")})
			wantErr(t, "Patch If-Match "+tt.condition, err, tt.want)
			if tt.want == nil {
				return
			}
			_, err = s.Commit(t.Context(), CommitRequest{Tx: "t", IfMatch: tt.condition})
			wantErr(t, "Commit If-Match "+tt.condition, err, tt.want)
			_, err = s.Revert(t.Context(), RevertRequest{To: 0, IfMatch: tt.condition})
			wantErr(t, "Revert If-Match "+tt.condition, err, tt.want)
		})
	}
	wantHistory(t, s, "1<0")
}
