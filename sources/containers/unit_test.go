package containers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// A machine has the units of a node, and an image.
type machine struct {
	*nsboot.Machine

	t *testing.T
}

// image is what the containers of tests are made from.
const image = "bulkhead.invalid/test:v1"

// secret is what is to be in one place only.
const secret = "correct-horse-battery"

// everySecond has a container asked how it is.
const everySecond = "[Timer]\nOnUnitInactiveSec=\nOnActiveSec=1\nOnUnitInactiveSec=1\n"

// settings is the text of the file of a container.
func settings(members string) string {
	return fmt.Sprintf("container = { image = %q, command = [\"/service\"], %s }\n", image, members)
}

// boot boots a machine with containers, whose files are given by name; more are
// other files.
func boot(t *testing.T, containers, more map[string]string) *machine {
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
	service, ours := build("./sources/containers/testdata/service"), build("./sources/cmd/bulkhead-containers")
	files := ociimage.Files{}
	files.Add("/service", service, 0o755)
	files.Text("/etc/passwd", "root:x:0:0::/:/none\nwww:x:1000:1000::/:/none\n", 0o644)
	made, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/service"}}, files)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "image.tar")
	if err := ociimage.WriteArchive(made, image, archive); err != nil {
		t.Fatal(err)
	}
	has := map[string]string{"/run/bulkhead/x": "", "/var/lib/containers-data/x": ""}
	for name, source := range map[string]string{
		"container@.service": "containers", "container-health@.service": "containers", "container-health@.timer": "containers",
		"container-settled@.service": "containers", "container-settled@.timer": "containers", "host-containerd.service": "containerd", "runtime.slice": "containerd",
	} {
		data, err := os.ReadFile(root.Path("packages", source, name))
		if err != nil {
			t.Fatal(err)
		}
		has["/etc/systemd/system/"+name] = string(data)
	}
	config, err := os.ReadFile(root.Path("packages", "containerd", "host-containerd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	has["/usr/share/containerd/host-containerd.toml"] = string(config)
	for name, text := range containers {
		has["/etc/containers/"+name+".toml"] = text
	}
	maps.Copy(has, more)
	return &machine{t: t, Machine: nsboot.Boot(t, nsboot.Options{
		Files: has,
		Binds: map[string]string{
			"/usr/bin/containerd": root.Path("build", "tools", "containerd"), "/usr/bin/containerd-shim-runc-v2": root.Path("build", "tools", "containerd-shim-runc-v2"),
			"/usr/bin/bulkhead-containers": ours, "/usr/bin/containers": ours, "/usr/bin/client": service, "/usr/sbin/runc": runc,
			"/usr/share/bulkhead/images/bulkhead.invalid_test_v1.tar": archive,
		},
	})}
}

func unit(name string) string { return "container@" + name + ".service" }

func (m *machine) journal(unit string) string {
	return m.Run("journalctl", "--no-pager", "-q", "-o", "cat", "-u", unit)
}

// until waits until done returns true, and fails the test with what is told when
// it does not.
func (m *machine) until(what string, done func() bool, told func() string) {
	m.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("%s: it does not come to it\n%s", what, told())
		}
	}
}

// await waits until the journal of unit has text in count lines.
func (m *machine) await(unit, text string, count int) {
	m.t.Helper()
	m.until(fmt.Sprintf("%q in %d lines of the journal of %s", text, count, unit),
		func() bool { return strings.Count(m.journal(unit), text) >= count }, func() string { return m.journal(unit) })
}

// faults returns the report of the health of the container called name.
func (m *machine) faults(name string) string {
	data, err := os.ReadFile(m.Path("/run/bulkhead/health/container-" + name + ".json"))
	if err != nil {
		return "none: " + err.Error()
	}
	return string(data)
}

// awaitFaults waits until the report has all of texts.
func (m *machine) awaitFaults(name string, texts ...string) {
	m.t.Helper()
	m.until(fmt.Sprintf("%q in the health of %s", texts, name), func() bool {
		for _, text := range texts {
			if !strings.Contains(m.faults(name), text) {
				return false
			}
		}
		return true
	}, func() string {
		return m.faults(name) + "\n" + m.journal(unit(name)) + "\n" + m.journal("container-health@"+name+".service") + "\n" + m.status("container-health@"+name+".timer", "container-health@"+name+".service")
	})
}

// status returns what the service manager says of units.
func (m *machine) status(units ...string) string {
	out, _ := m.Command(append([]string{"systemctl", "status", "--no-pager", "-l"}, units...)...).CombinedOutput() // whatever its exit status
	return string(out)
}

