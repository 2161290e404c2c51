package userdata_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/userdata"
)

func TestPlace(t *testing.T) {
	const text = `[settings]
motd = "a"
[[settings.mirrors]]
registry = "c"
[[settings.mirrors]]
registry = ["e",
 "f"]
[settings."x.y"]
"a b" = 1
settings = 2
`
	in := mail("\n"+text, "Content-Transfer-Encoding: base64\n\n"+base("[settings]\nntp.options = [\"x\"]\nx.settings = 1"))
	tests := []struct {
		path   string
		source string
		want   syntax.Pos
	}{
		{"settings.motd", "", syntax.Pos{Line: 8, Column: 1}},
		{"motd", "", syntax.Pos{Line: 8, Column: 1}},
		{"settings.motd.x", "", syntax.Pos{Line: 8, Column: 1}},
		{"settings.mirrors[0]", "", syntax.Pos{Line: 9, Column: 12}},
		{"settings.mirrors[1].registry", "", syntax.Pos{Line: 12, Column: 1}},
		{"settings.mirrors[1].registry[1]", "", syntax.Pos{Line: 13, Column: 2}},
		{"settings.mirrors[7].registry", "", syntax.Pos{Line: 9, Column: 12}},
		{`settings."x.y"."a b"`, "", syntax.Pos{Line: 15, Column: 1}},
		{`settings."x.y".settings`, "", syntax.Pos{Line: 16, Column: 1}},
		{`settings."x.y`, "", syntax.Pos{}},
		{"settings.ntp.options[0]", "part 2", syntax.Pos{Line: 2, Column: 16}},
		{"settings.ntp.options", "part 2", syntax.Pos{Line: 2, Column: 5}},
		{"settings.none", "", syntax.Pos{}},
		{"", "", syntax.Pos{}},
	}
	got := userdata.Decode([]byte(in))
	if len(got.Report.Faults) > 0 {
		t.Fatal(got.Report.Faults)
	}
	for _, tt := range tests {
		if source, at := got.Place(tt.path); source != tt.source || at != tt.want {
			t.Errorf("Place(%q) = %q, %v, want %q, %v", tt.path, source, at, tt.source, tt.want)
		}
	}
}
