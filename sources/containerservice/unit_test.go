package containerservice_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	execapi "github.com/bulkhead-os/bulkhead/api/exec"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
	"github.com/bulkhead-os/bulkhead/tools/containerd"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestMain(m *testing.M) {
	nsboot.Enter()
	os.Exit(tests(m))
}

func tests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "containerservice")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = dir
	return m.Run()
}

// patience is how long anything may take, on a machine that does much else.
const patience = 2 * time.Minute

// image is what the containers of tests are made from.
const image = "bulkhead.invalid/test:v1"

// A machine has the units of a node, the daemon among them, and an image.
type machine struct {
	*nsboot.Machine

	t       testing.TB
	archive string
}

// programs are those that were built: they are there until the tests end.
var (
	programs sync.Map
	built    string
)

// program builds a program of ours, once.
func program(t testing.TB, root workspace.Root, pkg string) string {
	t.Helper()
	file := filepath.Join(built, filepath.Base(pkg))
	if _, had := programs.Load(pkg); had {
		return file
	}
	defer programs.Store(pkg, true)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", file, pkg)
	cmd.Dir, cmd.Env = string(root), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return file
}

// units are the files of packages that the machine has.
var units = []string{
	"host-containers/host-container@.service", "host-containers/container-service.service", "host-containers/container-service.socket",
	"containerd/host-containerd.service", "containerd/runtime.slice",
	"apiserver/apiserver.service", "apiserver/apiserver.socket",
}

// boot boots a machine in which the containers one and two are enabled.
func boot(t testing.TB) *machine {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if why := containerd.Missing(root); why != "" {
		t.Skip("containerd cannot be run: " + why)
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	files := ociimage.Files{}
	files.Add("/inside", program(t, root, "./sources/internal/hostcontainerd/testdata/inside"), 0o755)
	files.Dir("/tmp", 0o755)
	made, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/inside"}, Cmd: []string{"exit", "5"}, Env: []string{"PATH=/:/usr/local/bin"}}, files)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "image.tar")
	if err := ociimage.WriteArchive(made, image, archive); err != nil {
		t.Fatal(err)
	}
	ours := program(t, root, "./sources/cmd/bulkhead-containers")
	daemon := program(t, root, "./sources/cmd/bulkhead")
	on := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\napi:x:274:274::/run/api:/usr/sbin/nologin\n",
		"/etc/group":  "root:x:0:\nsystemd-journal:x:101:\nutmp:x:43:\nnogroup:x:65534:\napi:x:274:\napi-read:x:275:\n",
		"/etc/systemd/system/apiserver.service.d/test.conf":         "[Service]\nExecStart=\nExecStart=/usr/bin/apiserver --variant qemu-dev\n",
		"/etc/systemd/system/container-service.service.d/test.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/container-service --idle 100ms\n",
		"/etc/host-containers/one.toml":                             fmt.Sprintf("source = %q\nsuperpowered = false\ncommand = [\"/inside\", \"wait\"]\n", image),
		"/etc/host-containers/ends.toml":                            fmt.Sprintf("source = %q\nsuperpowered = false\ncommand = [\"/inside\", \"exit\", \"3\"]\n", image),
		"/local/x":                                                  "",
		"/opt/noise":                                                "noise",
	}
	for _, name := range append(units, "containerd/host-containerd.toml") {
		data, err := os.ReadFile(root.Path("packages", name))
		if err != nil {
			t.Fatal(err)
		}
		at := "/etc/systemd/system/"
		if strings.HasSuffix(name, ".toml") {
			at = "/usr/share/containerd/"
		}
		on[at+filepath.Base(name)] = string(data)
	}
	for slice := range groups {
		on["/etc/systemd/system/look-"+slice[:4]+".service"] = "[Service]\nType=oneshot\nSlice=" + slice + "\nExecStart=/usr/bin/apiclient get os\n"
	}
	m := &machine{t: t, archive: archive, Machine: nsboot.Boot(t, nsboot.Options{
		Files: on,
		Binds: map[string]string{
			"/usr/bin/containerd": root.Path("build", "tools", "containerd"), "/usr/bin/containerd-shim-runc-v2": root.Path("build", "tools", "containerd-shim-runc-v2"),
			"/usr/bin/bulkhead-containers": ours, "/usr/bin/host-containers": ours, "/usr/bin/container-service": ours,
			"/usr/bin/apiserver": daemon, "/usr/bin/apiclient": program(t, root, "./api/cmd/apiclient"), "/usr/sbin/runc": runc,
			"/usr/share/bulkhead/images/bulkhead.invalid_test_v1.tar": archive, "/opt/image.tar": archive,
		},
		Wants: []string{"container-service.socket", "apiserver.service"},
	})}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := m.Command("journalctl", "--no-pager", "--unit=apiserver", "--unit=container-service", "--unit=host-containerd", "--unit=host-container@one", "--lines=100").CombinedOutput()
			t.Logf("the end of the journal:\n%s", out)
		}
	})
	return m
}

// A run is what a command gave.
type run struct {
	status      int
	out, errout string
}

// try runs a command with input.
func (m *machine) try(input string, words ...string) run {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	plain := m.Command(words...)
	cmd := exec.CommandContext(ctx, plain.Path, plain.Args[1:]...)
	var out, errout bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errout
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || e.ExitCode() < 0) {
		m.t.Fatalf("%q: %v: %s", words, err, &errout)
	}
	return run{cmd.ProcessState.ExitCode(), out.String(), errout.String()}
}

// lines returns the lines of s in their order as words.
func lines(s string) []string { return slices.Sorted(strings.SplitSeq(s, "\n")) }