func (m *machine) awaitHealthy(name string) {
	m.t.Helper()
	state := func() string {
		data, _ := os.ReadFile(m.Path("/run/bulkhead/container-state/" + name + ".json")) // it may not be there yet
		return string(data)
	}
	m.until(name+" to be healthy", func() bool { return strings.Contains(state(), `"healthy":true`) }, func() string { return state() + "\n" + m.journal(unit(name)) })
}

func (m *machine) awaitProperty(unit, property, want string) {
	m.t.Helper()
	m.until(property+" of "+unit+" to be "+want, func() bool { return m.Property(unit, property) == want },
		func() string { return m.Property(unit, property) + "\n" + m.journal(unit) })
}

// address returns the address of the container called name.
func (m *machine) address(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.Path("/run/bulkhead/container-network/state.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	var s struct {
		Leases map[string]struct{ Index int }
	}
	if err := json.Unmarshal(data, &s); err != nil {
		m.t.Fatal(err)
	}
	return fmt.Sprintf("10.88.0.%d", s.Leases[name].Index)
}

// A container on the bridge has few rights, its secrets and names, and its health
// is looked at.
func TestBridged(t *testing.T) {
	m := boot(t, map[string]string{
		"web": settings(`args = ["serve", "80"], ports = ["8080:80"], user = "www", read-only-root = true, env = { PLAIN = "a b" },
			host-files = ["/etc/os-release"], health = { http = "http://localhost:80/healthz", interval = "1s", retries = 2 }`) +
			"[variables]\nSECRET = \"" + secret + "\"\n[secrets]\nkey = \"in a file\"\n",
		"next": settings(`args = ["serve", "80"], after = ["web", "off"], health = { command = ["/service", "has", "PLAIN", ""], interval = "1s" }`),
	}, map[string]string{"/etc/systemd/system/container-health@web.timer.d/50.conf": everySecond})
	m.Run("mount", "-o", "remount,bind,ro,nosuid,nodev", "/usr/bin/bulkhead-containers") // as a node has it
	m.Run("systemctl", "start", "--no-block", unit("next"))
	m.await(unit("next"), "Started", 1)
	m.Run("systemctl", "start", unit("web"), "container-health@web.timer")
	m.await(unit("web"), "serves", 1)
	m.awaitHealthy("web")
	m.await(unit("next"), "serves", 1) // and not before
	var got map[string]string
	if err := json.Unmarshal([]byte(m.Run("client", "get", "http://"+m.address("web")+"/report")), &got); err != nil {
		t.Fatal(err)
	}
	place := strings.TrimPrefix(m.address("web"), "10.88.0.")
	var index int
	fmt.Sscan(place, &index)
	want := map[string]string{
		"plain": "a b", "secret": secret, "secret-file": "in a file", "host": "web", "hostname": "web", "write": "refused", "temporary": "done",
		"Uid": "1000 1000 1000 1000", "NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0000000000000000", "CapBnd": "00000000000004fb",
		"users": fmt.Sprintf("0 %d 65536", 1<<28+index<<16),
	}
	seen := map[string]string{}
	for name := range want {
		seen[name] = got[name]
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("what the container is like (-want +got):\n%s", diff)
	}
	if !strings.Contains(got["hosts"], "10.88.0."+place+" web 10.88.0.1 host") {
		t.Errorf("names that the container knows: %q, want its own and that of the node", got["hosts"])
	}
	if found, err := m.Command("grep", "-rl", secret, "/var/lib/host-containerd", "/run/bulkhead/container-state", "/run/bulkhead/health", "/run/bulkhead/container-network").Output(); err == nil {
		t.Errorf("the secret is also in %s", found)
	}

	m.Run("client", "get", "http://"+m.address("web")+"/break")
	m.awaitFaults("web", "container-unhealthy", "503 Service Unavailable", "settings.containers.web")
	m.Run("client", "get", "http://"+m.address("web")+"/mend")
	m.awaitFaults("web", `{"faults":[]}`)
	if out, err := m.Command("containers", "check", "web", "/service", "has", "SECRET", secret).CombinedOutput(); err != nil {
		t.Errorf("containers check: %v: %s", err, out)
	}
	out, err := m.Command("containers", "check", "web", "/service", "has", "SECRET", "other").CombinedOutput()
	if failed, ok := err.(*exec.ExitError); !ok || failed.ExitCode() != 4 || !strings.Contains(string(out), "ended with exit status 4") {
		t.Errorf("containers check of a command that fails: %v: %s, want status 4", err, out)
	}

	m.Run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "host-containerd.service")
	m.await("host-containerd.service", "Started", 2)
	if got := m.Property(unit("web"), "NRestarts"); got != "0" {
		t.Errorf("containerd was killed, and the container restarted %s times, want that it goes on", got)
	}
	if err := os.Remove(m.Path("/etc/containers/web.toml")); err != nil {
		t.Fatal(err)
	}
	m.Run("systemctl", "stop", unit("web"))
	m.await(unit("web"), "told to end", 1)
	m.await(unit("web"), "its volumes are kept\" container=web volumes=/var/lib/containers-data/web", 1)
	if got := m.faults("web"); !strings.HasPrefix(got, "none: ") {
		t.Errorf("health of a container that is removed: %s, want no report", got)
	}
	m.awaitProperty(unit("web"), "ActiveState", "inactive")
}

