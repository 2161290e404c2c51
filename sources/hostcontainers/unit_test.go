package hostcontainers_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
	"github.com/bulkhead-os/bulkhead/tools/containerd"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestMain(m *testing.M) {
	nsboot.Enter()
	os.Exit(m.Run())
}

// patience is how long anything may take, on a machine that does much else.
const patience = 2 * time.Minute

// A machine has the units of a node, and images.
type machine struct {
	*nsboot.Machine

	t *testing.T
}

// image is what the containers of tests are made from.
const image = "bulkhead.invalid/test:v1"

// boot boots a machine; more are files that it has besides.
func boot(t *testing.T, more map[string]string) *machine {
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
	build := func(pkg string) string {
		file := filepath.Join(dir, filepath.Base(pkg))
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", file, pkg)
		cmd.Dir, cmd.Env = string(root), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
		return file
	}
	files := ociimage.Files{}
	files.Add("/inside", build("./sources/internal/hostcontainerd/testdata/inside"), 0o755)
	made, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/inside"}}, files)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "image.tar")
	if err := ociimage.WriteArchive(made, image, archive); err != nil {
		t.Fatal(err)
	}
	text := func(path ...string) string {
		data, err := os.ReadFile(root.Path(path...))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	ours := build("./sources/cmd/bulkhead-containers")
	client := filepath.Join(dir, "apiclient")
	if err := os.WriteFile(client, []byte("#!/bin/sh\necho \"$*\" >> /run/calls\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := func(words string) string {
		return fmt.Sprintf("source = %q\nsuperpowered = false\ncommand = [%s]\n", image, words)
	}
	binds := map[string]string{
		"/usr/bin/containerd": root.Path("build", "tools", "containerd"), "/usr/bin/containerd-shim-runc-v2": root.Path("build", "tools", "containerd-shim-runc-v2"),
		"/usr/bin/bulkhead-containers": ours, "/usr/bin/host-containers": ours, "/usr/bin/bootstrap-containers": ours,
		"/usr/bin/apiclient": client, "/usr/sbin/runc": runc,
		"/usr/share/bulkhead/images/bulkhead.invalid_test_v1.tar": archive,
	}
	maps.Copy(binds, more)
	return &machine{t: t, Machine: nsboot.Boot(t, nsboot.Options{
		Files: map[string]string{
			"/etc/systemd/system/host-container@.service":      text("packages", "host-containers", "host-container@.service"),
			"/etc/systemd/system/host-containerd.service":      text("packages", "containerd", "host-containerd.service"),
			"/etc/systemd/system/container-images.service":     text("packages", "host-containers", "container-images.service"),
			"/etc/systemd/system/container-images.timer":       text("packages", "host-containers", "container-images.timer"),
			"/etc/container-images.toml":                       "images = []\n",
			"/etc/systemd/system/runtime.slice":                text("packages", "containerd", "runtime.slice"),
			"/usr/share/containerd/host-containerd.toml":       text("packages", "containerd", "host-containerd.toml"),
			"/etc/host-containers/one.toml":                    config(`"/inside", "wait"`),
			"/etc/host-containers/bad.toml":                    "source = \"127.0.0.1:1/none\"\n",
			"/etc/bootstrap-containers/first.toml":             config(`"/inside", "report", "bootstrap-containers"`) + "mode = \"once\"\n",
			"/etc/bootstrap-containers/second.toml":            config(`"/inside", "exit", "5"`) + "mode = \"always\"\nessential = true\nafter = [\"first\"]\n",
			"/etc/systemd/system/bootstrap-containers.service": text("packages", "bootstrap", "bootstrap-containers.service"),
			"/etc/systemd/system/configured.target":            "[Unit]\nRequires=bootstrap-containers.service\nAfter=bootstrap-containers.service\n",
			"/run/bootstrap-containers/x":                      "",
			"/etc/host-containers/ends.toml":                   config(`"/inside", "exit", "3"`),
			"/local/x":                                         "",
		},
		Binds: binds,
	})}
}

func (m *machine) journal(unit string) string {
	return m.Run("journalctl", "--no-pager", "-q", "-o", "cat", "-u", unit)
}

// await waits until the journal of unit has text in count lines.
func (m *machine) await(unit, text string, count int) {
	m.t.Helper()
	end := time.Now().Add(patience)
	for strings.Count(m.journal(unit), text) < count {
		if time.Now().After(end) {
			status, _ := m.Command("systemctl", "status", "--no-pager", "-l", unit).CombinedOutput() // whatever its exit status
			m.t.Fatalf("the journal of %s has %q less than %d times:\n%s\n%s", unit, text, count, m.journal(unit), status)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (m *machine) expect(unit, property, want string) {
	m.t.Helper()
	if got := m.Property(unit, property); got != want {
		m.t.Errorf("%s of %s is %q, want %q", property, unit, got, want)
	}
}

// processes returns the processes in the control group of unit.
func (m *machine) processes(unit string) []string {
	m.t.Helper()
	group := m.Property(unit, "ControlGroup")
	var list []string
	for _, file := range []string{"cgroup.procs", "container-" + strings.TrimSuffix(strings.TrimPrefix(unit, "host-container@"), ".service") + "/cgroup.procs"} {
		data, err := os.ReadFile(m.Path(filepath.Join("/sys/fs/cgroup", group, file)))
		if err != nil {
			m.t.Fatal(err)
		}
		for _, pid := range strings.Fields(string(data)) {
			name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
			if err != nil {
				m.t.Fatal(err)
			}
			list = append(list, strings.TrimSpace(string(name)))
		}
	}
	return list
}

// A container runs in the group of its unit with nothing of ours beside it, goes
// on without containerd, and is started again when it has ended.
func TestUnit(t *testing.T) {
	m := boot(t, nil)
	const one, ends = "host-container@one.service", "host-container@ends.service"
	m.expect("host-containerd.service", "ActiveState", "inactive")
	m.Run("systemctl", "start", one)
	m.await(one, "ready", 1)
	m.expect(one, "ActiveState", "active")
	if got := m.processes(one); len(got) != 1 || got[0] != "inside" {
		t.Errorf("processes of %s: %q, want those of the container", one, got)
	}

	// Nothing is removed, since the image is part of the operating system.
	m.Run("systemctl", "start", "container-images.service")
	m.expect("container-images.service", "Result", "success")
	m.Run("systemctl", "start", "container-images.timer")
	m.expect("container-images.timer", "ActiveState", "active")

	m.Run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "host-containerd.service")
	m.await("host-containerd.service", "Started", 2)
	m.expect(one, "NRestarts", "0")
	m.Run("systemctl", "restart", "host-containerd.service")
	if got := m.processes(one); len(got) != 1 || got[0] != "inside" {
		t.Errorf("processes of %s after a restart of containerd: %q, want those of the container", one, got)
	}

	m.Run("systemctl", "kill", "--signal=KILL", one)
	m.await(one, "container has ended\" container=one status=137", 1)
	m.await(one, "ready", 2)
	m.Run("systemctl", "stop", one)
	m.expect(one, "ActiveState", "inactive")
	m.await(one, "told to end", 1)
	m.await(one, "container has ended\" container=one status=0", 1)

	m.Run("systemctl", "start", ends)
	m.await(ends, "container has ended\" container=ends status=3", 3)
	m.Run("systemctl", "stop", ends)
	if left := m.Run("find", "/run/host-containerd/io.containerd.runtime.v2.task", "-mindepth", "2"); left != "" {
		t.Errorf("after the last container containerd keeps %s", left)
	}
}

// A container that cannot be started leaves its unit trying, and nothing behind.
func TestUnitFails(t *testing.T) {
	m := boot(t, nil)
	const bad = "host-container@bad.service"
	m.Run("systemctl", "start", bad)
	m.await(bad, "image", 1)
	m.await(bad, "container bad: fetch image", 2)
	m.Run("systemctl", "stop", bad)
	if left := m.Run("find", "/run/host-containerd/io.containerd.runtime.v2.task", "-mindepth", "2"); left != "" {
		t.Errorf("after a container that did not start containerd keeps %s", left)
	}
}

// Bootstrap containers run before the node is configured, and have containerd
// started.
func TestBootstrapUnit(t *testing.T) {
	m := boot(t, nil)
	const unit = "bootstrap-containers.service"
	m.expect("host-containerd.service", "ActiveState", "inactive")
	if out, err := m.Command("systemctl", "start", "configured.target").CombinedOutput(); err == nil || !strings.Contains(string(out), "dependency") {
		t.Errorf("start of configured.target: %v, %s, want that it fails for a dependency", err, out)
	}
	m.expect(unit, "Result", "exit-code")
	m.await(unit, "container is done\" container=first", 1)
	m.await(unit, "reported", 1)
	m.await(unit, "container failed\" container=second essential=true error=\"exit status 5\"", 1)
	if got, want := m.Run("cat", "/run/calls"), "set bootstrap-containers.first.mode=off"; got != want {
		t.Errorf("calls of the API client: %q, want %q", got, want)
	}
	if got := m.Run("cat", "/run/bulkhead/health/bootstrap-containers.json"); !strings.Contains(got, "settings.bootstrap-containers.second") {
		t.Errorf("health %s, want a fault of the second container", got)
	}
	m.Command("systemctl", "start", "configured.target").Run() // fails again
	m.await(unit, "container has run since the node was started\" container=second", 1)
	if got := strings.Count(m.journal(unit), "reported"); got != 1 {
		t.Errorf("the first container ran %d times, want once", got)
	}
}
