package updatetest

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

// With a patch only that is fetched; one that is of no use is passed over.
func TestPatch(t *testing.T) {
	tests := []struct {
		name    string
		wrong   wrong
		patched bool
	}{
		{"good", nil, true},
		{"not there", on(".patch", 0, status(http.StatusNotFound)), false},
		{"wrong", on(".patch", 0, altered(func(_ http.Header, b []byte) []byte { b[len(b)/2]++; return b })), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			old, err := b.releases["1.0.0"].Root()
			b.must(err)
			changed := append([]byte{}, old...)
			for at := 100; at < len(changed); at += 9000 { // a byte of every other block
				changed[at]++
			}
			from, err := update.ParseVersion("1.0.0")
			b.must(err)
			b.releaseAs("1.2.0", changed, repo.Addition{Patching: repo.Patching{From: []update.Version{from}}})
			var images atomic.Int64
			b.serve(func(w http.ResponseWriter, r *http.Request, right http.Handler) {
				if strings.HasSuffix(r.URL.Path, "1.2.0-root.erofs") {
					images.Add(1)
				}
				if tt.wrong != nil {
					tt.wrong(w, r, right)
					return
				}
				right.ServeHTTP(w, r)
			})
			b.run("apply")
			s := b.wantState(updater.Ready, "1.2.0")
			b.wantNext("1.2.0")
			p := s.Progress
			if tt.patched != (p.Patched > 0) || tt.patched != (images.Load() == 0) || p.Patched+p.Reused+p.Fetched != p.Total {
				t.Errorf("%+v, and %d parts of the image were fetched, want patches %v", p, images.Load(), tt.patched)
			}
			if tt.patched && p.Received > p.Total/10 {
				t.Errorf("%d bytes were received of %d, want that patches make it less", p.Received, p.Total)
			}
		})
	}
}

// A bundle with patches only is of use to nodes that run the version that they are from.
func TestBundleOfPatches(t *testing.T) {
	b := newBench(t)
	version := func(text string) (v update.Version) { b.must(v.UnmarshalText([]byte(text))); return v }
	old, err := b.releases["1.1.0"].Root()
	b.must(err)
	changed := append([]byte{}, old...)
	changed[5000]++
	b.releaseAs("1.2.0", changed, repo.Addition{Patching: repo.Patching{From: []update.Version{version("1.1.0")}}})
	file := b.bundle("1.2.0", "1.1.0")
	const want = "the bundle is for nodes that run 1.1.0, from which it makes 1.2.0; this one runs 1.0.0"
	if err := b.Updater(t.Context(), "apply", "--bundle", file); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("apply of a bundle of patches: %v, want %q", err, want)
	}
	b.run("apply", "--version", "1.1.0")
	b.must(b.Boot(b.releases["1.1.0"]))
	b.must(b.Bless(t.Context()))
	b.server.Close()
	b.run("apply", "--bundle", file)
	b.wantNext("1.2.0")
}