// What ends is started again as its policy says, with longer and longer waits, and
// the health of the node tells of it until it goes on to run.
func TestRestarts(t *testing.T) {
	policy := func(word string) string { return "[Service]\nRestart=" + word + "\n" }
	m := boot(t, map[string]string{
		"always": settings(`network = "host", args = ["exit", "0"]`),
		"fails":  settings(`network = "host", args = ["exit", "3"]`),
		"works":  settings(`network = "host", args = ["exit", "0"]`),
		"never":  settings(`network = "host", args = ["exit", "3"]`),
		"none":   "container = { image = \"127.0.0.1:1/none\", network = \"host\" }\n",
		"user":   settings(`network = "host", args = ["serve", "8081"], user = "nobody"`),
	}, map[string]string{
		"/etc/systemd/system/container@fails.service.d/50.conf": policy("on-failure"),
		"/etc/systemd/system/container@works.service.d/50.conf": policy("on-failure"),
		"/etc/systemd/system/container@never.service.d/50.conf": policy("no"),
		"/etc/systemd/system/container@none.service.d/50.conf":  policy("no"),
	})
	for _, name := range []string{"always", "fails", "works", "never", "none", "user"} {
		m.Run("systemctl", "start", unit(name))
	}
	m.await(unit("always"), "container has ended\" container=always status=0", 3)
	m.awaitFaults("always", "container-ended", "it ended with exit status 0")
	m.await(unit("fails"), "container has ended\" container=fails status=3", 3)
	m.awaitFaults("fails", "container-ended", "it ended with exit status 3")
	m.awaitProperty(unit("works"), "ActiveState", "inactive")
	m.awaitProperty(unit("never"), "ActiveState", "failed")
	m.awaitFaults("none", "container-image", "127.0.0.1:1/none")
	m.until("a second try without image", func() bool { return m.Property(unit("none"), "NRestarts") != "0" }, func() string { return m.journal(unit("none")) })
	m.awaitFaults("user", "container-start", "nobody")
	for name, want := range map[string]string{"works": "0", "never": "0"} {
		if got := m.Property(unit(name), "NRestarts"); got != want {
			t.Errorf("%s was restarted %s times, want %s", unit(name), got, want)
		}
	}
	// Nothing is cleaned up behind one that is removed while it waits.
	if err := os.Remove(m.Path("/etc/containers/none.toml")); err != nil {
		t.Fatal(err)
	}
	m.Run("systemctl", "stop", unit("always"), unit("fails"), unit("none"), unit("user"))
	m.Run("containers", "tidy")
	if got := m.faults("none"); !strings.HasPrefix(got, "none: ") {
		t.Errorf("health of a container that is removed: %s, want no report", got)
	}
	if left := m.Run("find", "/run/host-containerd/io.containerd.runtime.v2.task", "-mindepth", "2"); left != "" {
		t.Errorf("after the last container containerd keeps %s", left)
	}
}

// A port of the node that is in use is not taken away from who has it, and volumes
// stay when the container is made anew.
func TestHostNetwork(t *testing.T) {
	m := boot(t, map[string]string{
		"web":  settings(`network = "host", args = ["serve", "8080"], user = "1000", volumes = { data = { path = "/data" } }, health = { tcp = 8080, interval = "1s" }`),
		"also": settings(`args = ["serve", "80"], ports = ["8080:80"]`),
	}, map[string]string{"/etc/systemd/system/container-health@web.timer.d/50.conf": everySecond})
	m.Run("systemctl", "start", unit("web"), "container-health@web.timer")
	m.awaitHealthy("web")
	m.Run("systemctl", "start", unit("also"))
	m.awaitFaults("also", "container-port-taken", "port 8080 of the node for tcp: it is in use on the node")
	for want, again := 1, true; want < 3; want++ {
		if got := m.Run("client", "get", "http://127.0.0.1:8080/count"); got != fmt.Sprint(want) {
			t.Errorf("count in the volume: %s, want %d", got, want)
		}
		if again {
			m.Run("systemctl", "restart", unit("web"))
			m.awaitHealthy("web")
			again = false
		}
	}
	m.Run("systemctl", "stop", unit("web"))
	m.Run("systemctl", "restart", unit("also"))
	m.await(unit("also"), "serves", 1)
	m.Run("systemctl", "start", "container-settled@also.service")
	m.awaitFaults("also", `{"faults":[]}`)
}
