package boottest_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/cli"
	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/imds"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
	"github.com/bulkhead-os/bulkhead/tools/vm"
)

// addDisk gives a machine one more disk.
func addDisk(m *vm.Machine, file string) {
	m.Disks = append(m.Disks, vm.Disk{Path: file, Write: vm.Forget})
}

// A way is one in which a node is given its user data.
type way struct {
	name   string
	source string // as the history has it
	option func(t *testing.T, lab *boottest.Lab) boottest.Options
}

// disk is a way over a medium with a label, on which the text is in a file.
func disk(label, file string) way {
	return way{label, "the labelled medium", func(t *testing.T, lab *boottest.Lab) boottest.Options {
		return boottest.Options{Give: func(m *vm.Machine, text string) error {
			addDisk(m, lab.Medium(t, label, map[string]string{file: text}))
			return nil
		}}
	}}
}

var ways = []way{
	{"firmware's tables", "the credential bulkhead.user-data", func(*testing.T, *boottest.Lab) boottest.Options { return boottest.Options{} }},
	{"QEMU's device", "the credential bulkhead.user-data", func(*testing.T, *boottest.Lab) boottest.Options {
		return boottest.Options{Give: func(m *vm.Machine, text string) error {
			m.Credentials, m.ByDevice = map[string]string{"bulkhead.user-data": text}, true
			return nil
		}}
	}},
	{"disc of apiclient", "the labelled medium", disc},
	disk("CIDATA", "user-data"),
	disk("CONFIG-2", "openstack/latest/user_data"),
	disk("BULKHEAD", "user-data.toml"),
	{"metadata service", "the metadata service", metadata},
}

// disc is a way over a disc that apiclient makes.
func disc(t *testing.T, _ *boottest.Lab) boottest.Options {
	return boottest.Options{Give: func(m *vm.Machine, text string) error {
		dir := t.TempDir()
		in, out := filepath.Join(dir, "user-data.toml"), filepath.Join(dir, "cidata.iso")
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			return err
		}
		cmd := cli.Command()
		cmd.SetArgs([]string{"user-data", "new", "--variant", testimage.Variant, "--to", "iso", "--out", out, in})
		cmd.SetOut(t.Output())
		cmd.SetErr(t.Output())
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			return err
		}
		addDisk(m, out)
		return nil
	}}
}

// metadata is a way over the metadata service of a machine that is in EC2.
func metadata(*testing.T, *boottest.Lab) boottest.Options {
	s := imds.New(imds.Options{Instance: imds.Instance{ID: "i-0123456789abcdef0", Region: "eu-central-1", Hostname: "ip-10-0-0-7"}})
	return boottest.Options{
		Give: func(m *vm.Machine, text string) error {
			m.Maker = "Amazon EC2"
			s.Change(func(o *imds.Options) { o.UserData = []byte(text) })
			return nil
		},
		Services: map[string]func(net.Listener) error{imds.IPv4: s.Serve},
	}
}

// The same text, however a node is given it, comes to the same settings, and all
// files are what they say.
func TestWaysOfUserData(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	fresh := lab.NewDisk(t)
	const text = userData + "[settings.ntp]\ntime-servers = [\"ntp.example.org\"]\n[settings.network]\nhostname = \"n1.example.org\"\n"
	got := make([]string, len(ways))
	t.Run("ways", func(t *testing.T) {
		for i, w := range ways {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				opt := w.option(t, lab)
				opt.UserData = text
				n := fresh.Copy(t).Boot(opt)
				n.AwaitReady()
				n.AwaitHealth("ok")
				checkSource(t, n, w.source)
				got[i] = effective(t, n)
			})
		}
	})
	for i, w := range ways[1:] {
		if got[0] == "" || got[i+1] == "" {
			continue // it failed, or was not asked for
		}
		if diff := cmp.Diff(got[0], got[i+1]); diff != "" {
			t.Errorf("settings given by %s (-%s +%s):\n%s", w.name, ways[0].name, w.name, diff)
		}
	}
}

// checkSource checks where user data was taken from.
func checkSource(t *testing.T, n *boottest.Node, want string) {
	t.Helper()
	list, err := n.API.Generations(t.Context(), 0, 0)
	must(t, err)
	var from []string
	for _, g := range list {
		if rest, ok := strings.CutPrefix(g.Message, "user data of "); ok {
			name, _, _ := strings.Cut(rest, ", sha256")
			from = append(from, name)
		}
	}
	if diff := cmp.Diff([]string{want}, from); diff != "" {
		t.Errorf("sources of user data (-want +got):\n%s", diff)
	}
}

// effective returns the settings that are in effect, but for those that differ
// between nodes, after checking that all files follow from them.
func effective(t *testing.T, n *boottest.Node) string {
	t.Helper()
	s, err := n.API.Settings(t.Context(), client.Query{})
	must(t, err)
	p, err := n.API.Plan(t.Context(), client.PlanRequest{})
	must(t, err)
	if p.Host == nil || len(p.Host.Files) > 0 || len(p.Host.Units) > 0 {
		t.Errorf("plan of a node at rest: %+v, want nothing to do", p.Host)
	}
	var lines []string
	for k, v := range s.Document.All() {
		if k.String() != "settings.updates.seed" {
			lines = append(lines, k.String()+" = "+string(v.JSON()))
		}
	}
	return strings.Join(lines, "\n")
}

// Two media that say different things are both left alone, and the node can be
// reached and says so.
func TestTwoMedia(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	n := lab.NewDisk(t).Boot(boottest.Options{UserData: userData, Give: func(m *vm.Machine, text string) error {
		m.Credentials = map[string]string{"bulkhead.user-data": text}
		for _, motd := range []string{"one", "two"} {
			addDisk(m, lab.Medium(t, "CIDATA", map[string]string{"user-data": "[settings]\nmotd = \"" + motd + "\"\n"}))
		}
		return nil
	}})
	line := n.Await(") is ready", ") is degraded")
	if !strings.Contains(line.Text, "there are 2 media with the label cidata, which differ") {
		t.Errorf("console: %q, want that there are two media", line.Text)
	}
	if got := setting(t, n, "motd"); got != `"from user data"` {
		t.Errorf("motd: %s, want what the credential says", got)
	}
}
