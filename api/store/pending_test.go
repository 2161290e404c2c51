package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

func TestPatch(t *testing.T) {
	n := newNode(t)
	s := n.open()
	if err := s.Patch(t.Context(), PatchRequest{Tx: "t"}); err != nil {
		t.Errorf("empty Patch: %v", err)
	}
	if got := s.Transactions(); len(got) != 0 {
		t.Errorf("Transactions after an empty patch = %v, want none", got)
	}
	patch(t, s, "t", "a = 1\nb.x = 1\nb.y = 1")
	n.pass(time.Hour)
	patch(t, s, "t", "a = 2", "b")
	patch(t, s, "s", "c = 1")
	got, open := s.Pending("t")
	if want := `{"a":2,"b":null}`; !open || string(got.JSON()) != want {
		t.Errorf("Pending(t) = %s, %v, want %s", got.JSON(), open, want)
	}
	want := []Transaction{
		{Name: "s", Created: epoch.Add(time.Hour), Expires: epoch.Add(25 * time.Hour), Actor: tester, Keys: 1},
		{Name: "t", Created: epoch, Expires: epoch.Add(25 * time.Hour), Actor: tester, Keys: 2},
	}
	if diff := cmp.Diff(want, s.Transactions()); diff != "" {
		t.Errorf("Transactions (-want +got):\n%s", diff)
	}
	keys, err := s.Drop("t")
	if err != nil || keyList(keys) != "a,b" {
		t.Errorf("Drop(t) = %s, %v, want a,b", keyList(keys), err)
	}
	if keys, err := s.Drop("t"); keys != nil || err != nil {
		t.Errorf("Drop of nothing = %v, %v, want nothing", keys, err)
	}
	_, err = s.Drop("../t")
	wantErr(t, "Drop(../t)", err, ErrTransactionName)
	wantErr(t, "Patch to a bad name", s.Patch(t.Context(), PatchRequest{Tx: "x/y", Patch: set(t, "a = 1")}), ErrTransactionName)
	if diff := cmp.Diff([]string{"s"}, pendingFiles(t, n)); diff != "" {
		t.Errorf("files of transactions (-want +got):\n%s", diff)
	}
}

func pendingFiles(t *testing.T, n *node) []string {
	t.Helper()
	entries, err := os.ReadDir(n.path("pending"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestRefusedPatch(t *testing.T) {
	n := newNode(t)
	s := n.open()
	patch(t, s, "t", "a = 1")
	k := key.Of("b")
	tests := []struct {
		name  string
		patch document.Patch
		path  string
	}{
		{"not acceptable", set(t, "b = 'bad'"), "settings.b"},
		{"table below a value of the transaction", set(t, "a.x = 1"), "settings.a.x"},
		{"no JSON", document.Patch{Set: document.Of(document.Leaf{Key: k, Value: document.NewValue(`2 3`)})}, "settings.b"},
		{"null", document.Patch{Set: document.Of(document.Leaf{Key: k, Value: document.NewValue(`null`)})}, "settings.b"},
		{"table as a value", document.Patch{Set: document.Of(document.Leaf{Key: k, Value: document.NewValue(`{"x":1}`)})}, "settings.b"},
		{"other text than it comes back with", document.Patch{Set: document.Of(document.Leaf{Key: k, Value: document.NewValue(`[1, 2]`)})}, "settings.b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := s.Patch(t.Context(), PatchRequest{Tx: "t", Patch: tt.patch})
			wantRefusal(t, "Patch", err, tt.path)
			if p, _ := s.Pending("t"); string(p.JSON()) != `{"a":1}` {
				t.Errorf("Pending after a refused patch = %s", p.JSON())
			}
		})
	}
	n.stop(s)
	if p, _ := n.open().Pending("t"); string(p.JSON()) != `{"a":1}` {
		t.Errorf("Pending after a restart = %s", p.JSON())
	}
}

func TestTooManyTransactions(t *testing.T) {
	n := newNode(t)
	s := n.open()
	for i := range maxTransactions {
		patch(t, s, fmt.Sprint(i), "a = 1")
	}
	err := s.Patch(t.Context(), PatchRequest{Tx: "more", Patch: set(t, "a = 1")})
	wantErr(t, "Patch to one transaction too many", err, ErrTooManyTransactions)
	patch(t, s, "7", "b = 1") // those that are open still take changes
	commit(t, s, "7")
	patch(t, s, "more", "a = 1")
}

func TestLargeTransactions(t *testing.T) {
	n := newNode(t)
	s := n.open()
	large := func(bytes int) document.Patch {
		return document.Patch{Set: document.Of(document.Leaf{Key: key.Of("a"), Value: document.NewValue(`"` + strings.Repeat("x", bytes) + `"`)})}
	}
	err := s.Patch(t.Context(), PatchRequest{Tx: "t", Patch: large(maxDocument)})
	wantRefusal(t, "Patch of 16 MiB", err, "settings")
	if err := s.Patch(t.Context(), PatchRequest{Tx: "t", Patch: large(maxDocument / 2)}); err != nil {
		t.Fatalf("Patch of 8 MiB: %v", err)
	}
	s.pending["t"].size = maxPending // as if there were many of them
	err = s.Patch(t.Context(), PatchRequest{Tx: "u", Patch: large(1)})
	wantErr(t, "Patch when the others fill the room for all", err, ErrTooManyTransactions)
	commit(t, s, "t")
	n.stop(s)
	if got := n.open().Snapshot().User.Len(); got != 1 {
		t.Errorf("%d settings after a commit of 8 MiB, want 1", got)
	}
}

// A transaction outlives the process, not the boot.
func TestPendingAcrossStarts(t *testing.T) {
	n := newNode(t)
	s := n.open()
	patch(t, s, "t", "a = 1\n\"d.e\" = \"q\\\"\\n€\"", "c", "settings")
	want, _ := s.Pending("t")
	n.kill(s)
	s = n.open()
	got, open := s.Pending("t")
	if diff := cmp.Diff(string(want.JSON()), string(got.JSON())); !open || diff != "" || len(got.Unset) != len(want.Unset) {
		t.Errorf("Pending after a restart (-want +got):\n%s", diff)
	}
	patch(t, s, "t", "a = 2")
	wantEvents(t, n)
	s = n.reboot(s)
	if _, open := s.Pending("t"); open {
		t.Error("the transaction is open after a reboot")
	}
	wantEvents(t, n, "tx-expired 0 ")
	if got := pendingFiles(t, n); len(got) != 0 {
		t.Errorf("files left: %v", got)
	}
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "t"})
	wantErr(t, "Commit after a reboot", err, ErrNothingPending)
}

