package bootsettings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
	"github.com/bulkhead-os/bulkhead/tools/uki/ukitest"
)

// stub returns what addons are made of.
func stub() []byte { return ukitest.Program{Spare: 6}.Bytes() }

const (
	asked    = "[kernel]\nloglevel = [\"7\"]\nconsole = [\"tty0\", \"ttyS0,115200\"]\n\"a.b\" = []\nwide = [\"two words\"]\n[init]\n\"systemd.log_level\" = [\"debug\"]\n"
	words    = `a.b console=tty0 console=ttyS0,115200 loglevel=7 wide="two words" -- systemd.log_level=debug`
	rebooted = "reboot-to-reconcile = true\n"
)

var mark = Word + "settings-" + digest(words)

func TestMakePlan(t *testing.T) {
	signed := map[string][]byte{"debug": []byte("D"), "serial": []byte("S")}
	wanted := map[string]string{settingsName: mark + " " + words}
	tests := []struct {
		name, in string
		node     Node
		want     map[string]string // the words of addons, or contents
		goal     string
		kept     bool
		state    State
		reboot   bool
		faults   []string
	}{
		{name: "nothing", goal: none},
		{name: "settings", in: asked, want: wanted, goal: mark, faults: []string{"info: settings.boot: this boot does not have the parameters that the settings ask for"}},
		{name: "as they are", in: asked, want: wanted, goal: mark, node: Node{Cmdline: "quiet " + mark + " " + words, State: State{Tried: mark}}},
		{name: "no more", goal: none, node: Node{Cmdline: "quiet " + mark + " " + words}, faults: []string{"info: settings.boot: this boot does not"}},
		{name: "reboot", in: rebooted + asked, node: Node{Booting: true}, want: wanted, goal: mark, state: State{Tried: mark}, reboot: true},
		{name: "no reboot of a node at work", in: rebooted + asked, want: wanted, goal: mark, faults: []string{"info: settings.boot: this boot does not"}},
		{
			name: "no second reboot", in: rebooted + asked, want: wanted, goal: mark, node: Node{Booting: true, State: State{Tried: mark}}, state: State{Tried: mark},
			faults: []string{"warning: settings.boot: the node was rebooted for these settings, and the boot loader did not pass them on"},
		},
		{name: "rebooted with success", in: rebooted + asked, want: wanted, goal: mark, node: Node{Booting: true, State: State{Tried: mark}, Cmdline: mark}},
		{name: "reboot to be rid of them", in: rebooted, goal: none, node: Node{Booting: true, Cmdline: mark}, state: State{Tried: none}, reboot: true},
		{
			name: "they did not come up", in: rebooted + asked, want: wanted, goal: mark, kept: true, node: Node{Booting: true, State: State{Failed: mark, Tried: mark}}, state: State{Failed: mark, Tried: mark},
			faults: []string{"warning: settings.boot: a version of the system did not come up with these parameters"},
		},
		{
			name: "others did not come up", in: asked, want: wanted, goal: mark, node: Node{State: State{Failed: Word + "settings-0"}},
			faults: []string{"info: settings.boot: this boot does not"},
		},
		{
			name: "addons of the image", in: "addons = [\"serial\", \"debug\"]\n", node: Node{Signed: signed, SecureBoot: true, Cmdline: Word + "serial " + Word + "debug"},
			want: map[string]string{"bulkhead-10-debug.addon.efi": "D", "bulkhead-10-serial.addon.efi": "S"}, goal: Word + "debug " + Word + "serial",
		},
		{
			name: "unknown addon", in: "addons = [\"fast\"]\n", node: Node{Signed: signed}, goal: none,
			faults: []string{`warning: settings.boot.addons: the image has no addon "fast"`},
		},
		{
			name: "Secure Boot", in: asked, node: Node{Signed: signed, SecureBoot: true}, goal: none,
			faults: []string{"warning: settings.boot: Secure Boot is on: the firmware takes no parameters that were not signed when the image was made"},
		},
		{
			name: "double quote", in: "[kernel]\nx = ['a\"b']\n", goal: none,
			faults: []string{`warning: settings.boot.kernel.x: the value "a\"b" has a double quote, which the command line cannot carry`},
		},
		{
			name: "too long", in: "[kernel]\nx = [\"" + strings.Repeat("y", 1300) + "\"]\n", goal: none,
			faults: []string{"warning: settings.boot: the parameters have 1302 bytes together, and the command line has room for 1280"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			tt.node.Stub = stub()
			p, err := MakePlan(s, tt.node)
			if err != nil {
				t.Fatalf("MakePlan(%q): %v", tt.in, err)
			}
			got := map[string]string{}
			for name, data := range p.Want {
				if got[name], err = addon.Cmdline(data); err != nil {
					got[name] = string(data)
				}
			}
			var faults []string
			for _, f := range p.Faults {
				faults = append(faults, string(f.Severity)+": "+f.Path+": "+f.Detail)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("MakePlan(%q): addons (-want +got):\n%s", tt.in, diff)
			}
			begins := func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
			if diff := cmp.Diff(tt.faults, faults, cmpopts.EquateEmpty(), cmp.Comparer(begins)); diff != "" {
				t.Errorf("MakePlan(%q): faults (-want +got):\n%s", tt.in, diff)
			}
			if p.Goal != tt.goal || p.Kept != tt.kept || p.Reboot != tt.reboot || p.State != tt.state {
				t.Errorf("MakePlan(%q): goal %q, kept %t, reboot %t, state %+v, want %q, %t, %t, %+v", tt.in, p.Goal, p.Kept, p.Reboot, p.State, tt.goal, tt.kept, tt.reboot, tt.state)
			}
		})
	}
}
