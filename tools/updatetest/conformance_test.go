package updatetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// The client for the public tests of The Update Framework speaks their interface: it takes
// a root, refreshes, fetches a target, and fails where a repository is refused.
func TestConformanceClient(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	root, err := workspace.Find(".")
	b.must(err)
	program := filepath.Join(t.TempDir(), "tuf-conformance-client")
	b.must(root.Go("build", "-o", program, "./sources/cmd/tuf-conformance-client").Run(t.Context()))
	metadata, targets := filepath.Join(t.TempDir(), "metadata"), t.TempDir()
	do := func(words ...string) error {
		out, err := exec.CommandContext(t.Context(), program, append([]string{"--metadata-dir", metadata, "--metadata-url", b.server.URL + "/metadata/"}, words...)...).CombinedOutput()
		if err != nil {
			t.Logf("tuf-conformance-client %q: %v: %s", words, err, out)
		}
		return err
	}
	b.must(do("init", b.Public("metadata/1.root.json")))
	b.must(do("refresh"))
	b.must(do("--target-name", update.ManifestTarget, "--target-base-url", b.server.URL+"/targets/", "--target-dir", targets, "download"))
	got, err := filepath.Glob(filepath.Join(targets, "*"))
	b.must(err)
	if len(got) != 1 || !strings.HasSuffix(got[0], update.ManifestTarget) {
		t.Fatalf("targets %q, want the manifest", got)
	}
	text, err := os.ReadFile(got[0])
	b.must(err)
	if _, err := update.ParseManifest(text); err != nil {
		t.Errorf("the manifest that was fetched: %v", err)
	}
	for _, role := range []string{"timestamp", "snapshot", "targets"} {
		if files, _ := filepath.Glob(filepath.Join(metadata, role+".json")); len(files) != 1 {
			t.Errorf("metadata of %s: %d files are kept, want one", role, len(files))
		}
	}
	before := b.copied()
	b.must(b.Do(func(r *repo.Repository) error {
		return r.Refresh(b.Context(), b.Named("online"), false, b.Publisher.Now)
	}))
	b.must(do("refresh"))
	b.offer(before)
	if do("refresh") == nil {
		t.Error("refresh from a repository that has gone back: no error")
	}
	for _, words := range [][]string{{}, {"explode"}, {"init", "/no/such/file"}} {
		if do(words...) == nil {
			t.Errorf("tuf-conformance-client %q: no error", words)
		}
	}
}