func TestPendingExpires(t *testing.T) {
	n := newNode(t)
	s := n.open()
	patch(t, s, "old", "a = 1")
	n.pass(23 * time.Hour)
	patch(t, s, "young", "b = 1")
	n.stop(s)
	n.pass(time.Hour)
	s = n.open()
	wantEvents(t, n, "tx-expired 0 a")
	n.wall.Store(-1e6) // the wall clock does not matter
	n.pass(22 * time.Hour)
	if got := s.Transactions(); len(got) != 1 || got[0].Name != "young" {
		t.Errorf("Transactions = %v, want young", got)
	}
	n.pass(time.Hour)
	_, err := s.Commit(t.Context(), CommitRequest{Tx: "young"})
	wantErr(t, "Commit of an expired transaction", err, ErrNothingPending)
	wantEvents(t, n, "tx-expired 0 b")
}

// What a file of a transaction holds counts only when it is whole.
func TestDamagedPending(t *testing.T) {
	n := newNode(t)
	s := n.open()
	for _, tx := range []string{"cut", "empty", "flipped", "good", "renamed", "directory"} {
		patch(t, s, tx, "a = 1")
	}
	n.stop(s)
	edit := func(name string, f func([]byte) []byte) {
		t.Helper()
		b, err := os.ReadFile(n.path("pending", name))
		if err == nil {
			err = os.WriteFile(n.path("pending", name), f(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	edit("cut", func(b []byte) []byte { return b[:len(b)/2] })
	edit("empty", func([]byte) []byte { return nil })
	edit("flipped", func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
	for _, err := range []error{
		os.Rename(n.path("pending", "renamed"), n.path("pending", "other")),
		os.Remove(n.path("pending", "directory")), os.Mkdir(n.path("pending", "directory"), 0o700),
		os.WriteFile(n.path("pending", ".draft"), []byte("x"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s = n.open()
	if got := s.Transactions(); len(got) != 1 || got[0].Name != "good" {
		t.Errorf("Transactions = %v, want good", got)
	}
	if diff := cmp.Diff([]string{"good"}, pendingFiles(t, n)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got := n.told(); len(got) != 5 {
		t.Errorf("events %q, want one for each of the five", got)
	}
}

// The process may die between the commit and the removal of the transaction's
// file; the transaction must not be there again.
func TestCommittedTransactionStaysAway(t *testing.T) {
	n := newNode(t)
	s := n.open()
	patch(t, s, "t", "a = 1")
	file, err := os.ReadFile(n.path("pending", "t"))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, "t")
	n.kill(s)
	if err := os.WriteFile(n.path("pending", "t"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	s = n.open()
	if _, open := s.Pending("t"); open || slices.Contains(pendingFiles(t, n), "t") {
		t.Error("the committed transaction is open again")
	}
	patch(t, s, "t", "b = 1") // a new one of the same name
	n.kill(s)
	s = n.open()
	commit(t, s, "t")
	wantUser(t, s, "a = 1\nb = 1")
}
