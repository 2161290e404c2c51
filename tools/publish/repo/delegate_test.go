package repo_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// delegating is a repository in which acme signs for its extensions.
func delegating(t *testing.T) *publisher {
	t.Helper()
	p := published(t, "1.0.0")
	p.newKey("acme1", sign.Ed25519)
	p.newKey("acme2", sign.ECDSA)
	p.must("Delegate", func(r *repo.Repository) error {
		return r.Delegate(repo.Delegation{Role: "acme", Paths: []string{"acme-*"}, Keys: p.named("acme1", "acme2"), Threshold: 2}, p.now)
	})
	return p
}

// extension makes a file of that name.
func extension(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// Others offer what was delegated to them, and both lists change without each
// other.
func TestDelegate(t *testing.T) {
	p := delegating(t)
	want := random(t, 5000)
	p.must("Extend", func(r *repo.Repository) error {
		return r.Extend("acme", []string{extension(t, "acme-agent.raw", want)}, nil, p.now)
	})
	if err := p.release("acme1", "targets", "online"); !strings.Contains(text(err), "acme") || !strings.Contains(text(err), "1 of 2 signatures by the keys of the delegation") {
		t.Fatalf("Release with one key of acme: error %v, want that one is missing", err)
	}
	if err := p.release("acme2", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	n := p.node()
	u, err := n.refresh()
	if err != nil {
		t.Fatalf("refresh of a node: %v", err)
	}
	if got, err := fetch(u, "acme-agent.raw"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("a node fetches %d bytes of acme-agent.raw, %v, want %d", len(got), err, len(want))
	}
	if err := validate(t, p); err != nil {
		t.Errorf("validation: %v", err)
	}

	// Ours changes without them, and theirs without us.
	p.add("1.1.0", nil)
	if err := p.release("targets", "online"); err != nil {
		t.Fatalf("Release of 1.1.0: %v", err)
	}
	p.must("Extend", func(r *repo.Repository) error {
		return r.Extend("acme", []string{extension(t, "acme-probe.raw", want)}, []string{"acme-agent.raw"}, p.now)
	})
	if err := p.release("acme1", "acme2", "online"); err != nil {
		t.Fatalf("Release of acme: %v", err)
	}
	if got, err := n.versions(); err != nil || cmp.Diff([]string{"1.0.0", "1.1.0"}, got) != "" {
		t.Errorf("a node finds %v, %v, want 1.0.0 and 1.1.0", got, err)
	}
	if u, err = n.refresh(); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"acme-agent.raw": false, "acme-probe.raw": true} {
		if _, err := fetch(u, name); (err == nil) != there {
			t.Errorf("a node fetches %s: %v, want it there: %v", name, err, there)
		}
	}
}

// What was delegated is taken back at once, with all that was signed.
func TestUndelegate(t *testing.T) {
	p := delegating(t)
	p.must("Extend", func(r *repo.Repository) error {
		return r.Extend("acme", []string{extension(t, "acme-agent.raw", random(t, 10))}, nil, p.now)
	})
	if err := p.release("acme1", "acme2", "targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	p.must("Undelegate", func(r *repo.Repository) error { return r.Undelegate("acme", p.now) })
	if err := p.release("targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	if err := validate(t, p); err != nil {
		t.Errorf("validation: %v", err)
	}
	u, err := p.node().refresh()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(u, "acme-agent.raw"); err == nil {
		t.Errorf("a node fetches what was taken back")
	}
	p.now = p.now.Add(30 * day)
	p.must("Refresh", func(r *repo.Repository) error { return r.Refresh(t.Context(), p.named("online"), true, p.now) })
	left := strings.Join(p.prune(), " ")
	if !strings.Contains(left, ".acme.json") || !strings.Contains(left, ".acme-agent.raw") {
		t.Errorf("Prune removes %s, want the list and the file of acme, too", left)
	}
}

// Who has a key no longer counts from the next release on.
func TestDelegationKeys(t *testing.T) {
	p := delegating(t)
	if err := p.release("acme1", "acme2", "targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	p.newKey("acme3", sign.Ed25519)
	p.must("Delegate", func(r *repo.Repository) error {
		return r.Delegate(repo.Delegation{Role: "acme", Paths: []string{"acme-*"}, Keys: p.named("acme3"), Threshold: 1}, p.now)
	})
	if err := p.release("acme1", "acme2", "targets", "online"); !strings.Contains(text(err), "0 of 1 signatures by the keys of the delegation") {
		t.Errorf("Release with old keys of acme: error %v, want that the new one is missing", err)
	}
	if err := p.release("acme3", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	if err := validate(t, p); err != nil {
		t.Errorf("validation: %v", err)
	}
}

func TestDelegateErrors(t *testing.T) {
	p := delegating(t)
	good := repo.Delegation{Role: "other", Paths: []string{"other-*"}, Keys: p.named("acme1"), Threshold: 1}
	with := func(f func(*repo.Delegation)) func(*repo.Repository, time.Time) error {
		g := good
		f(&g)
		return func(r *repo.Repository, now time.Time) error { return r.Delegate(g, now) }
	}
	tests := []struct {
		name string
		do   func(*repo.Repository, time.Time) error
		want string
	}{
		{name: "name of another role", do: with(func(g *repo.Delegation) { g.Role = "snapshot" }), want: `role "snapshot": want small letters, digits and hyphens, and none of root, targets, snapshot, timestamp`},
		{name: "name that is a path", do: with(func(g *repo.Delegation) { g.Role = "../x" }), want: `role "../x": want small letters, digits and hyphens, and none of root, targets, snapshot, timestamp`},
		{name: "no names", do: with(func(g *repo.Delegation) { g.Paths = nil }), want: "role other has no patterns of names, and could sign for nothing"},
		{name: "pattern with a slash", do: with(func(g *repo.Delegation) { g.Paths = []string{"a/*"} }), want: `pattern "a/*" of role other: want a name with * and ? in it, and no slash`},
		{name: "pattern that is none", do: with(func(g *repo.Delegation) { g.Paths = []string{"[a"} }), want: `pattern "[a" of role other: want a name with * and ? in it, and no slash`},
		{name: "our targets", do: with(func(g *repo.Delegation) { g.Paths = []string{"*.json"} }), want: "role other would sign for manifest.json, which is ours"},
		{name: "threshold too high", do: with(func(g *repo.Delegation) { g.Threshold = 2 }), want: "role other has 1 keys, and 2 of them would have to sign"},
		{name: "one key twice", do: with(func(g *repo.Delegation) { g.Keys = p.named("acme1", "acme1") }), want: "role other has the key " + p.keys["acme1"].ID[:8] + " twice"},
		{name: "nobody", do: func(r *repo.Repository, now time.Time) error { return r.Undelegate("nobody", now) }, want: "no role nobody"},
		{name: "extension of nobody", do: func(r *repo.Repository, now time.Time) error { return r.Extend("nobody", nil, nil, now) }, want: "no role nobody: repo delegate makes one"},
		{name: "another name", do: func(r *repo.Repository, now time.Time) error {
			return r.Extend("acme", []string{"manifest.json"}, nil, now)
		}, want: "role acme may sign for acme-* only, and not for manifest.json"},
		{name: "not there", do: func(r *repo.Repository, now time.Time) error { return r.Extend("acme", nil, []string{"acme-x"}, now) }, want: "role acme has no target acme-x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := p.do(func(r *repo.Repository) error { return tt.do(r, p.now) })
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
