package repo_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// manifest returns what a node reads.
func (p *publisher) manifest() update.Manifest {
	p.t.Helper()
	u, err := p.node().refresh()
	if err != nil {
		p.t.Fatal(err)
	}
	data, err := fetch(u, update.ManifestTarget)
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := update.ParseManifest(data)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// offer returns the version that a node with 1.0.0 installs, or another.
func (p *publisher) offer(running string, seed uint32) string {
	p.t.Helper()
	r := update.Request{Variant: "qemu-dev", Arch: "x86_64", Running: which(p.t, running).Version, Seed: seed}
	c, _, err := p.manifest().Select(r, p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	return c.Release.Version.String()
}

func TestPolicyOfReleases(t *testing.T) {
	p := published(t, "1.0.0", "1.1.0", "1.2.0")
	steps := []struct {
		name    string
		change  func(*repo.Repository) error
		running string
		seed    uint32
		want    string
	}{
		{name: "nothing", running: "1.0.0", want: "1.2.0"},
		{name: "withdrawn", change: func(r *repo.Repository) error { return r.Deny(which(t, "1.2.0"), "loses data", p.now) }, running: "1.0.0", want: "1.1.0"},
		{name: "back", change: func(r *repo.Repository) error { return r.Limit(which(t, "1.1.0"), p.now) }, running: "1.2.0", want: "1.1.0"},
		{
			name: "waves", running: "1.0.0", seed: 100, want: "1.1.0",
			change: func(r *repo.Repository) error {
				return r.SetWaves(which(t, "1.1.0"), update.Waves{0: p.now.Add(-day), 1000: p.now, 2000: p.now.Add(day)}, p.now)
			},
		},
		{name: "later waves", running: "1.0.0", seed: 1500},
		{name: "held", change: func(r *repo.Repository) error { return r.Hold(which(t, "1.1.0"), p.now) }, running: "1.0.0", seed: 100, want: "1.1.0"},
		{name: "held for a year", change: func(*repo.Repository) error { p.now = p.now.Add(2 * day); return nil }, running: "1.0.0", seed: 1500},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			if s.change != nil {
				p.must(s.name, s.change)
				if err := p.release("targets", "online"); err != nil && text(err) != "nothing is staged" {
					t.Fatalf("Release: %v", err)
				}
			}
			if got := p.offer(s.running, s.seed); got != s.want {
				t.Errorf("a node with %s and seed %d is offered %q, want %q", s.running, s.seed, got, s.want)
			}
		})
	}
	err := p.do(func(r *repo.Repository) error { return r.Hold(which(t, "1.0.0"), p.now) })
	if want := "every node has been offered qemu-dev x86_64 1.0.0"; !strings.Contains(text(err), want) {
		t.Errorf("Hold(1.0.0) = %v, want %q in it", err, want)
	}
	err = p.do(func(r *repo.Repository) error { return r.Limit(which(t, "3.0.0"), p.now) })
	if want := "no release qemu-dev x86_64 3.0.0"; text(err) != want {
		t.Errorf("Limit(3.0.0) = %v, want %q", err, want)
	}
}

// Old releases go, unless somebody needs them on the way, and their files stay
// for as long as a node may be fetching them.
func TestRetire(t *testing.T) {
	p := newPublisher(t)
	p.add("1.0.0", nil)
	p.add("1.1.0", nil)
	p.add("1.2.0", func(a *repo.Addition) { a.Floor = true })
	p.add("1.3.0", nil)
	p.add("1.4.0", func(a *repo.Addition) { a.MinVersion = which(t, "1.3.0").Version })
	if err := p.release("root1", "root2", "targets", "online"); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{
		"1.2.0": "qemu-dev x86_64 1.2.0 has to run on every node before newer ones, and stays",
		"1.3.0": "without qemu-dev x86_64 1.3.0, nodes with 0.0.0-0 would not come to 1.4.0",
		"1.4.0": "without qemu-dev x86_64 1.4.0, nodes with 0.0.0-0 would not come to 1.4.0",
		"9.0.0": "no release qemu-dev x86_64 9.0.0",
	} {
		err := p.do(func(r *repo.Repository) error { return r.Retire(which(t, version), p.now) })
		if diff := cmp.Diff(want, text(err)); diff != "" {
			t.Errorf("Retire(%s): error (-want +got):\n%s", version, diff)
		}
	}

	late := p.node()
	u, err := late.refresh()
	if err != nil {
		t.Fatal(err)
	}
	p.must("Retire", func(r *repo.Repository) error { return r.Retire(which(t, "1.0.0"), p.now) })
	if err := p.release("targets", "online"); err != nil {
		t.Fatal(err)
	}
	wantVersions(t, p.node(), "1.1.0", "1.2.0", "1.3.0", "1.4.0")
	if got := p.prune(); len(got) > 0 {
		t.Errorf("Prune while the old metadata is valid removes %q, want nothing", got)
	}
	if _, err := fetch(u, "qemu-dev-x86_64-1.0.0-root.erofs"); err != nil {
		t.Errorf("a node that refreshed before fetches 1.0.0: %v", err)
	}

	p.now = p.now.Add(15 * day)
	p.must("Refresh", func(r *repo.Repository) error { return r.Refresh(t.Context(), p.named("online"), true, p.now) })
	if got := p.prune(); len(got) != 8 { // 3 images, a list of blocks, a manifest, 2 snapshots, a list of targets
		t.Errorf("Prune after the old metadata expired removes %d files, want 8:\n%s", len(got), strings.Join(got, "\n"))
	}
	wantVersions(t, p.node(), "1.1.0", "1.2.0", "1.3.0", "1.4.0")
}

