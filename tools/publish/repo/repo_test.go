package repo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

func wantVersions(t *testing.T, n *node, want ...string) {
	t.Helper()
	got, err := n.versions()
	if err != nil {
		t.Errorf("a node finds %v", err)
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("versions that a node finds (-want +got):\n%s", diff)
	}
}

func TestReleaseReachesNodes(t *testing.T) {
	p := published(t, "1.0.0")
	n := p.node()
	wantVersions(t, n, "1.0.0")

	dir := image(t, "1.1.0-rc.1")
	p.must("Add", func(r *repo.Repository) error {
		_, err := r.Add(t.Context(), repo.Addition{Image: dir, Arch: "x86_64", Notes: "New.", Waves: update.Waves{0: p.now.UTC()}}, p.now)
		return err
	})
	wantVersions(t, n, "1.0.0") // staged is not public
	if err := p.release("targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	wantVersions(t, n, "1.0.0", "1.1.0-rc.1")

	u, err := n.refresh()
	if err != nil {
		t.Fatal(err)
	}
	got, err := fetch(u, "qemu-dev-x86_64-1.1.0-rc.1-root.erofs")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "root.erofs"))
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(want, got) {
		t.Error("the root image that a node fetches is not the one that was added")
	}
	left, err := os.ReadDir(filepath.Join(p.dir, "staged", "targets"))
	if err != nil || len(left) > 0 {
		t.Errorf("staged targets after a release: %v, %v, want none", left, err)
	}
}

func TestAddRefuses(t *testing.T) {
	p := published(t, "1.0.0")
	broken := image(t, "1.1.0")
	if err := os.WriteFile(filepath.Join(broken, "uki.efi"), []byte("roothash=of-another-build"), 0o644); err != nil {
		t.Fatal(err)
	}
	migrations := filepath.Join(t.TempDir(), "migrations.toml")
	if err := os.WriteFile(migrations, []byte("[[migration]]\nformat = \"two\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		in   repo.Addition
		want string
	}{
		{name: "a version that is there", in: repo.Addition{Image: image(t, "1.0.0")}, want: "qemu-dev x86_64 1.0.0 is there already, and a version never changes"},
		{name: "files of two builds", in: repo.Addition{Image: broken}, want: "uki.efi is not for the root file system"},
		{name: "no version", in: repo.Addition{Image: image(t, "latest")}, want: `version "latest": want major.minor.patch`},
		{name: "no image", in: repo.Addition{Image: t.TempDir()}, want: "manifest.json: no such file or directory"},
		{name: "migrations that nobody can read", in: repo.Addition{Image: image(t, "1.2.0"), Migrations: migrations}, want: "migrations.toml:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.Arch = "x86_64"
			err := p.do(func(r *repo.Repository) error { _, err := r.Add(t.Context(), tt.in, p.now); return err })
			if !strings.Contains(text(err), tt.want) {
				t.Errorf("Add(%s) = %v, want %q in it", tt.name, err, tt.want)
			}
		})
	}
	wantVersions(t, p.node(), "1.0.0")
}

