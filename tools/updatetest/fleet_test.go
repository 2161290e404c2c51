package updatetest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// A row of the table says which share of a fleet is offered a release by then.
type row struct {
	after time.Duration
	share float64 // percent
}

var tableRow = regexp.MustCompile(`(?m)^\| (just under )?(\d+) \| ([\d.]+) % \|$`)

// documented returns the table of waves in the guide.
func documented(t *testing.T) (rows []row) {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root.Path("docs", "guide", "publish.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range tableRow.FindAllStringSubmatch(string(text), -1) {
		hours, err1 := strconv.Atoi(m[2])
		share, err2 := strconv.ParseFloat(m[3], 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("row %q of the table: %v, %v", m[0], err1, err2)
		}
		after := time.Duration(hours) * time.Hour
		if m[1] != "" {
			after -= time.Minute // which no node misses that takes long to start
		}
		rows = append(rows, row{after, share})
	}
	if len(rows) < 10 {
		t.Fatalf("the guide has a table of %d rows, want 10 or more", len(rows))
	}
	return rows
}

// slow is the policy that the table of the guide is for.
const slow = `
[[waves]]
start_after = "1 hour"
fleet_percentage = 1
[[waves]]
start_after = "4 hours"
fleet_percentage = 5
[[waves]]
start_after = "1 day"
fleet_percentage = 15
[[waves]]
start_after = "2 days"
fleet_percentage = 40
[[waves]]
start_after = "4 days"
fleet_percentage = 60
[[waves]]
start_after = "5 days"
fleet_percentage = 90
[[waves]]
start_after = "6 days"
fleet_percentage = 100
`

// A fleet follows the table of waves that is documented: a repository offers a release in
// waves, and is refreshed each day; nodes with seeds from all over the fleet look for
// updates, by their clocks, and each chooses the release from its time on.
func TestFleet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	policy, err := update.ParsePolicy([]byte(slow))
	b.must(err)
	start := time.Now().Truncate(time.Second)
	b.releaseAs("1.2.0", Image(3, 600), repo.Addition{Waves: policy.At(start)})

	// Every so many seeds one node, and those at the ends.
	seeds := []uint32{0, update.Seeds - 1}
	for seed := uint32(64); seed < update.Seeds; seed += 128 {
		seeds = append(seeds, seed)
	}
	for _, row := range documented(t) {
		now := start.Add(row.after)
		b.Publisher.Now = now
		b.must(b.Do(func(r *repo.Repository) error { return r.Refresh(b.Context(), b.Named("online"), false, now) }))
		offered := b.wholeFleet(now)
		if share := 100 * float64(len(offered)) / update.Seeds; math.Abs(share-row.share) > 0.11 { // rounded, and a node or two
			t.Errorf("after %s %.2f %% of the fleet are offered the release, want the documented %.1f %%", row.after, share, row.share)
		}
		for _, seed := range seeds {
			want := "1.1.0"
			if offered[seed] {
				want = "1.2.0"
			}
			if got := b.chosenBy(seed, now); got != want {
				t.Errorf("after %s the node with seed %d chooses %s, want %s", row.after, seed, got, want)
			}
		}
	}
}

// wholeFleet returns the seeds to which the manifest that was published offers 1.2.0.
func (b *bench) wholeFleet(now time.Time) map[uint32]bool {
	b.Helper()
	files, err := filepath.Glob(b.Public("targets/*." + update.ManifestTarget))
	if err != nil || len(files) == 0 {
		b.Fatalf("published manifests: %d, %v", len(files), err)
	}
	var m update.Manifest
	for _, file := range files { // those of earlier releases are there as well
		data, err := os.ReadFile(file)
		b.must(err)
		one, err := update.ParseManifest(data)
		b.must(err)
		if len(one.Of(Variant, "x86_64")) > len(m.Of(Variant, "x86_64")) {
			m = one
		}
	}
	running, err := update.ParseVersion("1.0.0")
	b.must(err)
	out := map[uint32]bool{}
	for seed := range uint32(update.Seeds) {
		c, ok, err := m.Select(update.Request{Variant: Variant, Arch: "x86_64", Running: running, Seed: seed}, now)
		b.must(err)
		if ok && c.Release.Version.String() == "1.2.0" {
			out[seed] = true
		}
	}
	return out
}

// chosenBy returns what the updater of a node with that seed chooses at a time.
func (b *bench) chosenBy(seed uint32, now time.Time) string {
	b.Helper()
	b.must(b.Configure(b.server.URL, ""))
	text, err := os.ReadFile(b.path("updater.toml"))
	b.must(err)
	b.must(b.write("updater.toml", strings.Replace(string(text), "seed = 5\n", fmt.Sprintf("seed = %d\n", seed), 1)))
	b.run("refresh", "--clock", now.Format(time.RFC3339))
	if s := b.status(); s.ChosenUpdate != nil {
		return s.ChosenUpdate.Version
	}
	return "nothing"
}