func (p *publisher) prune() (removed []string) {
	p.t.Helper()
	p.must("Prune", func(r *repo.Repository) (err error) {
		removed, err = r.Prune(p.now)
		return err
	})
	return removed
}

// Who follows a channel is looked after as well.
func TestRetireInChannel(t *testing.T) {
	p := newPublisher(t)
	p.add("1.0.0", nil)
	p.add("1.1.0", func(a *repo.Addition) { a.Channels = []string{"beta"} })
	p.add("1.2.0", func(a *repo.Addition) { a.Channels, a.MinVersion = []string{"beta"}, which(t, "1.1.0").Version })
	for version, want := range map[string]string{
		"1.0.0": "without qemu-dev x86_64 1.0.0, nodes with 0.0.0-0 would not come to 1.0.0",
		"1.1.0": "without qemu-dev x86_64 1.1.0, nodes with 0.0.0-0 would not come to 1.2.0",
	} {
		err := p.do(func(r *repo.Repository) error { return r.Retire(which(t, version), p.now) })
		if diff := cmp.Diff(want, text(err)); diff != "" {
			t.Errorf("Retire(%s): error (-want +got):\n%s", version, diff)
		}
	}
}

// A node takes a bundle as it takes a server.
func TestBundle(t *testing.T) {
	p := published(t, "1.0.0", "1.1.0")
	v, err := repo.From(p.dir).View(t.Context(), nil, p.now)
	if err != nil {
		t.Fatal(err)
	}
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	for _, file := range []string{one, two} {
		if err := v.Bundle(t.Context(), which(t, "1.1.0"), update.Version{}, file); err != nil {
			t.Fatalf("Bundle: %v", err)
		}
	}
	if a, b := read(t, one), read(t, two); !cmp.Equal(a, b) {
		t.Error("two bundles of the same release differ")
	}
	if !repo.IsBundle(one) || repo.IsBundle(p.newest("metadata/*.targets.json")) {
		t.Errorf("IsBundle(a bundle) = %v, IsBundle(metadata) = %v, want true, false", repo.IsBundle(one), !repo.IsBundle(one))
	}
	n := p.node()
	n.url = serve(t, bundleHandler(t, one))
	u, err := n.refresh()
	if err != nil {
		t.Fatalf("a node refuses the bundle: %v", err)
	}
	for name, want := range map[string]string{
		"qemu-dev-x86_64-1.1.0-root.erofs": "", "qemu-dev-x86_64-1.1.0-uki.efi": "", "qemu-dev-x86_64-1.0.0-uki.efi": "404",
	} {
		if _, err := fetch(u, name); (err == nil) != (want == "") || !strings.Contains(text(err), want) {
			t.Errorf("a node fetches %s from the bundle: %v, want %q in it", name, err, want)
		}
	}
	if err := v.Bundle(t.Context(), which(t, "1.2.0"), update.Version{}, filepath.Join(t.TempDir(), "no")); text(err) != "no release qemu-dev x86_64 1.2.0" {
		t.Errorf("Bundle(1.2.0) = %v, want that there is none", err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func bundleHandler(t *testing.T, file string) http.Handler {
	t.Helper()
	s, err := repo.FromBundle(file)
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := s(r.Context(), strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer in.Close()
		_, _ = io.Copy(w, in) // the client finds out
	})
}

func TestServe(t *testing.T) {
	p := published(t, "1.0.0")
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := repo.Serve(ctx, p.dir, "127.0.0.1:0", w)
		ended <- w.CloseWithError(err)
	}()
	first := make([]byte, 200)
	n, err := r.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(string(first[:n]), "settings.updates.metadata-base-url="), "/metadata/\n")
	go func() { _, _ = io.Copy(io.Discard, r) }()
	node := p.node()
	node.url = address
	wantVersions(t, node, "1.0.0")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v, want nil at the end of its context", err)
	}
}
