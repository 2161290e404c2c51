package provision

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// always is user data that wants to be taken at each boot.
func always(name, motd string) given {
	return given{name, platform.Data{UserData: []byte("[settings]\nmotd = \"" + motd + "\"\nprovision.reapply = \"always\"\n")}}
}

// startReady starts a node and waits until its API answers.
func startReady(t *testing.T) *node {
	t.Helper()
	n := start(t)
	if err := n.newRun().await(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// generations returns how many the node has.
func (n *node) generations() int { return len(n.history()) }

func TestReapply(t *testing.T) {
	tests := []struct {
		name  string
		first []Source
		since func(*node) // between the boots
		later []Source
		motd  string
		more  int // generations of the later boot
		fault string
	}{
		{name: "the same", first: []Source{always("the disc", "a")}, later: []Source{always("the disc", "a")}, motd: "a"},
		{name: "the same of two", first: []Source{text("the disc", "a"), always("the host", "b")}, later: []Source{text("the disc", "a"), always("the host", "b")}, motd: "b"},
		{
			name: "something was set since", first: []Source{always("the disc", "a")}, since: func(n *node) { n.set("mine") },
			later: []Source{always("the disc", "a")}, motd: "a", more: 1,
		},
		{name: "other user data", first: []Source{always("the disc", "a")}, later: []Source{always("the disc", "b")}, motd: "b", more: 1},
		{
			name: "other user data below the same", first: []Source{text("the disc", "a"), always("the host", "b")},
			later: []Source{text("the disc", "c"), always("the host", "b")}, motd: "b", more: 2,
		},
		{name: "gone", first: []Source{always("the disc", "a")}, later: []Source{}, motd: "a"},
		{
			name: "not to be read", first: []Source{always("the disc", "a")}, later: []Source{brokenSource{}}, motd: "a",
			fault: "warning: read the disc: scratched (the node keeps the settings that it has; correct it and reboot)",
		},
		{
			name: "once is set since", first: []Source{always("the disc", "a")}, later: []Source{always("the disc", "b")}, motd: "a",
			since: func(n *node) { n.pair("", "provision.reapply=once") }, fault: "the disc has other user data now than when",
		},
		{
			name: "always is set since", first: []Source{text("the disc", "a")}, later: []Source{text("the disc", "b")}, motd: "b", more: 1,
			since: func(n *node) { n.pair("", "provision.reapply=always") },
		},
		{
			name: "wrong as before", first: []Source{given{"the disc", platform.Data{UserData: []byte("settings.motd = \"a\"\nsettings.mtod = 1\nsettings.provision.reapply = \"always\"\n")}}},
			later: []Source{given{"the disc", platform.Data{UserData: []byte("settings.motd = \"a\"\nsettings.mtod = 1\nsettings.provision.reapply = \"always\"\n")}}}, motd: "a",
			fault: `user-data:2:10: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := start(t)
			n.bootStage(localStage, tt.first...)
			if tt.since != nil {
				tt.since(n)
			}
			before := n.generations()
			r := n.bootStage(localStage, tt.later...)
			if got := n.read("etc/motd"); got != tt.motd+"\n" {
				t.Errorf("motd: %q, want %q", got, tt.motd)
			}
			if got := n.generations() - before; got != tt.more {
				t.Errorf("the later boot made %d generations, want %d: %q", got, tt.more, n.history())
			}
			var faults []string
			for _, f := range r.faults {
				faults = append(faults, f.String())
			}
			if got := strings.Join(faults, "\n"); !strings.Contains(got, tt.fault) || tt.fault == "" && got != "" {
				t.Errorf("faults: %q, want %q", got, tt.fault)
			}
		})
	}
}

// pair sets settings through the API.
func (n *node) pair(message string, pairs ...string) {
	n.t.Helper()
	if _, err := n.api.PatchPairs(n.t.Context(), "", pairs); err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.api.Commit(n.t.Context(), client.CommitRequest{Message: message}); err != nil {
		n.t.Fatal(err)
	}
}

// The stages do not undo one another, and make no generation when nothing has
// changed. The later one counts more also when only the earlier has changed.
func TestReapplyInStages(t *testing.T) {
	n := startReady(t)
	boot := func(disc string) int {
		before := n.generations()
		n.bootStage(localStage, always("the disc", disc))
		r := n.newRun(text("the network", "network"))
		r.stage = networkStage
		var waited string
		r.ready = func() { waited = n.user() }
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(waited, `"motd":"network"`) {
			t.Errorf("settings when the boot goes on: %s, want those of the network", waited)
		}
		return n.generations() - before
	}
	var made []int
	for _, disc := range []string{"a", "a", "b", "b"} {
		made = append(made, boot(disc))
	}
	if diff := cmp.Diff([]int{2, 0, 2, 0}, made); diff != "" {
		t.Errorf("generations of each boot (-want +got):\n%s", diff)
	}
}

// A node whose first settings somebody gave in person takes user data only when
// they say so.
func TestReapplyAfterFirstSettings(t *testing.T) {
	for _, reapply := range []string{"once", "always"} {
		n := startReady(t)
		n.pair(messagePrefix+"somebody", "motd=first", "provision.reapply="+reapply)
		n.bootStage(localStage, text("the disc", "data"))
		want := map[string]string{"once": "first\n", "always": "data\n"}[reapply]
		if got := n.read("etc/motd"); got != want {
			t.Errorf("motd with reapply = %s: %q, want %q", reapply, got, want)
		}
	}
}