// await waits until ok.
func (m *machine) await(what string, ok func() bool) {
	m.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); !ok(); <-look.C {
		if time.Now().After(end) {
			m.t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// awaitRunning waits until the container called one runs.
func (m *machine) awaitRunning() {
	m.t.Helper()
	m.await("container one runs", func() bool {
		return strings.Contains(m.try("", "apiclient", "container", "list").out, "host\tone\trunning")
	})
}

// The commands of apiclient, with the real units, systemd, containerd and daemon.
func TestCommands(t *testing.T) {
	m := boot(t)
	if got := m.Property("host-containerd.service", "ActiveState"); got != "inactive" {
		t.Errorf("containerd before there is a container: %s, want inactive", got)
	}
	list := m.try("", "apiclient", "container", "list")
	if list.status != 0 || !strings.Contains(list.out, "host\tadmin\toff\t") {
		t.Errorf("container list: %+v, want the container admin, which is off", list)
	}
	if got := m.Property("host-containerd.service", "ActiveState"); got != "inactive" {
		t.Errorf("containerd after a look: %s, want inactive", got)
	}
	if r := m.try("", "apiclient", "container", "start", "one"); r != (run{}) {
		t.Fatalf("container start one: %+v, want nothing said", r)
	}
	m.awaitRunning()
	tests := []struct {
		name  string
		words []string
		in    string
		want  run
	}{
		{"status", []string{"exec", "one", "/inside", "exit", "7"}, "", run{status: 7}},
		{"input and output", []string{"exec", "one", "--", "inside", "copy"}, "hello\n", run{out: "hello\n6 <nil>\n"}},
		{"no such container", []string{"exec", "none", "true"}, "", run{status: 1, errout: "apiclient: container none: there is no such container, or it is not enabled\n"}},
		{"no such program", []string{"exec", "one", "nothing"}, "", run{status: 1, errout: "apiclient: run \"nothing\" in container one: executable file not found in $PATH\n"}},
		{"the API from a host container", []string{"exec", "one", "apiclient", "get", "motd"}, "", run{out: "{\n  \"settings\": {\n    \"motd\": \"Welcome to Bulkhead!\"\n  }\n}\n"}},
		{"stop something else", []string{"container", "stop", "none"}, "", run{status: 1, errout: "apiclient: there is no container \"none\", or it is not enabled\nhint: apiclient container list shows all\n"}},
		{"stop", []string{"container", "stop", "one"}, "", run{}},
		{"exec when stopped", []string{"exec", "one", "true"}, "", run{status: 1, errout: "apiclient: container one: there is no such container, or it is not enabled\n"}},
		{"start again", []string{"container", "start", "one"}, "", run{}},
		{"debug with its own program", []string{"debug", image}, "", run{status: 5}},
		{"debug with another", []string{"debug", image, "--", "/inside", "copy"}, "x\n", run{out: "x\n2 <nil>\n"}},
		{"debug from a file", []string{"debug", "/opt/image.tar", "--", "/inside", "exit", "9"}, "", run{status: 9}},
		{"debug from nothing", []string{"debug", "/opt/none.tar"}, "", run{status: 1, errout: "apiclient: read the archive: stat /opt/none.tar: no such file or directory\n"}},
		{"debug from something else", []string{"debug", "/opt/noise"}, "", run{status: 1, errout: "apiclient: read the archive of an image: unexpected EOF\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := m.try(tt.in, append([]string{"apiclient"}, tt.words...)...)
			if slices.Equal(lines(got.out), lines(tt.want.out)) { // two streams have no order
				got.out = tt.want.out
			}
			if got != tt.want {
				t.Errorf("apiclient %q:\n got %+v\nwant %+v", tt.words, got, tt.want)
			}
		})
	}
	if left := m.try("", "apiclient", "container", "list"); strings.Contains(left.out, "debug") {
		t.Errorf("containers after debug containers have ended: %s", left.out)
	}
	m.await("the service ends", func() bool { return m.Property("container-service.service", "ActiveState") == "inactive" })
}

// groups are the slices in which services look at the API, and whether they may.
var groups = map[string]bool{"kubepods-besteffort-pod1.slice": false, "ecstasks-x.slice": false, "system-x.slice": true}

// Whoever an orchestrator runs is nobody, and that he tried is recorded.
func TestOrchestrated(t *testing.T) {
	m := boot(t)
	for slice, allowed := range groups {
		unit := "look-" + slice[:4] + ".service"
		started := m.try("", "systemctl", "start", unit)
		said := m.Run("journalctl", "--no-pager", "-q", "-o", "cat", "-u", unit)
		if allowed && !strings.Contains(said, "variant_id") || !allowed && !strings.Contains(said, "is in a container of an orchestrator: /") || allowed != (started.status == 0) {
			t.Errorf("apiclient get os in %s: %+v, %s, want that it works: %t", slice, started, said, allowed)
		}
	}
	record := m.Run("cat", "/var/lib/bulkhead/audit/audit.log")
	if n := strings.Count(record, "orchestrated-caller"); n != 2 {
		t.Errorf("the record has %d refused callers, want 2:\n%s", n, record)
	}
}

// BenchmarkExec measures a program that does nothing, from the request to its
// status, over the API, with the service at rest but there.
func BenchmarkExec(b *testing.B) {
	m := boot(b)
	if r := m.try("", "apiclient", "container", "start", "one"); r != (run{}) {
		b.Fatalf("container start one: %+v", r)
	}
	m.awaitRunning()
	api := client.New(m.Path("/run/api.sock")).Upgrader()
	for b.Loop() {
		status, err := execapi.Run(b.Context(), api, "/exec", execapi.Options{
			Initialize: execapi.Initialize{Target: "one", Command: []string{"/inside", "exit", "0"}}, Stdout: io.Discard,
		})
		if status != 0 || err != nil {
			b.Fatalf("exec: %d, %v", status, err)
		}
	}
}
