package store

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

func TestCommit(t *testing.T) {
	n := newNode(t)
	s := n.open()
	patch(t, s, "one", "a.b = 1\na.c = 'x'\nodd = 'odd'")
	wantUser(t, s, "")
	got, err := s.Commit(t.Context(), CommitRequest{Tx: "one", Message: "first", Origin: "test", Actor: tester})
	if err != nil {
		t.Fatal(err)
	}
	want := Committed{
		Generation: Generation{ID: 1, Time: epoch, Actor: tester, Message: "first", Origin: "test", Changed: 3},
		Changed:    []key.Key{key.Of("a", "b"), key.Of("a", "c"), key.Of("odd")},
		Warnings:   report.Report{Faults: []report.Fault{{Severity: report.Warning, Code: report.Conflict, Path: "settings.odd", Detail: "is odd"}}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b key.Key) bool { return a == b })); diff != "" {
		t.Errorf("Commit (-want +got):\n%s", diff)
	}
	wantEvents(t, n, "commit 1 a.b,a.c,odd")
	wantUser(t, s, "a.b = 1\na.c = 'x'\nodd = 'odd'")
	if _, open := s.Pending("one"); open {
		t.Error("the transaction is open after its commit")
	}
	_, err = s.Commit(t.Context(), CommitRequest{Tx: "one"})
	wantErr(t, "second Commit", err, ErrNothingPending)

	change(t, s, "a.b = 2", "odd", "nothing")
	g, d, err := s.Generation(1)
	if err != nil || g.Message != "first" {
		t.Errorf("Generation(1) = %+v, %v", g, err)
	}
	if diff := cmp.Diff(string(parse(t, "a.b = 1\na.c = 'x'\nodd = 'odd'").TOML()), string(d.TOML())); diff != "" {
		t.Errorf("document of generation 1 (-want +got):\n%s", diff)
	}
	for _, id := range []uint64{3, 1 << 63} {
		_, _, err = s.Generation(id)
		wantErr(t, fmt.Sprintf("Generation(%d)", id), err, ErrNoGeneration)
	}
	s = n.reboot(s)
	wantUser(t, s, "a.b = 2\na.c = 'x'")
	wantHistory(t, s, "1<0 test", "2<1")
}

func TestChanged(t *testing.T) {
	tests := []struct {
		name, before, set string
		unset             []string
		changed, after    string
	}{
		{"same value again", "a = 1\nb = 2", "a = 1", nil, "a", "a = 1\nb = 2"},
		{"unset of a table", "a.x = 1\na.y = 2\nb = 3", "", []string{"a"}, "a.x,a.y", "b = 3"},
		{"unset and set", "a.x = 1\na.y = 2", "a.y = 3", []string{"a"}, "a.x,a.y", "a.y = 3"},
		{"unset of everything", "a = 1\nb.c = 2", "", []string{"settings"}, "a,b.c", ""},
		{"a table where a value was", "a = 1", "a.x = 2", nil, "a,a.x", "a.x = 2"},
		{"a value where a table was", "a.x = 1\na.y = 2\nab = 1", "a = 2", nil, "a,a.x,a.y", "a = 2\nab = 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t)
			s := n.open()
			change(t, s, tt.before)
			patch(t, s, "t", tt.set, tt.unset...)
			if got := keyList(commit(t, s, "t").Changed); got != tt.changed {
				t.Errorf("Changed = %s, want %s", got, tt.changed)
			}
			wantUser(t, s, tt.after)
			n.stop(s)
			wantUser(t, n.open(), tt.after)
		})
	}
}

// What unsets only what is not set commits nothing, and is done with.
func TestUnsetOfNothing(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	patch(t, s, "t", "", "b")
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantErr(t, "Commit(t)", err, ErrNothingPending)
	if _, open := s.Pending("t"); open {
		t.Error("the transaction is still open")
	}
	wantHistory(t, s, "1<0")
}

func TestRefusedCommit(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	n.told()
	patch(t, s, "t", "b = 'late'")
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantRefusal(t, "Commit of what only a commit refuses", err, "settings.b")
	patch(t, s, "t", "b = 'fine'")
	_, err = s.Commit(t.Context(), CommitRequest{Tx: "t", Message: strings.Repeat("m", maxMessage+1)})
	wantRefusal(t, "Commit with a long message", err, "message")
	wantHistory(t, s, "1<0")
	wantEvents(t, n)
	commit(t, s, "t")
	wantUser(t, s, "a = 1\nb = 'fine'")
	for _, name := range []string{"", "a b", "a/b", "..", "a.b", strings.Repeat("n", 65)} {
		_, err := s.Commit(t.Context(), CommitRequest{Tx: name})
		wantErr(t, fmt.Sprintf("Commit(%q)", name), err, ErrTransactionName)
	}
}

