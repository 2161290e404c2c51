package migration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/migration"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// Each migration that releases carry has a pair of documents: testdata/history/vN.toml
// and v(N+1).toml are the same settings. They lead to one another in both
// directions, and the newest is what the settings of today accept.
func TestHistory(t *testing.T) {
	set := migration.History()
	if err := set.Complete(); err != nil {
		t.Error(err)
	}
	oldest, newest := set.Formats()
	docs := map[int]document.Document{}
	for f := oldest; f <= newest && newest > 0; f++ {
		data, err := os.ReadFile(filepath.Join("testdata", "history", fmt.Sprintf("v%d.toml", f)))
		if err != nil {
			t.Fatalf("format %d has no example: %v", f, err)
		}
		if docs[f], err = document.ParseTOML(data); err != nil {
			t.Fatalf("v%d.toml: %v", f, err)
		}
	}
	for from := range docs {
		for to := range docs {
			got, err := set.Apply(docs[from], from, to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(docs[to].TOML()), string(got.TOML())); diff != "" {
				t.Errorf("from format %d to %d (-want +got):\n%s", from, to, diff)
			}
		}
	}
	if last, ok := docs[newest]; ok {
		if _, rep := schema.For(settings.Type, "", nil).Valid(last); rep.HasErrors() {
			t.Errorf("v%d.toml is not acceptable today: %v", newest, rep.Err())
		}
	}
}

// A set survives being written down and read again.
func TestJSON(t *testing.T) {
	set := load(t)
	oldest, newest := set.Formats()
	again, rep := migration.ParseJSON("stored", set.JSON())
	if err := rep.Err(); err != nil {
		t.Fatalf("ParseJSON(%s): %v", set.JSON(), err)
	}
	data, err := os.ReadFile(golden(oldest))
	if err != nil {
		t.Fatal(err)
	}
	d, err := document.ParseTOML(data)
	if err != nil {
		t.Fatal(err)
	}
	for to := oldest; to <= newest; to++ {
		want, err := set.Apply(d, oldest, to)
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Apply(d, oldest, to)
		if err != nil || string(got.JSON()) != string(want.JSON()) {
			t.Errorf("Apply to format %d by what was read again: %s, %v, want %s", to, got.JSON(), err, want.JSON())
		}
		if set.Fingerprint(oldest, to) != again.Fingerprint(to, oldest) {
			t.Errorf("the fingerprints from format %d to %d differ", oldest, to)
		}
	}
	if set.Fingerprint(oldest, newest) == set.Fingerprint(oldest, newest-1) {
		t.Error("fingerprints of different ways are the same")
	}
	if _, rep := migration.ParseJSON("stored", []byte("[]")); !rep.HasErrors() {
		t.Error("ParseJSON([]) accepts what is no table")
	}
}

func TestExtend(t *testing.T) {
	formats := func(first, last int) migration.Set {
		text := ""
		for f := first; f <= last; f++ {
			text += fmt.Sprintf("[[migration]]\nformat = %d\n", f)
		}
		s, rep := migration.Parse("test", []byte(text))
		if err := rep.Err(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := []struct {
		name           string
		set, more      migration.Set
		oldest, newest int
	}{
		{"nothing", migration.Set{}, migration.Set{}, 0, 0},
		{"of nothing", migration.Set{}, formats(2, 3), 1, 3},
		{"by nothing", formats(2, 3), migration.Set{}, 1, 3},
		{"by what overlaps", formats(2, 3), formats(2, 5), 1, 5},
		{"by what follows", formats(2, 3), formats(4, 5), 1, 5},
		{"by less", formats(2, 5), formats(2, 3), 1, 5},
		{"by what leaves a gap", formats(2, 3), formats(5, 6), 1, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if oldest, newest := tt.set.Extend(tt.more).Formats(); oldest != tt.oldest || newest != tt.newest {
				t.Errorf("Extend: formats %d to %d, want %d to %d", oldest, newest, tt.oldest, tt.newest)
			}
		})
	}
	if err := formats(2, 3).Complete(); err != nil {
		t.Errorf("Complete() of formats 2 and 3: %v", err)
	}
	const want = "the migrations begin with format 3, want all from format 2 on: nodes may have the settings of any release"
	if err := formats(3, 4).Complete(); err == nil || err.Error() != want {
		t.Errorf("Complete() of formats 3 and 4: %v, want %q", err, want)
	}
	if got := (migration.Set{}).Newest(); got != 1 {
		t.Errorf("Newest() of no migrations = %d, want 1", got)
	}
}

// What is accepted survives being written down.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"migration":[{"format":2,"step":[{"kind":"drop","key":"settings.a","restore":[1,"x"]}]}]}`))
	f.Add([]byte(`{"migration":[{"format":2},{"format":3,"about":"x","step":[{"kind":"map","key":"settings.a","values":[[1,2]]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, rep := migration.ParseJSON("fuzz", data)
		if rep.HasErrors() {
			return
		}
		again, rep := migration.ParseJSON("fuzz", s.JSON())
		if err := rep.Err(); err != nil {
			t.Fatalf("ParseJSON(%s): %v, after %s was accepted", s.JSON(), err, data)
		}
		if got, want := string(again.JSON()), string(s.JSON()); got != want {
			t.Errorf("JSON() = %s, and %s after it was read again", want, got)
		}
	})
}
