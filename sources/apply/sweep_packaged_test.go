package apply

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
)

const (
	timeServers = `ntp.time-servers=["a.example", "b.example"]`
	chronyFile  = "/etc/chrony/chrony.conf"
)

// The settings daemon and apply, started by systemd as their packages say, let
// those in who may change settings, and nobody else.
func TestPackagedUnits(t *testing.T) {
	n := bootVariant(t, nodePrograms(t), newSweep(t, realImage(t), "qemu-dev", "tls"))
	t.Run("sockets", n.testSockets)
	t.Run("users", n.testUsers)
	t.Run("daemon", n.testDaemon)
	t.Run("change", n.testChange)
	t.Run("try", n.testTry)
	t.Run("kernel value", n.testSysctl)
	t.Run("restart of the daemon", n.testRestart)
}

// in returns the machine for the test of one of its parts.
func (n *variantNode) in(t *testing.T) *variantNode {
	out := *n
	out.t = t
	return &out
}

func (n *variantNode) testSockets(t *testing.T) {
	ids := readNames(mustRoot(t, n.Path("/")), "etc/group").ids
	want := map[string]string{
		"/run/api-read.sock":       fmt.Sprintf("Srw-rw---- 0:%d", ids["api-read"]),
		"/run/api.sock":            fmt.Sprintf("Srw-rw---- 0:%d", ids["api"]),
		"/run/bulkhead/apply.sock": fmt.Sprintf("Srw------- %[1]d:%[1]d", ids["api"]), // user and group have one number
	}
	got := map[string]string{}
	for path := range want {
		info, err := os.Stat(n.Path(path))
		must(t, err)
		st := info.Sys().(*syscall.Stat_t)
		got[path] = fmt.Sprintf("%s %d:%d", info.Mode(), st.Uid, st.Gid)
	}
	if diff := cmp.Diff(want, got); diff != "" || ids["api"] != 274 {
		t.Errorf("sockets with group api = %d, want 274 (-want +got):\n%s", ids["api"], diff)
	}
}

func mustRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

func (n *variantNode) testUsers(t *testing.T) {
	const refused, read = "permission denied", "/run/api-read.sock"
	tests := []struct {
		name string
		args []string
		want string // part of the error, or empty where it works
	}{
		{"root", []string{"get", "motd"}, ""},
		{"member of the group", []string{"operator:", "get", "motd"}, ""},
		{"change by a member", []string{"operator:", "set", "motd=by an operator", "--wait"}, ""},
		{"reader, where changes are made", []string{"reader:", "get", "motd"}, refused},
		{"reader", []string{"reader:", "get", "motd", "-s", read}, ""},
		{"change by a reader", []string{"reader:", "set", "motd=by a reader", "-s", read}, "reader"},
		{"change by root, where readers are", []string{"set", "motd=by a reader", "-s", read}, "reader"},
		{"stranger, where readers are", []string{"stranger:", "get", "motd", "-s", read}, refused},
		{"stranger", []string{"stranger:", "get", "motd"}, refused},
		{"change by a stranger", []string{"stranger:", "set", "motd=by a stranger"}, refused},
		{"past the daemon", []string{"operator:", "raw", "-s", "/run/bulkhead/apply.sock", "-m", "POST", "-u", "/plan", "-d", "{}"}, refused},
		{"past the daemon, for a stranger", []string{"stranger:", "raw", "-s", "/run/bulkhead/apply.sock", "-m", "POST", "-u", "/plan", "-d", "{}"}, refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := n.client("", tt.args...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%q: %q, error %v, want %q in it", tt.args, out, err, tt.want)
			}
		})
	}
	if got := n.files()["/etc/motd"]; !strings.HasSuffix(got, "\nby an operator\n") {
		t.Errorf("motd after all: %q, want the operator's", got)
	}
}

// The daemon is an ordinary user without any rights.
func (n *variantNode) testDaemon(t *testing.T) {
	status := n.Run("cat", "/proc/"+n.Property("apiserver.service", "MainPID")+"/status")
	got := regexp.MustCompile(`(?m)^(?:Uid|Gid|CapEff|CapBnd|NoNewPrivs|Seccomp):.*$`).FindAllString(status, -1)
	want := []string{
		"Uid:\t274\t274\t274\t274", "Gid:\t274\t274\t274\t274", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
		"NoNewPrivs:\t1", "Seccomp:\t2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("process of the daemon (-want +got):\n%s", diff)
	}
}

