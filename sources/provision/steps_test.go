package provision

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// What the console shows of some boots of a node.
func TestSteps(t *testing.T) {
	n := start(t)
	n.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	wide := given{"the\x1b[2J" + strings.Repeat("x", 300), platform.Data{}}
	boots := []struct {
		name    string
		stage   stage
		sources []Source
		want    []string
	}{
		{
			name: "nothing yet", stage: localStage, sources: []Source{wide},
			want: []string{"provision: no user data was found", "provision: found by generators: update-seed, hostname", "provision: settings were applied: N files, N units"},
		},
		{
			name: "from two places", stage: localStage,
			sources: []Source{
				given{"the disc", platform.Data{From: "cidata on /dev/sr0, user-data", UserData: []byte("settings.motd = \"a\"\nsettings.mtod = 1\n")}},
				given{"the host", platform.Data{UserData: []byte("settings.motd = 1\n")}},
				brokenSource{},
			},
			want: []string{
				"provision: the disc cannot be read: scratched", "provision: user data was found in the disc (cidata on /dev/sr0, user-data)", "provision: user data was found in the host",
				"provision: user data of the disc: 1 fault, the rest is generation 1", "provision: user data of the host: 1 fault, and nothing that can be taken", "provision: settings were applied: N files, N units",
			},
		},
		{
			name: "later", stage: localStage, sources: []Source{text("the disc", "b")},
			want: []string{"provision: user data was taken on D", "provision: the disc has other user data now than when the node took its own; it is not taken", "provision: settings were applied: N files, N units"},
		},
		{
			name: "from the network", stage: networkStage, sources: []Source{text("the network", "c")},
			want: []string{
				"provision: asking the network; for 2m at most", "provision: user data was found in the network", "provision: user data of the network: it is valid, generation 2",
				"provision: settings were applied: N files, N units",
			},
		},
	}
	digits := strings.NewReplacer("1 file,", "N files,", "1 unit", "N units")
	numbers, date := regexp.MustCompile(`\d+ (file|unit)s`), regexp.MustCompile(`\d{4}-\d\d-\d\d`)
	for _, tt := range boots {
		var got []string
		r := n.newRun(tt.sources...)
		r.stage, r.runner = tt.stage, options{root: n.root}.newRunner(r)
		r.show = func(line string) error {
			line = numbers.ReplaceAllString(digits.Replace(line), "N ${1}s")
			got = append(got, strings.TrimSuffix(date.ReplaceAllString(line, "D"), "\n"))
			return errors.New("nobody looks") // which is no fault
		}
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: steps (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Names of others neither reach the terminal as they are nor flood it.
func TestSayPlain(t *testing.T) {
	var got string
	r := &run{show: func(line string) error { got = line; return nil }}
	r.say("%s", "a\x1b[2J\n"+strings.Repeat("x", 1000))
	if len(got) > 200 || strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 1 {
		t.Errorf("say wrote %q, want one short line", got)
	}
}
