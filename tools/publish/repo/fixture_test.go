package repo_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

const day = 24 * time.Hour

// A publisher has a repository with a root of two keys out of three, one of
// them of the other kind, and a server.
type publisher struct {
	t      *testing.T
	dir    string
	keys   map[string]sign.Key
	now    time.Time // goes on with each change
	server *httptest.Server
}

func newPublisher(t *testing.T) *publisher {
	p := &publisher{t: t, dir: filepath.Join(t.TempDir(), "a [repository]"), keys: map[string]sign.Key{}, now: time.Now().Truncate(time.Second)}
	for name, kind := range map[string]string{"root1": sign.Ed25519, "root2": sign.ECDSA, "root3": sign.Ed25519, "targets": sign.Ed25519, "online": sign.ECDSA} {
		p.newKey(name, kind)
	}
	err := repo.Init(p.dir, repo.DefaultLifetimes, repo.RootChange{
		Add: map[string][]sign.Key{
			"root": p.named("root1", "root2", "root3"), "targets": p.named("targets"), "snapshot": p.named("online"), "timestamp": p.named("online"),
		},
		Thresholds: map[string]int{"root": 2},
	}, p.now)
	if err != nil {
		t.Fatalf("Init: %v", err)
	}
	p.server = httptest.NewServer(repo.Handler(p.dir))
	t.Cleanup(p.server.Close)
	return p
}

func (p *publisher) newKey(name, kind string) {
	p.t.Helper()
	k, err := sign.Generate(filepath.Join(p.t.TempDir(), name), kind)
	if err != nil {
		p.t.Fatal(err)
	}
	p.keys[name] = k
}

func (p *publisher) named(names ...string) []sign.Key {
	var out []sign.Key
	for _, n := range names {
		out = append(out, p.keys[n])
	}
	return out
}

// do changes the repository and returns the error of the change.
func (p *publisher) do(f func(*repo.Repository) error) error {
	p.t.Helper()
	p.now = p.now.Add(time.Second)
	r, err := repo.Open(p.dir)
	if err != nil {
		p.t.Fatalf("Open: %v", err)
	}
	return errors.Join(f(r), r.Close())
}

func (p *publisher) must(what string, f func(*repo.Repository) error) {
	p.t.Helper()
	if err := p.do(f); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p *publisher) release(keys ...string) error {
	p.t.Helper()
	return p.do(func(r *repo.Repository) error { return r.Release(p.t.Context(), p.named(keys...), p.now) })
}

func (p *publisher) add(version string, f func(*repo.Addition)) {
	p.t.Helper()
	a := repo.Addition{Image: image(p.t, version), Arch: "x86_64"}
	if f != nil {
		f(&a)
	}
	p.must("Add "+version, func(r *repo.Repository) error { _, err := r.Add(p.t.Context(), a, p.now); return err })
}

// published has the versions released, the root with them.
func published(t *testing.T, versions ...string) *publisher {
	t.Helper()
	p := newPublisher(t)
	for _, v := range versions {
		p.add(v, nil)
	}
	if err := p.release("root1", "root2", "targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	return p
}

func which(t *testing.T, version string) repo.Selector {
	t.Helper()
	v, err := update.ParseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	return repo.Selector{Variant: "qemu-dev", Arch: "x86_64", Version: v}
}

// image makes what a build leaves, with contents of its own.
func image(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	hash := fmt.Sprintf("%x", random(t, 32))
	manifest, err := json.Marshal(map[string]string{"variant": "qemu-dev", "version": version, "root-hash": hash})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"manifest.json": manifest, "root.erofs": random(t, 20_000), "root.verity": random(t, 500),
		"uki.efi": append(random(t, 3000), "roothash="+hash...),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	data := make([]byte, n)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	return data
}

// A node is the reference client with what it keeps.
type node struct {
	t       *testing.T
	dir     string
	trusted []byte
	url     string
	now     time.Time // zero for the present
}

func (p *publisher) node() *node {
	p.t.Helper()
	trusted, err := os.ReadFile(filepath.Join(p.dir, "public", "metadata", "1.root.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	return &node{t: p.t, dir: p.t.TempDir(), trusted: trusted, url: p.server.URL}
}

// refresh does the whole workflow of the specification once.
func (n *node) refresh() (*updater.Updater, error) {
	n.t.Helper()
	cfg, err := config.New(n.url+"/metadata", n.trusted)
	if err != nil {
		n.t.Fatal(err)
	}
	cfg.RemoteTargetsURL = n.url + "/targets"
	cfg.LocalMetadataDir, cfg.LocalTargetsDir = filepath.Join(n.dir, "metadata"), filepath.Join(n.dir, "targets")
	u, err := updater.New(cfg)
	if err != nil {
		return nil, err
	}
	if !n.now.IsZero() {
		u.UnsafeSetRefTime(n.now)
	}
	return u, u.Refresh()
}

// versions returns those in the manifest that the node sees.
func (n *node) versions() ([]string, error) {
	n.t.Helper()
	u, err := n.refresh()
	if err != nil {
		return nil, err
	}
	data, err := fetch(u, update.ManifestTarget)
	if err != nil {
		return nil, err
	}
	m, err := update.ParseManifest(data)
	if err != nil {
		return nil, err
	}
	versions := []string{}
	for _, r := range m.Updates {
		for _, name := range r.Targets() {
			if _, err := fetch(u, name); err != nil {
				return nil, err
			}
		}
		versions = append(versions, r.Version.String())
	}
	return versions, nil
}

func fetch(u *updater.Updater, name string) ([]byte, error) {
	info, err := u.GetTargetInfo(name)
	if err != nil {
		return nil, err
	}
	_, data, err := u.DownloadTarget(info, "", "")
	return bytes.Clone(data), err
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
