package up

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/contexts"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write puts a file below dir and returns its path.
func write(t *testing.T, text string, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func TestReadUserData(t *testing.T) {
	root, err := workspace.Find(".")
	must(t, err)
	tests := []struct {
		name, text string
		want       string // FILE stands for the file
	}{
		{"usual", "[settings]\nmotd = \"hi\"\n[settings.network]\nhostname = \"web\"\n", ""},
		{"tables of other programs", "[settings]\nmotd = \"hi\"\n[other]\na = 1\n", ""},
		{"several faults", "[settings]\nmotdd = \"hi\"\n[settings.network]\nhostname = \"-web\"\n", "user data: FILE:2:1: settings.motdd: "},
		{
			"what makes the node reachable", "[settings.api.remote]\nenabled = false\n",
			"user data: FILE:2:11: settings.api.remote.enabled: shipyard up sets it, so that it reaches the node (take it out, and change it with apiclient once the node is up)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, tt.text, t.TempDir(), "user.toml")
			_, err := readUserData(root, "qemu-dev", file)
			got := strings.ReplaceAll(text(err), file, "FILE")
			if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("readUserData of\n%serror %q, want %q", tt.text, got, tt.want)
			}
			if tt.name == "several faults" && !strings.Contains(got, "\nFILE:4:12: settings.network.hostname: ") {
				t.Errorf("readUserData: error %q, want the second fault on a line of its own", got)
			}
		})
	}
	_, err = readUserData(root, "qemu-dev", "/nowhere")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("readUserData of a file that is not there: %v, want %v", err, fs.ErrNotExist)
	}
}

// newTestJob returns a job with a cluster that is not there yet and an image of
// few bytes.
func newTestJob(t *testing.T, out io.Writer) *job {
	t.Helper()
	root, err := workspace.Find(".")
	must(t, err)
	dir := t.TempDir()
	write(t, "hash-1", dir, "image", image.CmdlineFile)
	write(t, "disk", dir, "image", image.DiskFile)
	c, err := cluster.New(filepath.Join(dir, "vm"), "dev")
	must(t, err)
	return &job{root: root, out: out, start: time.Now(), cluster: c, opt: Options{
		Variant: "qemu-dev", Image: filepath.Join(dir, "image"), Nodes: 2, DiskSize: 1 << 20,
		Contexts: filepath.Join(dir, "config"),
	}}
}

func (j *job) prepared(t *testing.T, userData string) []*node {
	t.Helper()
	if userData != "" {
		j.opt.UserData = write(t, userData, t.TempDir(), "user.toml")
	}
	s, err := readUserData(j.root, j.opt.Variant, j.opt.UserData)
	must(t, err)
	nodes, err := j.prepare(t.Context(), s)
	must(t, err)
	return nodes
}

func TestPrepare(t *testing.T) {
	var out bytes.Buffer
	j := newTestJob(t, &out)
	nodes := j.prepared(t, "[settings]\nmotd = \"hi\"\n")
	if len(nodes) != 2 || nodes[0].name != "dev-1" || nodes[1].name != "dev-2" {
		t.Fatalf("prepare = %v, want dev-1 and dev-2", nodes)
	}
	got, err := document.ParseTOML([]byte(nodes[1].spec.Credentials["bulkhead.user-data"]))
	must(t, err)
	for setting, want := range map[string]string{
		"motd": `"hi"`, "network.hostname": `"dev-2"`, "api.remote.enabled": "true", "api.remote.listen": `["[::]:8443"]`,
	} {
		if v, _ := got.Get(key.Of(strings.Split(setting, ".")...)); v.JSON() != want {
			t.Errorf("user data of dev-2: %s = %s, want %s", setting, v.JSON(), want)
		}
	}
	ca, _ := got.Get(key.Of("api", "remote", "client-ca"))
	bundle, err := os.ReadFile(filepath.Join(pkiDir(j.cluster), "ca.crt"))
	must(t, err)
	if want := `"` + base64.StdEncoding.EncodeToString(bundle) + `"`; ca.JSON() != want {
		t.Errorf("user data of dev-2: client-ca = %s, want the authority of the cluster", ca.JSON())
	}
	for _, name := range []string{"dev-1/user-data.toml", "pki/authority.pem"} {
		info, err := os.Stat(filepath.Join(j.cluster.Dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: %v, %v, want 0600: it holds a key", name, info.Mode(), err)
		}
	}

	// Again: nothing changes, and what will not happen is said.
	out.Reset()
	write(t, "hash-2", j.opt.Image, image.CmdlineFile)
	write(t, "written", j.cluster.Path("dev-1", diskFile))
	again := j.prepared(t, "[settings]\nmotd = \"other\"\n")
	if diff := cmp.Diff(nodes[0].spec, again[0].spec); diff != "" {
		t.Errorf("spec of dev-1 at the second call (-first +second):\n%s", diff)
	}
	disk, err := os.ReadFile(j.cluster.Path("dev-1", diskFile))
	if string(disk) != "written" {
		t.Errorf("disk of dev-1 after the second call: %.20q, %v, want what the node wrote", disk, err)
	}
	for _, want := range []string{
		"dev-1 keeps the settings that it has: user data counts at the first start; for other settings: apiclient apply " + j.opt.UserData,
		"dev-2 keeps its disk, which is of an older build; for this one: shipyard down --delete, and up again",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the second call says\n%swant %q", out.String(), want)
		}
	}
	j.opt.SecureBoot = true
	s, err := readUserData(j.root, j.opt.Variant, "")
	must(t, err)
	_, err = j.prepare(t.Context(), s)
	if diff := cmp.Diff("prepare node dev-1: it was made without Secure Boot; make it anew: shipyard down --delete, and up again", text(err)); diff != "" {
		t.Errorf("prepare with Secure Boot: error (-want +got):\n%s", diff)
	}
}

