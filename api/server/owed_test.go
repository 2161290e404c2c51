package server_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/server"
)

// While a change is not applied its mark lies there, and goes with the apply.
func TestApplyIsMarkedAsOwed(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "run", "apply-owed")
	there := func() bool {
		_, err := os.Stat(mark)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return err == nil
	}
	f := &fakeApplier{hold: make(chan struct{})}
	n := start(t, withApplier(f), func(o *server.Options) { o.Owed = mark })
	if a := n.do(request{line: "POST /tx/commit_and_apply"}); a.status != 422 || there() {
		t.Errorf("a commit of nothing: status %d, mark %v, want 422 and none", a.status, there())
	}
	n.must("PATCH /settings", "json", `{"motd":"a"}`)
	n.must("POST /tx/commit_and_apply", "", "")
	within(t, "begin of the apply", func() bool { return len(f.seen()) == 1 })
	if !there() {
		t.Error("an apply runs and is not marked as owed")
	}
	f.hold <- struct{}{}
	within(t, "end of the mark", func() bool { return !there() })
}

// A daemon that finds the mark makes up for the apply.
func TestOwedApplyIsMadeUpFor(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "apply-owed")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &fakeApplier{}
	start(t, withApplier(f), func(o *server.Options) { o.Owed = mark })
	within(t, "apply", func() bool { return len(f.why()) == 1 })
	if diff := cmp.Diff([]string{"apply 0 " + everything}, f.seen()); diff != "" {
		t.Errorf("requests to the applier (-want +got):\n%s", diff)
	}
	within(t, "end of the mark", func() bool { _, err := os.Stat(mark); return errors.Is(err, fs.ErrNotExist) })
}
