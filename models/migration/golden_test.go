package migration_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/migration"
)

var update = flag.Bool("update", false, "write the documents of the newer formats anew from the oldest")

// The documents testdata/vN.toml are the same settings in format N. None of
// them holds anything that the steps lose, so each leads to all others.
func TestGolden(t *testing.T) {
	set := load(t)
	oldest, newest := set.Formats()
	docs := map[int]document.Document{}
	for f := oldest; f <= newest; f++ {
		if *update && f > oldest {
			d, err := set.Apply(docs[oldest], oldest, f)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden(f), d.TOML(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(golden(f))
		if err != nil {
			t.Fatal(err)
		}
		if docs[f], err = document.ParseTOML(data); err != nil {
			t.Fatalf("ParseTOML(%s): %v", golden(f), err)
		}
	}
	for from := oldest; from <= newest; from++ {
		for to := oldest; to <= newest; to++ {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				got, err := set.Apply(docs[from], from, to)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(docs[to].TOML()), string(got.TOML())); diff != "" {
					t.Errorf("Apply(%s, %d, %d) (-want +got):\n%s", golden(from), from, to, diff)
				}
			})
		}
	}
}

func golden(format int) string { return filepath.Join("testdata", fmt.Sprintf("v%d.toml", format)) }

func load(t testing.TB) migration.Set {
	t.Helper()
	name := filepath.Join("testdata", "migrations.toml")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	set, rep := migration.Parse(name, data)
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}