// What the user calls a node is its name, whatever we would call it.
func TestUserDataHostname(t *testing.T) {
	j := newTestJob(t, io.Discard)
	j.opt.Nodes = 1
	n := j.prepared(t, "[settings.network]\nhostname = \"web\"\n")[0]
	if want := `hostname = "web"`; !strings.Contains(n.spec.Credentials["bulkhead.user-data"], want) {
		t.Errorf("user data has no %s", want)
	}
}

func TestContexts(t *testing.T) {
	j := newTestJob(t, io.Discard)
	nodes := j.prepared(t, "")
	own := contexts.Context{Name: "mine", Endpoint: "node.example.org:8443", CA: "/ca", Certificate: "/me"}
	must(t, contexts.Change(j.opt.Contexts, func(f *contexts.File) error {
		f.Set(own)
		f.Current = "mine"
		return nil
	}))
	for i, n := range nodes {
		n.status.Forwards = []cluster.Forward{{Listen: []string{"127.0.0.1:1111", "127.0.0.1:2222"}[i], Port: 8443}}
	}
	must(t, j.makeContexts(nodes))
	f, err := contexts.Load(j.opt.Contexts)
	must(t, err)
	if diff := cmp.Diff([]string{"dev-1", "dev-2", "mine"}, f.Names()); diff != "" || f.Current != "dev-1" {
		t.Errorf("contexts (-want +got):\n%s\ncurrent %q, want dev-1", diff, f.Current)
	}
	if c, err := clientOf(f, "dev-2"); err != nil || c.Remote.Endpoint != "127.0.0.1:2222" || c.Remote.Check() != nil {
		t.Errorf("client of dev-2: %+v, %v, want one for 127.0.0.1:2222", c, err)
	}
	must(t, Down(t.Context(), "/", DownOptions{Cluster: "dev", Contexts: j.opt.Contexts}, io.Discard)) // another one
	must(t, forgetContexts(j.opt.Contexts, j.cluster))
	f, err = contexts.Load(j.opt.Contexts)
	must(t, err)
	if diff := cmp.Diff([]contexts.Context{own}, f.Contexts); diff != "" || f.Current != "" {
		t.Errorf("contexts after the cluster is gone (-want +got):\n%s\ncurrent %q, want none", diff, f.Current)
	}
}

func TestSourcesStamp(t *testing.T) {
	dir := t.TempDir()
	for _, name := range madeFrom {
		write(t, "x", dir, name, "a.go")
	}
	digest := func() []byte {
		t.Helper()
		d, err := sourcesOf(workspace.Root(dir))
		must(t, err)
		return d
	}
	built := filepath.Join(dir, "image")
	s := stampOf(built)
	before := digest()
	if s.fits(before) {
		t.Error("a stamp fits that is not there")
	}
	write(t, "", built, image.DiskFile)
	must(t, s.write(before))
	for _, tt := range []struct {
		name, file string
		fits       bool
	}{
		{"nothing", "", true},
		{"a test", "api/a_test.go", true},
		{"data of tests", "tools/testdata/x", true},
		{"a source", "packages/base/package.toml", false},
	} {
		if tt.file != "" {
			write(t, "y", dir, filepath.FromSlash(tt.file))
		}
		if got := s.fits(digest()); got != tt.fits {
			t.Errorf("after a change of %s: fits = %t, want %t", tt.name, got, tt.fits)
		}
	}
	must(t, os.Remove(filepath.Join(built, image.DiskFile)))
	if s.fits(before) {
		t.Error("a stamp fits an image that is gone")
	}
}

func TestAvailable(t *testing.T) {
	if got, ok := available("MemTotal:  8000 kB\nMemAvailable:    4096000 kB\n"); got != 4000 || !ok {
		t.Errorf("available = %d, %t, want 4000, true", got, ok)
	}
	if got, ok := available("MemTotal: 1 kB\n"); ok {
		t.Errorf("available without the line = %d, %t, want false", got, ok)
	}
}

// What cannot be is said before anything takes minutes.
func TestNewJobRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"as usual", func(*Options) {}, ""},
		{"no node", func(o *Options) { o.Nodes = 0 }, "0 nodes: want 1 to 64"},
		{"little memory", func(o *Options) { o.Memory = 1 }, "1 MiB of memory for each node: want 512 to 1048576"},
		{"many processors", func(o *Options) { o.CPUs = 99 }, "99 processors for each node: want 1 to 64"},
		{"no disk", func(o *Options) { o.DiskSize = 0 }, "0 GiB of disk for each node: want 8 to 16384"},
		{"a path", func(o *Options) { o.Cluster = "../x" }, `cluster "../x": want at most 32 small letters, digits and hyphens, the first a letter and the last no hyphen`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := Options{Cluster: "dev", Nodes: 1, Memory: 2048, CPUs: 2, DiskSize: 16 << 30}
			tt.change(&opt)
			if _, err := newJob(workspace.Root(t.TempDir()), opt, io.Discard); text(err) != tt.want {
				t.Errorf("newJob(%+v): error %v, want %q", opt, err, tt.want)
			}
		})
	}
}
