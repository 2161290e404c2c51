package provision

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
)

func TestRefuse(t *testing.T) {
	const text = `[settings]
motd = "a"
network.hostname = "b"
[[settings.mirrors]]
registry = "c"
[settings.ntp]
servers = ["d"]
[[settings.mirrors]]
registry = "e"
[settings."x.y"]
z = { u = 1, v = 2 }
`
	tests := []struct {
		name string
		in   []report.Fault
		want string // settings that are left
		at   [][2]int
	}{
		{
			"by its name",
			[]report.Fault{{Path: "settings.motd"}},
			`{"network":{"hostname":"b"},"mirrors":[{"registry":"c"},{"registry":"e"}],"ntp":{"servers":["d"]},"x.y":{"z":{"u":1,"v":2}}}`,
			[][2]int{{2, 1}},
		},
		{
			"last of a table",
			[]report.Fault{{Path: "settings.network.hostname"}, {Path: `settings."x.y".z.u`}},
			`{"motd":"a","mirrors":[{"registry":"c"},{"registry":"e"}],"ntp":{"servers":["d"]},"x.y":{"z":{"v":2}}}`,
			[][2]int{{3, 9}, {11, 7}},
		},
		{
			"item of a list, twice",
			[]report.Fault{{Path: "settings.mirrors[1].registry", Line: 9, Column: 12}, {Path: "settings.mirrors[0]", Line: 5, Column: 12}},
			`{"motd":"a","network":{"hostname":"b"},"ntp":{"servers":["d"]},"x.y":{"z":{"u":1,"v":2}}}`,
			[][2]int{{9, 12}, {5, 12}},
		},
		{
			"missing member",
			[]report.Fault{{Path: "settings.ntp.options"}},
			`{"motd":"a","network":{"hostname":"b"},"mirrors":[{"registry":"c"},{"registry":"e"}],"x.y":{"z":{"u":1,"v":2}}}`,
			[][2]int{{6, 11}},
		},
		{
			"by another name",
			[]report.Fault{{Path: "settings.time.hosts", Line: 7, Column: 12}},
			`{"motd":"a","network":{"hostname":"b"},"mirrors":[{"registry":"c"},{"registry":"e"}],"x.y":{"z":{"u":1,"v":2}}}`,
			[][2]int{{7, 12}},
		},
		{"all", []report.Fault{{Path: "settings"}}, `{}`, [][2]int{{1, 2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, rep := parse([]byte(text))
			if len(rep.Faults) > 0 {
				t.Fatal(rep.Faults)
			}
			out, less := u.refuse(tt.in)
			if got := string(u.json()); got != `{"settings":`+tt.want+`}` || !less {
				t.Errorf("refuse(%v) leaves %s, %v, want %s", tt.in, got, less, tt.want)
			}
			var at [][2]int
			for _, f := range out {
				at = append(at, [2]int{f.Line, f.Column})
			}
			if diff := cmp.Diff(tt.at, at); diff != "" {
				t.Errorf("refuse(%v): places (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// The work grows with the text, and not with the text times its faults.
func TestRefuseGrowsSlowly(t *testing.T) {
	wide := func(i int) string { return fmt.Sprintf("k%d = 1\n", i) }
	tables := func(i int) string { return fmt.Sprintf("[settings.t%d]\nk = 1\n", i) }
	tests := []struct {
		name string
		item func(i int) string
		at   func(i int) report.Fault
	}{
		{"by name", wide, func(i int) report.Fault {
			return report.Fault{Path: fmt.Sprintf("settings.k%d", i), Line: i + 2, Column: 1}
		}},
		{"by place", wide, func(i int) report.Fault { return report.Fault{Path: "settings.other", Line: i + 2, Column: 3} }},
		{"in tables", tables, func(i int) report.Fault { return report.Fault{Path: fmt.Sprintf("settings.t%d.k", i)} }},
		{"missing in tables", tables, func(i int) report.Fault { return report.Fault{Path: fmt.Sprintf("settings.t%d.missing", i)} }},
		{"not there", wide, func(i int) report.Fault {
			return report.Fault{Path: fmt.Sprintf("settings.none%d", i), Line: 1, Column: 2}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			looked := func(n int) int {
				text := "[settings]\n"
				var faults []report.Fault
				for i := range n {
					text += tt.item(i)
					faults = append(faults, tt.at(i))
				}
				u, rep := parse([]byte(text))
				if len(rep.Faults) > 0 {
					t.Fatal(rep.Faults)
				}
				if _, less := u.refuse(faults); !less {
					t.Fatalf("refuse of %d faults takes out nothing", n)
				}
				return u.looked
			}
			few, many := looked(200), looked(1600)
			if many > 16*few { // eight times as much, and a little for searching
				t.Errorf("refuse looked at %d members for 200 faults and at %d for 1600", few, many)
			}
		})
	}
}

// Whatever is refused makes the user data smaller, so that refusing ends, and
// what is left can be read.
func FuzzRefuse(f *testing.F) {
	for _, s := range []string{greeting, wrong, "settings = 5", "[settings]\na.b.c = [1, {d = 2}]\n[[settings.e]]\nf = 1\n", "\x1f\x8b", "[settings]\n\"\" = 1"} {
		f.Add([]byte(s), "settings.a.b", 2, 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, path string, line, column int) {
		u, _ := parse(data)
		for !u.empty() {
			before := u.json()
			if !json.Valid(before) {
				t.Fatalf("user data %q is %q, want JSON", data, before)
			}
			_, less := u.refuse([]report.Fault{{Path: path, Line: line, Column: column}})
			if !less {
				return
			}
			if after := u.json(); len(after) >= len(before) {
				t.Fatalf("refusing %q at %d:%d in %q leaves %q of %q", path, line, column, data, after, before)
			}
		}
	})
}
