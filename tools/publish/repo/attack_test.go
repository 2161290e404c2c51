package repo_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// newest returns the public file that matches the pattern and comes last.
func (p *publisher) newest(pattern string) string {
	p.t.Helper()
	public := filepath.Join(p.dir, "public")
	files, err := fs.Glob(os.DirFS(public), pattern)
	if err != nil || len(files) == 0 {
		p.t.Fatalf("%s: %d files, %v, want some", pattern, len(files), err)
	}
	return filepath.Join(public, files[len(files)-1])
}

func (p *publisher) alter(pattern string, f func([]byte) []byte) {
	p.t.Helper()
	name := p.newest(pattern)
	data, err := os.ReadFile(name)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, f(data), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func replace(old, with string) func([]byte) []byte {
	return func(data []byte) []byte { return bytes.Replace(data, []byte(old), []byte(with), 1) }
}

func cut(data []byte) []byte { return data[:len(data)-1] }

func remove(files ...string) error {
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}

// Whoever can write to the server and has no keys does not get anything past a
// node, nor past a validation.
func TestTampering(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(p *publisher)
		want   string // what the validation says
	}{
		{name: "a later expiry of the timestamp", want: "not enough signatures", tamper: func(p *publisher) { p.alter("metadata/timestamp.json", replace(`"expires": "2`, `"expires": "3`)) }},
		{name: "other releases", want: "hash verification failed", tamper: func(p *publisher) { p.alter("metadata/*.targets.json", replace("1.1.0", "1.1.9")) }},
		{name: "another snapshot", want: "hash verification failed", tamper: func(p *publisher) { p.alter("metadata/*.snapshot.json", replace(`"version": `, `"version": 9`)) }},
		{name: "a root of nobody", want: "not enough signatures", tamper: func(p *publisher) {
			data, err := os.ReadFile(p.newest("metadata/*.root.json"))
			if err != nil {
				t.Fatal(err)
			}
			forged := bytes.Replace(data, []byte(`"version": 1`), []byte(`"version": 2`), 1)
			if err := os.WriteFile(filepath.Join(p.dir, "public", "metadata", "2.root.json"), forged, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "another root image", want: "is not what was signed", tamper: func(p *publisher) {
			p.alter("targets/*1.1.0-root.erofs", func(b []byte) []byte { b[100]++; return b })
		}},
		{name: "a short kernel", want: "bytes, want", tamper: func(p *publisher) { p.alter("targets/*1.1.0-uki.efi", cut) }},
		{name: "a long tree", want: "has more bytes, want 500", tamper: func(p *publisher) {
			p.alter("targets/*1.1.0-root.verity", func(b []byte) []byte { return append(b, 0) })
		}},
		{name: "another manifest", want: "is not what was signed", tamper: func(p *publisher) {
			p.alter("targets/*manifest.json", func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}},
		{name: "no targets", want: "no such file", tamper: func(p *publisher) {
			if err := remove(p.newest("metadata/*.targets.json")); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := published(t, "1.0.0", "1.1.0")
			tt.tamper(p)
			if got, err := p.node().versions(); err == nil {
				t.Errorf("a node finds %q, want that it refuses the repository", got)
			}
			err := validate(t, p)
			if !strings.Contains(text(err), tt.want) {
				t.Errorf("validation: %v, want %q in it", err, tt.want)
			}
		})
	}
}

func validate(t *testing.T, p *publisher) error {
	t.Helper()
	v, err := repo.From(p.dir).View(t.Context(), nil, p.now)
	if err != nil {
		return err
	}
	_, _, err = v.CheckTargets(t.Context(), false)
	return err
}

func TestValidateWhatIsGood(t *testing.T) {
	p := published(t, "1.0.0", "1.1.0")
	if err := validate(t, p); err != nil {
		t.Errorf("validation: %v", err)
	}
	v, err := repo.From(p.server.URL).View(t.Context(), nil, p.now)
	if err != nil {
		t.Fatalf("View(%s): %v", p.server.URL, err)
	}
	if _, n, err := v.CheckTargets(t.Context(), false); err != nil || n < 2*23_500 {
		t.Errorf("CheckTargets over HTTP = %d, %v, want all bytes", n, err)
	}
	if _, err := repo.From(p.server.URL+"/nowhere").View(t.Context(), nil, p.now); !strings.Contains(text(err), "404 Not Found") {
		t.Errorf("View of an empty server = %v, want that nothing is found", err)
	}
}

// A server that offers what was good once is found out by nodes that know
// better.
func TestRollback(t *testing.T) {
	p := published(t, "1.0.0")
	before := filepath.Join(t.TempDir(), "before")
	if err := os.CopyFS(before, os.DirFS(filepath.Join(p.dir, "public"))); err != nil {
		t.Fatal(err)
	}
	n := p.node()
	p.add("1.1.0", nil)
	if err := p.release("targets", "online"); err != nil {
		t.Fatal(err)
	}
	wantVersions(t, n, "1.0.0", "1.1.0")
	if err := os.RemoveAll(filepath.Join(p.dir, "public")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(p.dir, "public"), os.DirFS(before)); err != nil {
		t.Fatal(err)
	}
	if got, err := n.versions(); !strings.Contains(text(err), "must be >=") {
		t.Errorf("a node that knows 1.1.0 finds %q, %v, want that it refuses to go back", got, err)
	}
}

// obstacle makes a directory where the release would put a file, so that it
// ends there.
func obstacle(t *testing.T, p *publisher, name string) func() {
	t.Helper()
	at := filepath.Join(p.dir, "public", name)
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
	}
}

// Wherever a release is cut off, nodes find all of the old one; releasing
// again makes them find all of the new one.
func TestReleaseIsWhole(t *testing.T) {
	p := published(t, "1.0.0")
	p.newKey("online2", sign.Ed25519)
	p.must("ChangeRoot", func(r *repo.Repository) error {
		return r.ChangeRoot(repo.RootChange{Add: map[string][]sign.Key{metadata.TIMESTAMP: p.named("online2"), metadata.SNAPSHOT: p.named("online2")}}, p.now)
	})
	p.add("1.1.0", nil)
	added := p.now
	p.must("Sign", func(r *repo.Repository) error {
		_, err := r.Sign(t.Context(), p.named("root1", "root2", "targets"))
		return err
	})

	points := []struct {
		name string
		at   func() string // what the release is going to write there
	}{
		{name: "target", at: func() string { return "targets/" + stagedTarget(t, p, "uki.efi") }},
		{name: "targets", at: func() string { return fmt.Sprintf("metadata/%d.targets.json", added.Unix()) }},
		{name: "snapshot", at: func() string { return fmt.Sprintf("metadata/%d.snapshot.json", p.now.Unix()+1) }},
	}
	for _, point := range points {
		t.Run(point.name, func(t *testing.T) {
			clear := obstacle(t, p, point.at())
			if err := p.release("online"); err == nil {
				t.Fatal("Release = nil, want that it was cut off")
			}
			wantVersions(t, p.node(), "1.0.0")
			clear()
		})
	}
	if err := p.release("online"); err != nil {
		t.Fatalf("Release after all: %v", err)
	}
	wantVersions(t, p.node(), "1.0.0", "1.1.0")
	// The timestamp is signed by a key that the old root knows, and is there first.
	wantVersions(t, p.beforeRoot(), "1.0.0", "1.1.0")
	if err := p.release("online"); text(err) != "nothing is staged" {
		t.Errorf("Release once more = %v, want that nothing is staged", err)
	}
}

// beforeRoot is a node that asks when all but the new root is there.
func (p *publisher) beforeRoot() *node {
	p.t.Helper()
	copied := filepath.Join(p.t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(p.dir)); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(copied, "public", "metadata", "2.root.json")); err != nil {
		p.t.Fatal(err)
	}
	n := p.node()
	n.url = serve(p.t, repo.Handler(copied))
	return n
}

// A new key for the online roles, the old one lost: the root comes first, and a
// release that is cut off after it is released again.
func TestReleaseGoesOnAfterTheRoot(t *testing.T) {
	p := published(t, "1.0.0")
	p.newKey("online2", sign.Ed25519)
	p.must("ChangeRoot", func(r *repo.Repository) error {
		c := repo.RootChange{Add: map[string][]sign.Key{}, Remove: map[string][]string{}}
		for _, role := range repo.Online {
			c.Add[role], c.Remove[role] = p.named("online2"), []string{p.keys["online"].ID}
		}
		return r.ChangeRoot(c, p.now)
	})
	p.must("Sign", func(r *repo.Repository) error { _, err := r.Sign(t.Context(), p.named("root1", "root2")); return err })
	root, err := os.ReadFile(filepath.Join(p.dir, "staged", "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "public", "metadata", "2.root.json"), root, 0o644); err != nil {
		t.Fatal(err)
	}
	err = p.do(func(r *repo.Repository) error { return r.ChangeRoot(repo.RootChange{}, p.now) })
	if want := "change root: the last release was cut off after its new root: release again first"; text(err) != want {
		t.Errorf("ChangeRoot after a release that was cut off = %v, want %q", err, want)
	}
	p.must("Refresh", func(r *repo.Repository) error { return r.Refresh(t.Context(), p.named("online2"), false, p.now) })
	wantVersions(t, p.node(), "1.0.0")
	if err := p.release("online2"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	wantVersions(t, p.node(), "1.0.0")
	if err := p.release("online2"); text(err) != "nothing is staged" {
		t.Errorf("Release once more = %v, want that nothing is staged", err)
	}
}

func stagedTarget(t *testing.T, p *publisher, suffix string) string {
	t.Helper()
	files, err := fs.Glob(os.DirFS(filepath.Join(p.dir, "staged", "targets")), "*"+suffix)
	if err != nil || len(files) != 1 {
		t.Fatalf("staged %s: %q, %v, want one", suffix, files, err)
	}
	return files[0]
}