// What a dry run says is what happens, and a revert undoes it.
func (n *variantNode) testChange(t *testing.T) {
	n = n.in(t)
	n.generation = n.current()
	before := n.files()
	want := consequence{[]string{chronyFile}, []string{"restart chrony.service"}}
	back := []string{"operator:", "revert", strconv.FormatUint(n.generation, 10)}
	for _, words := range [][]string{{"operator:", "set", timeServers}, back} {
		if diff := cmp.Diff(want, n.plan(words...), consequences); diff != "" {
			t.Errorf("dry run of %q (-want +got):\n%s", words, diff)
		}
		if diff := cmp.Diff(want, n.commit(words...), consequences); diff != "" {
			t.Errorf("%q (-want +got):\n%s", words, diff)
		}
	}
	if diff := cmp.Diff(before, n.files()); diff != "" {
		t.Errorf("going back left (-before +after):\n%s", diff)
	}
}

// current returns the generation of the settings.
func (n *variantNode) current() uint64 {
	n.t.Helper()
	list := n.must("", "history", "-n", "1", "-o", "json")
	m := regexp.MustCompile(`"id": (\d+)`).FindStringSubmatch(list)
	if m == nil {
		n.t.Fatalf("history: no generation in %s", list)
	}
	id, err := strconv.ParseUint(m[1], 10, 64)
	must(n.t, err)
	return id
}

// A change on trial takes its files and units back with it.
func (n *variantNode) testTry(t *testing.T) {
	n = n.in(t)
	files, run := n.files(), n.units()["chrony.service"].run
	n.must("", "operator:", "set", "--try=1s", "--wait", timeServers)
	type status struct {
		applier.Result
		Reason string
	}
	var last status
	within(t, "apply at the end of the trial", func() bool {
		last = status{}
		must(t, json.Unmarshal([]byte(n.must("", "apply-status", "-o", "json")), &last))
		return last.Reason == "try-reverted" && !last.Finished.IsZero()
	})
	if diff := cmp.Diff([]string{"update " + chronyFile, "restart chrony.service"}, brief(last.Result)); diff != "" {
		t.Errorf("apply at the end of the trial (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(files, n.files()); diff != "" || n.units()["chrony.service"].run == run {
		t.Errorf("after the trial chrony.service was restarted: %t, want true; files (-before +after):\n%s", n.units()["chrony.service"].run != run, diff)
	}
	if out := n.must("", "history", "-n", "1"); !strings.Contains(out, "try-expired") {
		t.Errorf("history after the trial: %q, want try-expired in it", out)
	}
}

// A value of the kernel is set by the unit that has the right to, and goes back to
// that of the image. The machine has this value for itself.
func (n *variantNode) testSysctl(t *testing.T) {
	n = n.in(t)
	const (
		name = "net.ipv4.ip_default_ttl"
		only = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=\nExecStart=/usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4/ip_default_ttl\n"
	)
	value := func() string { return n.Run("cat", "/proc/sys/net/ipv4/ip_default_ttl") }
	must(t, os.WriteFile(n.Path("/run/systemd/system/systemd-sysctl.service.d/zzz.conf"), []byte(only), 0o644))
	must(t, os.WriteFile(n.Path("/etc/sysctl.d/10-base.conf"), []byte(name+" = 255\n"), 0o644))
	n.Run("systemctl", "daemon-reload")
	n.Run("systemctl", "restart", "systemd-sysctl.service")
	got := []string{value()}
	back := strconv.FormatUint(n.current(), 10)
	n.must("", "operator:", "set", `kernel.sysctl."`+name+`"=77`, "--wait")
	got = append(got, value())
	n.must("", "operator:", "revert", back, "--wait")
	if diff := cmp.Diff([]string{"255", "77", "255"}, append(got, value())); diff != "" {
		t.Errorf("%s of the image, of the settings, and after a revert (-want +got):\n%s", name, diff)
	}
}

// The daemon keeps its settings and its sockets when it is restarted, and then
// has nothing to do.
func (n *variantNode) testRestart(t *testing.T) {
	n = n.in(t)
	settings, files, units := n.must("", "get", "settings"), n.files(), n.units()
	n.Run("systemctl", "restart", "apiserver.service")
	if diff := cmp.Diff(settings, n.must("", "operator:", "get", "settings")); diff != "" {
		t.Errorf("settings (-before +after):\n%s", diff)
	}
	want := consequence{nil, []string{"restart apiserver.service"}}
	if diff := cmp.Diff(want, consequence{differing(files, n.files()), verbs(units, n.units())}, consequences); diff != "" {
		t.Errorf("restart of the daemon (-want +got):\n%s", diff)
	}
}
