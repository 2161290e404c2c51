package migration_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/migration"
)

func TestParseFaults(t *testing.T) {
	const head = "[[migration]]\nformat = 2\n[[migration.step]]\n"
	tests := []struct {
		name, in string
		want     string // faults, one a line
	}{
		{"empty", "", ""},
		{"not TOML", "[[migration", "m:1:11: "},
		{"unknown at the top", "steps = 1", "m:1:1: steps: is not known here (want one of migration)"},
		{"no format", "[[migration]]", "m:1:3: migration.format: is missing (want an integer)"},
		{"first format", "[[migration]]\nformat = 1", "m:2:10: migration.format: format 1 cannot be reached (want 2 or more; format 1 is the first)"},
		{"a gap", "[[migration]]\nformat = 2\n[[migration]]\nformat = 4", "m:3:3: migration.format: format 4 follows format 2 (want formats that ascend by one)"},
		{"unknown kind", head + "kind = 'erase'", `m:4:8: migration.step.kind: kind "erase" is unknown (want one of add, drop, join, map, move, rename, split)`},
		{"several at once", head + "kind = 'rename'\nfrom = 'a b'\ncolour = 1", `m:5:8: migration.step.from: key "a b": character ' ' at byte 2 is not allowed, want letters, digits, _ - / and, in double quotes, dots (want a key such as settings.ntp.time-servers)
m:3:13: migration.step.to: is missing (want a string)
m:6:1: migration.step.colour: is not known here (want one of kind, from, to, only)`},
		{"wildcards differ", head + "kind = 'move'\nfrom = 'a.*'\nto = 'b'", "m:3:13: migration.step: the keys hold different numbers of * (want as many in each)"},
		{"part of a segment", head + "kind = 'drop'\nkey = 'a.b*'", `m:5:7: migration.step.key: key "a.b*": "*" stands for a whole segment, not for a part of one (want a key such as settings.ntp.time-servers)`},
		{"all settings", head + "kind = 'drop'\nkey = 'settings'", `m:5:7: migration.step.key: key "settings" names all settings, want one of them (want a key such as settings.ntp.time-servers)`},
		{"value for many", head + "kind = 'add'\nkey = 'a.*'\nvalue = 1", "m:3:13: migration.step: a value cannot be set at a key with * (want a key without *, or no value)"},
		{"value is a table", head + "kind = 'add'\nkey = 'a'\nvalue = {}", "m:6:9: migration.step: got a table (want a value that a setting can have)"},
		{"no map", head + "kind = 'map'\nkey = 'a'\nvalues = [[1, 2], [3]]", "m:6:1: migration.step.values: got a list (want pairs: [[old, new], …])"},
		{"map that cannot be reversed", head + "kind = 'map'\nkey = 'a'\nvalues = [[1, 3], [2, 3]]", "m:6:1: migration.step.values: a value stands on the same side of two pairs (want a map that can be reversed)"},
		{"split into one", head + "kind = 'split'\nfrom = 'a'\nto = ['b']\nseparator = ':'", "m:3:13: migration.step.to: got 1 keys (want two or more)"},
		{"split by nothing", head + "kind = 'split'\nfrom = 'a'\nto = ['b', 'c']", "m:3:13: migration.step: neither separator nor cases are given (want one of them)"},
		{"unknown type", head + "kind = 'join'\nto = 'a'\nfrom = ['b', 'c']\nseparator = ':'\ntypes = ['string', 'bool']", `m:8:20: migration.step.types: type "bool" is unknown (want "string" or "integer")`},
		{"case of another length", head + "kind = 'split'\nfrom = 'a'\nto = ['b', 'c']\ncases = [{ from = 1, to = [2] }]", "m:7:22: migration.step.cases.to: got 1 values (want 2, one for each key)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, rep := migration.Parse("m", []byte(tt.in))
			var lines []string
			for _, f := range rep.Faults {
				lines = append(lines, f.String())
			}
			got := strings.Join(lines, "\n")
			if strings.HasSuffix(tt.want, ": ") && strings.HasPrefix(got, tt.want) { // a fault of the TOML text, worded by its reader
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%q): faults (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// Whatever is accepted leads every document of settings to one that can be
// stored, there and back.
func FuzzParse(f *testing.F) {
	for _, step := range []string{
		"kind='rename'\nfrom='a.x'\nto='a'\nonly=1",
		"kind='move'\nfrom='a.*'\nto='*.b'",
		"kind='drop'\nkey='a'\nrestore=[1]",
		"kind='add'\nkey='a.b.c'\nvalue='x'",
		"kind='map'\nkey='a'\nvalues=[[1,2]]\nelements=true",
		"kind='split'\nfrom='a'\nto=['a.b','c']\nseparator=':'",
		"kind='join'\nfrom=['a','b']\nto='a.b'\ncases=[{from=[1,2],to=3}]",
	} {
		f.Add("[[migration]]\nformat=2\n[[migration.step]]\n"+step, "a.x=1\nb=2\nc.d='p:q'")
	}
	f.Fuzz(func(t *testing.T, text, settings string) {
		set, rep := migration.Parse("fuzz", []byte(text))
		d, err := document.ParseTOML([]byte("[settings]\n" + settings))
		if rep.HasErrors() || err != nil {
			return
		}
		oldest, newest := set.Formats()
		for _, way := range [][2]int{{oldest, newest}, {newest, oldest}} {
			got, err := set.Apply(d, way[0], way[1])
			if err != nil {
				t.Fatalf("Apply(%s, %d, %d): %v", d.JSON(), way[0], way[1], err)
			}
			back, err := document.ParseTOML(got.TOML())
			if err != nil || !back.Equal(got) {
				t.Fatalf("Apply(%s, %d, %d) = %s, which is stored as %s (%v)", d.JSON(), way[0], way[1], got.JSON(), back.JSON(), err)
			}
		}
	})
}