// The migrations that an image carries go with it.
func TestCarriedMigrations(t *testing.T) {
	p := newPublisher(t)
	dir := image(t, "1.0.0")
	if err := os.WriteFile(filepath.Join(dir, "migrations.toml"), []byte("[[migration]]\nformat = 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var rel update.Release
	p.must("Add", func(r *repo.Repository) (err error) {
		rel, err = r.Add(t.Context(), repo.Addition{Image: dir, Arch: "x86_64"}, p.now)
		return err
	})
	if want := "qemu-dev-x86_64-1.0.0-migrations.toml"; rel.Migrations != want {
		t.Errorf("Add: migrations %q, want %q", rel.Migrations, want)
	}
}

// Those who hold keys sign one after the other, where each of them is.
func TestThresholds(t *testing.T) {
	p := newPublisher(t)
	p.add("1.0.0", nil)
	if err := p.release("root1", "targets", "online"); text(err) != "not released: root 1: 1 of 2 signatures by the keys of root 1" {
		t.Errorf("Release with one root key = %v, want that one signature is missing", err)
	}
	if err := p.release("root1", "root1", "root1"); text(err) != "not released: root 1: 1 of 2 signatures by the keys of root 1" {
		t.Errorf("Release with one root key three times = %v, want that one signature is missing", err)
	}
	var got []repo.Progress
	p.must("Sign", func(r *repo.Repository) (err error) {
		got, err = r.Sign(t.Context(), p.named("root3"))
		return err
	})
	var lines []string
	for _, g := range got {
		lines = append(lines, g.String())
	}
	want := []string{"root 1: 2 of 2 signatures by the keys of root 1", fmt.Sprintf("targets %d: 1 of 1 signatures by the keys of root 1", got[1].Version)}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("Sign: progress (-want +got):\n%s", diff)
	}
	if err := p.release(); !strings.Contains(text(err), "not enough signatures") {
		t.Errorf("Release without an online key = %v, want that signatures are missing", err)
	}
	if err := p.release("online"); err != nil {
		t.Fatalf("Release with the online key: %v", err)
	}
	wantVersions(t, p.node(), "1.0.0")
	// A change takes signatures away.
	p.add("1.1.0", nil)
	if err := p.release("online", "root1", "root2"); !strings.Contains(text(err), ": 0 of 1 signatures") {
		t.Errorf("Release without a key for targets = %v, want that one signature is missing", err)
	}
	wantVersions(t, p.node(), "1.0.0")
}

func TestRotation(t *testing.T) {
	p := published(t, "1.0.0")
	old, visited := p.node(), p.node()
	wantVersions(t, visited, "1.0.0")

	// Each in its turn: other root keys, other online keys, the old ones lost.
	p.newKey("root4", sign.Ed25519)
	p.newKey("online2", sign.Ed25519)
	p.newKey("targets2", sign.ECDSA)
	steps := []struct {
		name   string
		change repo.RootChange
		early  []string // keys that do not suffice
		keys   []string
	}{
		{
			name: "root key", early: []string{"root4", "root3", "online"}, keys: []string{"root1", "root2", "root4", "online"},
			change: repo.RootChange{Add: map[string][]sign.Key{"root": p.named("root4")}, Remove: map[string][]string{"root": {p.keys["root1"].ID[:8]}}},
		},
		{
			name: "online key, with the old one", early: []string{"root2", "root3", "online"}, keys: []string{"root2", "root4", "online", "online2"},
			change: repo.RootChange{
				Add:    map[string][]sign.Key{"timestamp": p.named("online2"), "snapshot": p.named("online2")},
				Remove: map[string][]string{"timestamp": {p.keys["online"].ID}, "snapshot": {p.keys["online"].ID}},
			},
		},
		{
			name: "targets key", early: []string{"root2", "root3", "online2"}, keys: []string{"root2", "root3", "online2", "targets2"},
			change: repo.RootChange{Add: map[string][]sign.Key{"targets": p.named("targets2")}, Remove: map[string][]string{"targets": {p.keys["targets"].ID}}},
		},
	}
	for _, s := range steps {
		p.must("ChangeRoot", func(r *repo.Repository) error { return r.ChangeRoot(s.change, p.now) })
		if s.name == "targets key" {
			p.must("Renew", func(r *repo.Repository) error { return r.Renew(p.now) })
		}
		if err := p.release(s.early...); err == nil {
			t.Fatalf("%s: Release(%v) = nil, want that signatures are missing", s.name, s.early)
		}
		wantVersions(t, visited, "1.0.0")
		if err := p.release(s.keys...); err != nil {
			t.Fatalf("%s: Release(%v): %v", s.name, s.keys, err)
		}
		wantVersions(t, visited, "1.0.0")
	}
	for range 10 {
		p.must("ChangeRoot", func(r *repo.Repository) error { return r.ChangeRoot(repo.RootChange{}, p.now) })
		if err := p.release("root3", "root4", "online2"); err != nil {
			t.Fatal(err)
		}
	}
	wantVersions(t, old, "1.0.0")
	wantVersions(t, visited, "1.0.0")
}

func TestRootChangesThatCannotWork(t *testing.T) {
	p := published(t, "1.0.0")
	tests := []struct {
		name   string
		change repo.RootChange
		want   string
	}{
		{name: "more signatures than keys", change: repo.RootChange{Thresholds: map[string]int{"root": 4}}, want: "role root has 3 keys, and 4 of them would have to sign"},
		{name: "no signature", change: repo.RootChange{Thresholds: map[string]int{"targets": 0}}, want: "role targets has 1 keys, and 0 of them would have to sign"},
		{name: "the last key", change: repo.RootChange{Remove: map[string][]string{"targets": {p.keys["targets"].ID}}}, want: "role targets has 0 keys, and 1 of them would have to sign"},
		{name: "an unknown key", change: repo.RootChange{Remove: map[string][]string{"root": {"zz"}}}, want: `0 keys of role root begin with "zz", want one`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := p.do(func(r *repo.Repository) error { return r.ChangeRoot(tt.change, p.now) })
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("ChangeRoot: error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	p := published(t, "1.0.0")
	n := p.node()
	n.now = p.now.Add(8 * day)
	if _, err := n.versions(); !strings.Contains(text(err), "timestamp.json is expired") {
		t.Errorf("8 days later a node finds %v, want that the timestamp is expired", err)
	}
	soon := func(in time.Duration) []string {
		roles, err := repo.From(p.dir).Expiring(t.Context(), nil, p.now.Add(in))
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, r := range roles {
			names = append(names, r.Name)
		}
		return names
	}
	for in, want := range map[time.Duration][]string{3 * day: {}, 8 * day: {"timestamp"}, 200 * day: {"timestamp", "snapshot", "targets"}} {
		if diff := cmp.Diff(want, soon(in)); diff != "" {
			t.Errorf("Expiring(in %s) (-want +got):\n%s", in, diff)
		}
	}

	refresh := func(expired bool) error {
		return p.do(func(r *repo.Repository) error { return r.Refresh(t.Context(), p.named("online"), expired, p.now) })
	}
	p.add("1.1.0", nil) // stays staged
	p.now = p.now.Add(6 * day)
	if err := refresh(false); err != nil {
		t.Fatalf("Refresh: %v", err)
	}
	wantVersions(t, n, "1.0.0")
	p.now = p.now.Add(8 * day)
	if err := refresh(false); !strings.Contains(text(err), "and nodes have refused the repository since") {
		t.Errorf("Refresh of an expired repository = %v, want a refusal", err)
	}
	if err := refresh(true); err != nil {
		t.Errorf("Refresh that was told that it has expired: %v", err)
	}
	n.now = p.now
	wantVersions(t, n, "1.0.0")
	p.now = p.now.Add(200 * day)
	if err := refresh(true); !strings.Contains(text(err), "the targets expired on") {
		t.Errorf("Refresh of expired targets = %v, want a refusal", err)
	}
}

func TestOneAtATime(t *testing.T) {
	p := published(t, "1.0.0")
	err := p.do(func(*repo.Repository) error {
		r, err := repo.Open(p.dir)
		if err == nil {
			return r.Close()
		}
		return err
	})
	if want := "another program changes the repository"; !strings.Contains(text(err), want) {
		t.Errorf("Open of an open repository = %v, want %q in it", err, want)
	}
	if err := repo.Init(filepath.Join(t.TempDir(), "new"), repo.Lifetimes{}, repo.RootChange{}, p.now); !strings.Contains(text(err), "a lifetime is 0") {
		t.Errorf("Init without lifetimes = %v, want a refusal", err)
	}
	if err := repo.Init(p.dir, repo.DefaultLifetimes, repo.RootChange{}, p.now); !strings.Contains(text(err), "is not empty") {
		t.Errorf("Init(a repository) = %v, want a refusal", err)
	}
}
