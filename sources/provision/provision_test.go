package provision

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/apiserver"
	"github.com/bulkhead-os/bulkhead/sources/apply"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A node is a root with a daemon and an apply service, which writes files and
// records what it would do with units.
type node struct {
	t    testing.TB
	root string
	api  *client.Client
	data credential
}

// start starts a node that boots for the first time.
func start(t testing.TB) *node { return startAs(t, "qemu-dev") }

// startAs starts a node of a variant.
func startAs(t testing.TB, variant string) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "provision") // t.TempDir is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, root: dir, data: credential{filepath.Join(dir, "credentials")}}
	packages, err := filepath.Abs("../../packages")
	if err != nil {
		t.Fatal(err)
	}
	n.write("usr/lib/os-release", "VARIANT_ID="+variant+"\nVERSION_ID=1.2.3\n")
	n.write("usr/share/bulkhead/nothing", "")
	n.write("run/nothing", "")
	if err := os.Symlink(packages, n.path("usr/share/bulkhead/packages")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		cmd := apply.Command()
		cmd.SetArgs([]string{"--root", dir, "--socket", n.path("apply.sock"), "--units", "record"})
		cmd.SetErr(new(bytes.Buffer))
		if err := cmd.ExecuteContext(ctx); err != nil {
			t.Errorf("apply: %v", err)
		}
	})
	work.Go(func() {
		opt := apiserver.Options{
			Root: dir, Image: dir, Socket: n.path("api.sock"), SocketGID: -1, ReadSocketGID: -1, ApplySocket: n.path("apply.sock"), Retain: 200,
		}
		if err := apiserver.Run(ctx, opt, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("apiserver: %v", err)
		}
	})
	n.api = client.New(n.path("api.sock"))
	t.Cleanup(func() {
		stop()
		work.Wait()
		_ = os.RemoveAll(dir)
	})
	return n
}

func (n *node) path(name string) string { return filepath.Join(n.root, name) }