func TestRevert(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1\nb = 1")
	change(t, s, "a = 2\nc = 1", "b")
	n.told()
	got, err := s.Revert(t.Context(), RevertRequest{To: 1, Message: "back", Actor: tester})
	if err != nil {
		t.Fatal(err)
	}
	want := Generation{ID: 3, Parent: 2, Time: epoch, Actor: tester, Message: "back", Origin: OriginRevert, Changed: 3}
	if diff := cmp.Diff(want, got.Generation); diff != "" {
		t.Errorf("Revert (-want +got):\n%s", diff)
	}
	wantEvents(t, n, "revert 3 a,b,c")
	wantUser(t, s, "a = 1\nb = 1")
	if _, err := s.Revert(t.Context(), RevertRequest{To: 0}); err != nil {
		t.Errorf("Revert(0): %v", err)
	}
	wantUser(t, s, "")
	_, err = s.Revert(t.Context(), RevertRequest{To: 9})
	wantErr(t, "Revert(9)", err, ErrNoGeneration)
	wantHistory(t, s, "1<0", "2<1", "3<2 revert", "4<3 revert")
}

func TestRevertToWhatIsRefusedNow(t *testing.T) {
	n := newNode(t)
	strict := n.opt.Evaluate
	n.opt.Evaluate = nil
	s := n.open()
	change(t, s, "a = 'bad'")
	change(t, s, "a = 'good'")
	n.stop(s)
	n.opt.Evaluate = strict
	s = n.open()
	_, err := s.Revert(t.Context(), RevertRequest{To: 1})
	wantRefusal(t, "Revert(1)", err, "settings.a")
	wantUser(t, s, "a = 'good'")
}

// What was acceptable when it was stored is left out, not lost, and told.
func TestStoredFaults(t *testing.T) {
	n := newNode(t)
	strict := n.opt.Evaluate
	n.opt.Evaluate = nil
	s := n.open()
	change(t, s, "a = 'bad'\nb = 1")
	n.stop(s)
	n.opt.Evaluate = strict
	s = n.open()
	wantUser(t, s, "a = 'bad'\nb = 1")
	if got, want := string(s.Snapshot().Effective.JSON()), `{"b":1}`; got != want {
		t.Errorf("Effective = %s, want %s", got, want)
	}
	wantFault(t, s, report.InvalidValue)
	change(t, s, "", "a")
	wantFault(t, s)
}

func TestGenerations(t *testing.T) {
	n := newNode(t)
	s := n.open()
	for i := range 5 {
		change(t, s, fmt.Sprintf("a = %d", i))
	}
	tests := []struct {
		name   string
		limit  int
		before uint64
		want   []uint64
	}{
		{"all", 0, 0, []uint64{5, 4, 3, 2, 1}},
		{"newest two", 2, 0, []uint64{5, 4}},
		{"the next two", 2, 4, []uint64{3, 2}},
		{"before the first", 2, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []uint64
			for _, g := range s.Generations(tt.limit, tt.before) {
				got = append(got, g.ID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Generations(%d, %d) (-want +got):\n%s", tt.limit, tt.before, diff)
			}
		})
	}
}

func TestRetention(t *testing.T) {
	n := newNode(t)
	n.opt.Retain = 3
	s := n.open()
	for i := range 6 {
		change(t, s, fmt.Sprintf("a = %d\nkeep%d = 1", i, i))
	}
	wantHistory(t, s, "4<3", "5<4", "6<5")
	_, err := s.Revert(t.Context(), RevertRequest{To: 3})
	wantErr(t, "Revert to a generation that is gone", err, ErrNoGeneration)
	n.stop(s)
	n.opt.RetainBytes = 1
	s = n.open()
	wantHistory(t, s, "4<3", "5<4", "6<5")
	change(t, s, "b = 1")
	wantHistory(t, s, "7<6")
	// What a try comes back to stays, and so does the try itself.
	try(t, s, "b = 2", time.Minute)
	wantHistory(t, s, "7<6", "8<7")
	n.pass(time.Hour)
	patch(t, s, "x", "c = 1")
	wantUser(t, s, "a = 5\nb = 1\nkeep0 = 1\nkeep1 = 1\nkeep2 = 1\nkeep3 = 1\nkeep4 = 1\nkeep5 = 1")
	wantHistory(t, s, "9<8 try-expired")
}