func (n *node) write(name, text string) {
	n.t.Helper()
	if err := os.MkdirAll(filepath.Dir(n.path(name)), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(n.path(name), []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) read(name string) string {
	n.t.Helper()
	data, err := os.ReadFile(n.path(name))
	if err != nil {
		n.t.Fatal(err)
	}
	return string(data)
}

// give puts text where the node finds its user data.
func (n *node) give(text string) { n.write("credentials/"+Credential, text) }

// run runs the program with the node's own source, or the given ones.
func (n *node) run(sources ...Source) error {
	if sources == nil {
		sources = []Source{n.data}
	}
	r := n.newRun(sources...)
	ctx, cancel := context.WithTimeout(n.t.Context(), 30*time.Second)
	defer cancel()
	return r.run(ctx)
}

// newRun returns a run of the program that is yet to be run.
func (n *node) newRun(sources ...Source) *run {
	return &run{
		api: n.api, stage: localStage, sources: sources, state: n.path("var/lib/bulkhead/provision"), health: n.path(healthfile.Dir),
		runtime: n.path("run/bulkhead/provision"),
		now:     time.Now, log: slog.New(slog.DiscardHandler),
	}
}

// boot runs the program, which must go well.
func (n *node) boot(sources ...Source) {
	n.t.Helper()
	if err := n.run(sources...); err != nil {
		n.t.Fatal(err)
	}
}

// user returns the settings that somebody has set, as JSON.
func (n *node) user() string {
	n.t.Helper()
	s, err := n.api.Settings(n.t.Context(), client.Query{Layer: client.User})
	if err != nil {
		n.t.Fatal(err)
	}
	return string(s.Document.JSON())
}

// history returns the messages of the generations, newest first.
func (n *node) history() []string {
	n.t.Helper()
	list, err := n.api.Generations(n.t.Context(), 0, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	out := []string{}
	for _, g := range list {
		out = append(out, g.Message)
	}
	return out
}

// faults returns what the node reports, as text.
func (n *node) faults() []string {
	n.t.Helper()
	h, err := n.api.Health(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	out := []string{}
	for _, f := range h.Faults {
		out = append(out, f.String())
	}
	return out
}

// set sets the greeting through the API, as somebody would later on.
func (n *node) set(motd string) {
	n.t.Helper()
	n.pair("", "motd="+motd)
}

const greeting = "[settings]\nmotd = \"from user data\"\n"

func TestFirstBoot(t *testing.T) {
	n := start(t)
	n.give(greeting)
	n.boot()
	if got := n.read("etc/motd"); got != "from user data\n" {
		t.Errorf("motd after the first boot: %q, want that of the user data", got)
	}
	if got := n.read("etc/chrony/chrony.conf"); !strings.Contains(got, "pool ") {
		t.Errorf("chrony.conf after the first boot: %q, want servers in it", got)
	}
	want := []string{"user data of the credential bulkhead.user-data, sha256:" + digest([]byte(greeting))[:12]}
	if diff := cmp.Diff(want, n.history()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{}, n.faults()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	info, err := os.Stat(n.path("var/lib/bulkhead/provision/user-data.json"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("record: %v, %v, want mode 0600", info, err)
	}
}

// At later boots user data counts no more, and everything is applied all the
// same.
func TestLaterBoot(t *testing.T) {
	n := start(t)
	n.give(greeting)
	n.boot()
	n.set("mine")
	if err := os.RemoveAll(n.path("etc")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(n.path("run/bulkhead/apply")); err != nil {
		t.Fatal(err)
	}
	n.give("[settings]\nmotd = \"newer\"\n")
	n.boot()
	if got := n.read("etc/motd"); got != "mine\n" {
		t.Errorf("motd after the second boot: %q, want what was set since", got)
	}
}

// A power cut between the commit and the record is made up for without taking
// back what was set since.
func TestPowerCutBeforeRecord(t *testing.T) {
	n := start(t)
	n.give(greeting)
	n.boot()
	n.set("mine")
	record := n.path("var/lib/bulkhead/provision/user-data.json")
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	n.boot()
	if got := n.user(); got != `{"motd":"mine"}` {
		t.Errorf("settings: %s, want what was set since", got)
	}
	if _, err := os.Stat(record); err != nil {
		t.Errorf("record after the next boot: %v, want one", err)
	}
}

// A node without user data takes what it finds at a later boot.
func TestNoUserData(t *testing.T) {
	n := start(t)
	n.boot()
	if got := n.user(); got != "{}" {
		t.Errorf("settings: %s, want none", got)
	}
	if got := n.read("etc/motd"); got == "" {
		t.Error("motd: empty, want the default")
	}
	n.give(greeting)
	n.boot()
	if got := n.user(); got != `{"motd":"from user data"}` {
		t.Errorf("settings: %s, want those of the user data", got)
	}
}

const wrong = `other = 1
[settings]
motd = "hi"
mtod = "x"
[[settings.container-registry.mirrors]]
registry = "example.org"
endpoint = ["https://mirror.example.org"]
[settings.ntp]
options = ["iburst"]
time-servers = ["ok.example.org", "not ok", 5]
[settings.kernel]
lockdown = "wat"
[settings.kernel.sysctl]
"net.ipv4.ip_forward" = "1"
[settings.bootstrap-containers.x]
mode = "once"
[settings.host-containers.admin]
enabled = "yes"
`

func TestFaults(t *testing.T) {
	tests := []struct {
		name, in string
		want     string // settings
		faults   []string
	}{
		{name: "nothing", in: "", want: "{}"},
		{name: "white space", in: " \n", want: "{}"},
		{
			name: "not TOML", in: "[settings]\nmotd = hi\n", want: "{}",
			faults: []string{"user-data:2:8: TOML: unexpected character U+0068 'h' at start of value (want TOML 1.0)"},
		},
		{
			name: "no settings", in: "motd = \"hi\"\n", want: "{}",
			faults: []string{"user-data: user data has no table settings (settings belong below [settings] in TOML, in {\"settings\": {…}} in JSON)"},
		},
		{
			name: "broken gzip", in: "\x1f\x8b\x08nonsense", want: "{}",
			faults: []string{"user-data: user data in gzip cannot be unpacked: unexpected EOF (pack it again; a text cut off on its way ends too early)"},
		},
		{
			name: "given twice", in: "[settings]\nmotd = \"a\"\nmotd = \"b\"\n[settings.ntp]\noptions = [\"iburst\"]\n", want: `{"ntp":{"options":["iburst"]}}`,
			faults: []string{`user-data:3:1: settings.motd: key "motd" is given twice (it stands first in line 2, column 1)`},
		},
		{
			name: "only wrong ones", in: "[settings]\nmotd = 5\n", want: "{}",
			faults: []string{"user-data:2:8: settings.motd: want a string, got 5"},
		},
		{
			name: "settings are no table", in: "settings = 5\n", want: "{}",
			faults: []string{"user-data:1:12: settings: want a table, got 5"},
		},
		{
			name: "of many kinds", in: wrong,
			want: `{"container-registry":{"mirrors":[{"registry":"example.org","endpoint":["https://mirror.example.org/"]}]},` +
				`"kernel":{"sysctl":{"net.ipv4.ip_forward":"1"}},"motd":"hi","ntp":{"options":["iburst"]}}`,
			faults: []string{
				`user-data:1:1: info: other: "other" stands beside "settings" and is ignored (settings belong below [settings])`,
				`user-data:4:1: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`,
				`user-data:10:35: settings.ntp.time-servers[1]: time server: URL "not ok" cannot be parsed, as it is or with http:// in front (want a host name or an IP address)`,
				"user-data:10:45: settings.ntp.time-servers[2]: want a string, got 5",
				`user-data:12:12: settings.kernel.lockdown: lockdown mode "wat" is not known (want one of none, integrity or confidentiality)`,
				`user-data:18:11: settings.host-containers.admin.enabled: want true or false without quotes, got "yes"`,
				"user-data:15:32: settings.bootstrap-containers.x.source: mode is once and source is not set, so there is nothing to run (set source to a container image, or mode to off)",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := start(t)
			n.give(tt.in)
			n.boot()
			if diff := cmp.Diff(tt.want, n.user()); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, tt.faults...), n.faults()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// Other languages end in the same settings, and faults of settings have their
// places in the author's text, whichever part it is in.
func TestOtherLanguages(t *testing.T) {
	const cloud = "#cloud-config\nhostname: -x\nntp:\n  servers: [a.example.org]\nruncmd: [x]\n"
	tests := []struct {
		name, in string
		want     string
		faults   []string
	}{
		{name: "JSON", in: `{"settings": {"motd": "hi", "mtod": 1}}`, want: `{"motd":"hi"}`, faults: []string{`user-data:1:29: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`}},
		{name: "TOML in base64", in: base64.StdEncoding.EncodeToString([]byte("[settings]\nmotd = \"hi\"\nmtod = 1\n")), want: `{"motd":"hi"}`, faults: []string{`user-data:3:1: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`}},
		{
			name: "cloud-config", in: cloud, want: `{"ntp":{"time-servers":["a.example.org"]}}`,
			faults: []string{
				"user-data:5:1: runcmd: cloud-config asks for what no setting stands for (settings.bootstrap-commands runs apiclient commands at boot; anything else belongs into a container, see settings.bootstrap-containers)",
				`user-data:2:11: settings.network.hostname: host name "-x": label "-x" starts with a hyphen (want labels of lower-case letters, digits and hyphens joined by dots, each of 1 to 63 bytes and not starting with a hyphen)`,
			},
		},
		{
			name: "parts", want: `{"motd":"hi"}`,
			in: "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n[settings]\nmotd = \"hi\"\n[settings.ntp]\ntime-servers = [\"ok.example.org\", \"not ok\"]\n--b\n" +
				"Content-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("[settings]\n\nkernel.lockdown = \"wat\"\n")) + "\n--b--\n",
			faults: []string{
				`user-data:8:35: settings.ntp.time-servers[1]: time server: URL "not ok" cannot be parsed, as it is or with http:// in front (want a host name or an IP address)`,
				`user-data part 2:3:8: settings.kernel.lockdown: lockdown mode "wat" is not known (want one of none, integrity or confidentiality)`,
			},
		},
		{
			name: "Ignition", in: `{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/etc/hostname", "contents": {"source": "data:,n1"}}, {"path": "/etc/motd"}]}}`,
			want:   `{"network":{"hostname":"n1"}}`,
			faults: []string{"user-data:1:121: storage.files[1]: Ignition asks for what no setting stands for (set settings.motd)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := start(t)
			n.give(tt.in)
			n.boot()
			if diff := cmp.Diff(tt.want, n.user()); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, tt.faults...), n.faults()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// What was wrong with the user data is known later on, and does not make the
// node degraded any more.
func TestFaultsOfAnEarlierBoot(t *testing.T) {
	n := start(t)
	n.give("[settings]\nmotd = 5\n")
	n.boot()
	if h, err := n.api.Health(t.Context()); err != nil || h.Status != "degraded" {
		t.Errorf("health after the first boot: %+v, %v, want degraded", h, err)
	}
	n.boot()
	h, err := n.api.Health(t.Context())
	if err != nil || h.Status != "ok" || len(h.Faults) != 1 || h.Faults[0].Severity != report.Info {
		t.Errorf("health after the second boot: %+v, %v, want ok with an information", h, err)
	}
}

func TestPacked(t *testing.T) {
	n := start(t)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(greeting)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	n.give(b.String())
	n.boot()
	if got := n.user(); got != `{"motd":"from user data"}` {
		t.Errorf("settings: %s, want those of the user data", got)
	}
}

// A brokenSource is one that cannot be read.
type brokenSource struct{}

func (brokenSource) Name() string { return "the disc" }
func (brokenSource) Read(context.Context) (platform.Data, error) {
	return platform.Data{}, errors.New("scratched")
}

// A source that cannot be read keeps neither others nor the apply from counting.
func TestBrokenSource(t *testing.T) {
	n := start(t)
	n.give(greeting)
	n.boot(brokenSource{}, n.data)
	if got := n.read("etc/motd"); got != "from user data\n" {
		t.Errorf("motd: %q, want that of the other source", got)
	}
	want := []string{"provision: read the disc: scratched (correct it and reboot)"}
	if diff := cmp.Diff(want, n.faults()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// When it cannot be remembered that user data was taken, the node comes up, and
// does not take it twice.
func TestNoRoomForRecord(t *testing.T) {
	n := start(t)
	n.give(greeting)
	n.write("var/lib/bulkhead/provision", "in the way")
	n.boot()
	if got := n.faults(); len(got) != 2 || !strings.Contains(got[1], "remember that user data was taken: ") {
		t.Errorf("faults: %q, want that the record is neither read nor written", got)
	}
	n.set("mine")
	n.boot()
	if got := n.user(); got != `{"motd":"mine"}` {
		t.Errorf("settings: %s, want what was set since", got)
	}
}

// A record that says nothing still says that there was user data.
func TestBrokenRecord(t *testing.T) {
	n := start(t)
	n.give(greeting)
	n.write("var/lib/bulkhead/provision/user-data.json", "{")
	n.boot()
	if got := n.user(); got != "{}" {
		t.Errorf("settings: %s, want none", got)
	}
	if got := n.faults(); len(got) != 1 || !strings.Contains(got[0], "what is known of the user data: ") {
		t.Errorf("faults: %q, want one about the record", got)
	}
}

func TestSilentAPI(t *testing.T) {
	r := &run{api: client.New(filepath.Join(t.TempDir(), "s")), log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := r.run(ctx)
	if err == nil || !strings.HasPrefix(err.Error(), "wait for the settings API: ") || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run without an API: %v, want that it was waited for", err)
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"now"}, {"--loud"}} {
		cmd := Command()
		cmd.SetArgs(args)
		err := cmd.Execute()
		coder, ok := err.(interface{ ExitCode() int })
		if !ok || coder.ExitCode() != 2 {
			t.Errorf("provision %q: %v, want a misuse", args, err)
		}
	}
}