func TestProvenance(t *testing.T) {
	n := newNode(t)
	n.opt.Retain = 2
	s := n.open()
	other := Actor{Name: "root", Via: "socket"}
	commitAs := func(a Actor, text string, unset ...string) {
		t.Helper()
		n.pass(time.Minute)
		patch(t, s, "t", text, unset...)
		if _, err := s.Commit(t.Context(), CommitRequest{Tx: "t", Actor: a}); err != nil {
			t.Fatal(err)
		}
	}
	commitAs(tester, "a = 1\nb = 1\nc = 1")
	commitAs(other, "b = 2\nc = 1")
	commitAs(tester, "d = 1")
	commitAs(tester, "d = 2")
	if err := s.SetGenerated(t.Context(), GeneratedRequest{Patch: set(t, "a = 5\ng = 5"), Actor: other, Generator: "seed"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]Provenance{
		"a": {Layer: LayerUser, Generation: 1, Time: epoch.Add(time.Minute), Actor: tester}, // its generation is gone
		"b": {Layer: LayerUser, Generation: 2, Time: epoch.Add(2 * time.Minute), Actor: other},
		"c": {Layer: LayerUser, Generation: 2, Time: epoch.Add(2 * time.Minute), Actor: other}, // said again
		"d": {Layer: LayerUser, Generation: 4, Time: epoch.Add(4 * time.Minute), Actor: tester},
		"g": {Layer: LayerGenerated, Time: epoch.Add(4 * time.Minute), Actor: other, Generator: "seed", Strength: Strong},
	}
	check := func() {
		t.Helper()
		for name, p := range want {
			got, ok := s.Provenance(mustKey(t, name))
			if diff := cmp.Diff(p, got); !ok || diff != "" {
				t.Errorf("Provenance(%s) (-want +got):\n%s", name, diff)
			}
		}
		if _, ok := s.Provenance(mustKey(t, "z")); ok {
			t.Error("Provenance(z) knows a setting that is not set")
		}
	}
	check()
	n.stop(s)
	s = n.open()
	check()
	// Once nothing refers to a generation any more, nothing is kept of it.
	commitAs(tester, "a = 9\nb = 9\nc = 9")
	if len(s.authors) != 0 {
		t.Errorf("authors = %v, want none", s.authors)
	}
}

// Two hundred writers at once each get their generation; nothing is lost.
func TestConcurrentWriters(t *testing.T) {
	n := newNode(t)
	n.opt.Retain = 1000
	s := n.open()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			tx := fmt.Sprintf("t%d", i)
			err := s.Patch(t.Context(), PatchRequest{Tx: tx, Patch: document.Patch{Set: document.Of(document.Leaf{Key: key.Of("k", tx), Value: document.NewValue("1")})}})
			if err != nil {
				t.Errorf("Patch(%s): %v", tx, err)
			}
			if _, err := s.Commit(t.Context(), CommitRequest{Tx: tx}); err != nil {
				t.Errorf("Commit(%s): %v", tx, err)
			}
			if snap := s.Snapshot(); snap.Effective.Len() == 0 || uint64(snap.User.Len()) != snap.Current.ID {
				t.Errorf("generation %d has %d settings", snap.Current.ID, snap.User.Len())
			}
		})
	}
	wg.Wait()
	n.stop(s)
	s = n.open()
	if got := s.Snapshot(); got.User.Len() != 200 || got.Current.ID != 200 || len(s.Generations(0, 0)) != 200 {
		t.Errorf("after 200 commits: generation %d with %d settings, %d in the history", got.Current.ID, got.User.Len(), len(s.Generations(0, 0)))
	}
	if got := len(n.told()); got != 200 {
		t.Errorf("%d events, want 200", got)
	}
}

// A receiver of events may use the store; what it causes comes afterwards.
func TestNotifyMayCall(t *testing.T) {
	n := newNode(t)
	var s *Store
	inner := n.opt.Notify
	n.opt.Notify = func(e Event) {
		inner(e)
		if e.Generation == 1 {
			change(t, s, "b = 1")
		}
	}
	s = n.open()
	change(t, s, "a = 1")
	wantEvents(t, n, "commit 1 a", "commit 2 b")
}
