package apply

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
)

const socketPath = "/run/bulkhead/apply.sock"

// units are those of the package demo, and apply's own.
var units = map[string]string{
	"apply.socket": "[Socket]\nListenStream=" + socketPath + "\nSocketMode=0600\nTriggerLimitIntervalSec=0\n",
	"apply.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nEnvironment=" + asProgram + "=1\n" +
		"ExecStart=/opt/apply --image /opt/image --idle 100ms\n",
	"trust.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=cat /etc/trust.pem\n",
	"clock.service": "[Unit]\nAfter=trust.service\n[Service]\nType=exec\nTimeoutStartSec=2\n" +
		"ExecStartPre=sh -c 'if grep bad /etc/clock/clock.conf; then echo bad clock; exit 3; fi'\nExecStart=sleep infinity\n",
	"names.service": "[Service]\nType=exec\nExecStart=sleep infinity\nExecReload=sh -c 'echo reloaded >>/run/reloads'\n",
	"box@.service":  "[Service]\nType=exec\nExecStart=sleep infinity\n",
}

// A node is a machine that has apply and the units of the package demo.
type node struct {
	*nsboot.Machine
	t    *testing.T
	next uint64
}

// bootNode boots a node; change replaces units, image replaces files of the
// package.
func bootNode(t *testing.T, change, image map[string]string) *node {
	t.Helper()
	return bootWith(t, change, image, nsboot.Options{Wants: []string{"trust.service", "clock.service", "names.service"}})
}

func bootWith(t *testing.T, change, image map[string]string, opt nsboot.Options) *node {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	opt.Binds = map[string]string{"/opt/apply": self, "/opt/image": demoImage(t, image)}
	opt.Files = map[string]string{"/etc/trust.pem": "", "/etc/clock/clock.conf": ""}
	for name, text := range units {
		opt.Files["/etc/systemd/system/"+name] = text
	}
	for name, text := range change {
		opt.Files["/etc/systemd/system/"+name] = text
	}
	opt.Wants = append(opt.Wants, "apply.socket")
	return &node{Machine: nsboot.Boot(t, opt), t: t}
}

// apply applies settings.
func (n *node) apply(settings string) applier.Result {
	n.t.Helper()
	n.next++
	_, res, err := try(n.Path(socketPath), n.next, settings)
	if err != nil {
		n.t.Fatalf("apply of %s: %v", settings, err)
	}
	return res
}

func (n *node) must(settings string) applier.Result {
	n.t.Helper()
	res := n.apply(settings)
	if res.Status == applier.Failed {
		n.t.Fatalf("apply of %s: %s", settings, asJSON(n.t, res))
	}
	return res
}

// finished is what became of an apply.
type finished struct {
	res applier.Result
	err error
}

// begin begins to apply settings.
func (n *node) begin(settings string) <-chan finished {
	n.next++
	done := make(chan finished, 1)
	go func(generation uint64) {
		_, res, err := try(n.Path(socketPath), generation, settings)
		done <- finished{res, err}
	}(n.next)
	return done
}

// runs returns which run of each unit this is.
func (n *node) runs() map[string]string {
	n.t.Helper()
	out := map[string]string{}
	for _, unit := range []string{"trust.service", "clock.service", "names.service", "box@admin.service"} {
		out[unit] = n.Property(unit, "InvocationID")
	}
	return out
}

// renewed returns the units whose run is another one than before.
func renewed(before, after map[string]string) map[string]bool {
	out := map[string]bool{}
	for unit, run := range after {
		if before[unit] != run {
			out[unit] = true
		}
	}
	return out
}

// Exactly the units that own what changed are restarted, by a program that is
// started for each request.
func TestSystemd(t *testing.T) {
	n := bootNode(t, nil, nil)
	n.must(`{}`)
	tests := []struct {
		name, settings string
		renewed        []string
		status         applier.Status
	}{
		{"nothing", `{}`, nil, applier.Nothing},
		{"no unit", `{"motd": "hello"}`, nil, applier.OK},
		{"restart", `{"ntp": {"time-servers": ["a.example"]}}`, []string{"clock.service"}, applier.OK},
		{"drop-in", `{"network": {"hostname": "node-1"}}`, []string{"clock.service"}, applier.OK},
		{"several", `{"pki": {"x": {"trusted": false}}}`, []string{"trust.service", "clock.service"}, applier.OK},
		{"reload", `{"dns": {"name-servers": ["192.0.2.1"]}, "pki": {"x": {"trusted": false}}}`, nil, applier.OK},
		{
			"start", `{"host-containers": {"admin": {"enabled": true, "source": "b/c:1"}}}`,
			[]string{"trust.service", "clock.service", "box@admin.service"},
			applier.OK,
		},
		{"change", `{"host-containers": {"admin": {"enabled": true, "source": "b/c:2"}}}`, []string{"box@admin.service"}, applier.OK},
		{"action", `{"host-containers": {"admin": {"enabled": true, "source": "b/c:2"}}, "kernel": {"sysctl": {"a.b": "1"}}}`, nil, applier.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := n.runs()
			res := n.must(tt.settings)
			want := map[string]bool{}
			for _, unit := range tt.renewed {
				want[unit] = true
			}
			if diff := cmp.Diff(want, renewed(before, n.runs())); diff != "" || res.Status != tt.status {
				t.Errorf("apply of %s: %s, want %s; units with another run (-want +got):\n%s", tt.settings, res.Status, tt.status, diff)
			}
			for _, u := range res.Units {
				if u.State != "active" && u.State != "inactive" {
					t.Errorf("unit %+v: want it active or inactive", u)
				}
			}
			if tt.name == "drop-in" {
				if got := n.Property("clock.service", "Description"); got != "node-1" {
					t.Errorf("description of the unit: %q, want that of its drop-in", got)
				}
			}
		})
	}
	n.must(`{}`)
	if got := n.Property("box@admin.service", "ActiveState"); got != "inactive" {
		t.Errorf("unit whose file has gone: %s, want inactive", got)
	}
	if got := n.Run("cat", "/run/reloads"); got != "reloaded\nreloaded\nreloaded" {
		t.Errorf("reloads: %q, want three: the first file, another, and the first again", got)
	}
	within(t, "end of the program", func() bool { return n.Property("apply.service", "ActiveState") == "inactive" })
	if got := n.Property("apply.socket", "SubState"); got != "listening" {
		t.Errorf("socket is %s after the program has ended, want listening", got)
	}
}

// A unit that fails is told with what it said, the others are dealt with, and
// the next settings bring it up again.
func TestSystemdUnitFails(t *testing.T) {
	n := bootNode(t, nil, nil)
	n.must(`{}`)
	res := n.apply(`{"ntp": {"time-servers": ["bad.example"]}, "dns": {"name-servers": ["192.0.2.1"]}}`)
	got := map[string]applier.Unit{}
	for _, u := range res.Units {
		got[u.Name] = u
	}
	clock := got["clock.service"]
	if clock.State != "failed" || clock.Error != "restart clock.service: the unit has failed" || !strings.Contains(strings.Join(clock.Journal, "\n"), "bad clock") {
		t.Errorf("unit that fails: %s, want failed with its journal", asJSON(t, clock))
	}
	if names := got["names.service"]; names.Error != "" || names.State != "active" {
		t.Errorf("the other unit: %s, want it reloaded", asJSON(t, names))
	}
	res = n.must(`{"ntp": {"time-servers": ["good.example"]}, "dns": {"name-servers": ["192.0.2.1"]}}`)
	if state := n.Property("clock.service", "ActiveState"); state != "active" || len(res.Units) != 1 {
		t.Errorf("with good settings again the unit is %s after %q, want active", state, brief(res))
	}
}

func TestSystemdAbsentUnit(t *testing.T) {
	n := bootNode(t, nil, map[string]string{"package.toml": strings.ReplaceAll(demo["package.toml"], "names.service", "nowhere.service")})
	res := n.apply(`{"ntp": {"time-servers": ["a.example"]}}`)
	want := "reload nowhere.service  there is no such unit"
	if !slices.Contains(brief(res), want) {
		t.Errorf("apply with a unit that is absent: %q, want %q in it", brief(res), want)
	}
}

// slowClock is a unit that gets ready when the test says so.
const slowClock = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sh -c 'while [ ! -e /run/go ]; do sleep 0.01; done; cat /etc/clock/clock.conf >>/run/seen'\n"

// A unit that is being started is waited for and then restarted: it may have
// read its old files.
func TestSystemdActivating(t *testing.T) {
	n := bootWith(t, map[string]string{"clock.service": slowClock}, nil, nsboot.Options{Wants: []string{"names.service"}})
	n.must(`{}`)
	n.Run("systemctl", "start", "--no-block", "clock.service")
	within(t, "unit activating", func() bool { return n.Property("clock.service", "ActiveState") == "activating" })
	run := n.Property("clock.service", "InvocationID")
	done := n.begin(clock)
	within(t, "new file", func() bool {
		data, err := os.ReadFile(n.Path("/etc/clock/clock.conf"))
		return err == nil && len(data) > 0
	})
	if got := n.Property("clock.service", "InvocationID"); got != run {
		t.Error("the unit was restarted while it was activating, want it waited for")
	}
	n.Run("touch", "/run/go")
	out := <-done
	if out.err != nil || out.res.Status != applier.OK {
		t.Fatalf("apply while the unit is activating: %v %s", out.err, asJSON(t, out.res))
	}
	if got := n.Property("clock.service", "InvocationID"); got == run {
		t.Error("the unit was not restarted, want it restarted after it got ready")
	}
	if got := n.Run("tail", "-n1", "/run/seen"); got != "server a.example" {
		t.Errorf("the unit has seen %q last, want the new file", got)
	}
}

// While the machine boots, nobody waits for a unit that comes after what is
// still to be done: the one who asks may be that.
func TestSystemdBoots(t *testing.T) {
	n := bootWith(t, map[string]string{
		"slow.service": "[Service]\nType=oneshot\nExecStart=sh -c 'while [ ! -e /run/go ]; do sleep 0.01; done'\n",
		"box@.service": "[Unit]\nAfter=slow.service\n[Service]\nType=exec\nExecStart=sleep infinity\n",
	}, nil, nsboot.Options{Wants: []string{"slow.service"}, Boots: true})
	within(t, "socket", func() bool { return isListening(n.Path(socketPath)) })
	res := n.must(`{"host-containers": {"admin": {"enabled": true, "source": "b/c:1"}}}`)
	want := "start box@admin.service it starts in its turn: the node boots"
	if !slices.Contains(brief(res), want) {
		t.Errorf("apply at boot: %q, want %q in it", brief(res), want)
	}
	n.Run("touch", "/run/go")
	within(t, "unit", func() bool { return n.Property("box@admin.service", "ActiveState") == "active" })
	if res := n.must(`{"host-containers": {"admin": {"enabled": true, "source": "b/c:1"}}}`); res.Status != applier.Nothing {
		t.Errorf("apply after the boot: %q, want nothing", brief(res))
	}
}

// A unit that does not get ready within the limit is told, and owed.
func TestSystemdLimit(t *testing.T) {
	n := bootWith(t, map[string]string{
		"clock.service": slowClock,
		"apply.service": units["apply.service"] + "ExecStart=\nExecStart=/opt/apply --image /opt/image --idle 100ms --limit 200ms\n",
	}, nil, nsboot.Options{Wants: []string{"names.service"}})
	n.must(`{}`)
	n.Run("touch", "/run/go")
	n.Run("systemctl", "start", "clock.service")
	must(t, os.Remove(n.Path("/run/go")))
	res := n.apply(`{"ntp": {"time-servers": ["a.example"]}, "dns": {"name-servers": ["192.0.2.1"]}}`)
	want := []string{
		"update /etc/clock/clock.conf", "update /etc/names", "restart clock.service  restart clock.service: not done within 200ms", "reload names.service",
	}
	if diff := cmp.Diff(want, brief(res)); diff != "" {
		t.Errorf("apply with a unit that does not get ready (-want +got):\n%s", diff)
	}
	n.Run("touch", "/run/go")
	res = n.must(`{"ntp": {"time-servers": ["a.example"]}, "dns": {"name-servers": ["192.0.2.1"]}}`)
	if diff := cmp.Diff([]string{"settle /etc/clock/clock.conf", "restart clock.service"}, brief(res)); diff != "" {
		t.Errorf("next apply (-want +got):\n%s", diff)
	}
}

// When systemd hangs up, as it does when it is executed anew, that is told and
// owed, and nothing hangs.
func TestSystemdHangsUp(t *testing.T) {
	n := bootWith(t, map[string]string{"clock.service": slowClock}, nil, nsboot.Options{})
	n.must(`{}`)
	n.Run("touch", "/run/go")
	n.Run("systemctl", "start", "clock.service")
	must(t, os.Remove(n.Path("/run/go")))
	done := n.begin(clock)
	within(t, "unit activating", func() bool { return n.Property("clock.service", "ActiveState") == "activating" })
	n.Run("systemctl", "daemon-reexec")
	out := <-done
	must(t, out.err)
	want := []string{"update /etc/clock/clock.conf", "restart clock.service  restart clock.service: the connection to systemd has broken off"}
	if diff := cmp.Diff(want, brief(out.res)); diff != "" {
		t.Errorf("apply while systemd hangs up (-want +got):\n%s", diff)
	}
	n.Run("touch", "/run/go")
	if diff := cmp.Diff([]string{"settle /etc/clock/clock.conf", "restart clock.service"}, brief(n.must(clock))); diff != "" {
		t.Errorf("next apply (-want +got):\n%s", diff)
	}
}

const clock = `{"ntp": {"time-servers": ["a.example"]}}`

// Without systemd files are written all the same, and the units are owed.
func TestNoSystemd(t *testing.T) {
	tests := []struct {
		name   string
		socket func(t *testing.T, path string)
		want   string
	}{
		{"no socket", func(*testing.T, string) {}, "reach systemd: dial unix"},
		{"one that nobody serves", hangUp, "reach systemd: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoImage(t, nil), nil)
			socket := filepath.Join(b.dir, "s")
			tt.socket(t, socket)
			recorder := b.manager
			b.manager = newSystemd(socket, time.Minute)
			res := b.set(everything)
			for _, u := range res.Units {
				if !strings.HasPrefix(u.Error, tt.want) && !strings.HasPrefix(u.Error, "left as it is: ") {
					t.Errorf("unit %s: %q, want %q or left as it is", u.Name, u.Error, tt.want)
				}
			}
			if got := b.file("etc/motd"); res.Status != applier.Failed || got != "hello" || !strings.Contains(res.Error, tt.want) {
				t.Errorf("apply: %s %q with motd %q, want failed with the files written", res.Status, res.Error, got)
			}
			b.manager = recorder
			b.must(everything)
			if got := len(b.recorded()); got != 5 {
				t.Errorf("next apply: recorded %q, want the five things that are owed", b.recorded())
			}
		})
	}
}

// hangUp listens at path and closes every connection.
func hangUp(t *testing.T, path string) {
	l, err := net.Listen("unix", path)
	must(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
}

// A program that is killed while units restart is made up for by the next one.
func TestSystemdKilled(t *testing.T) {
	n := bootNode(t, nil, nil)
	n.must(`{}`)
	dropIn := "/run/systemd/system/apply.service.d/kill.conf"
	for _, step := range []int{3, 9, 12, 15, 18} {
		settings := strings.Replace(everything, "a.example", fmt.Sprintf("a%d.example", step), 1)
		must(t, os.MkdirAll(n.Path(filepath.Dir(dropIn)), 0o755))
		must(t, os.WriteFile(n.Path(dropIn), fmt.Appendf(nil, "[Service]\nEnvironment=%s=%d\n", killAt, step), 0o644))
		n.Run("systemctl", "daemon-reload")
		n.next++
		_, _, err := try(n.Path(socketPath), n.next, settings)
		must(t, os.Remove(n.Path(dropIn)))
		n.Run("systemctl", "daemon-reload")
		n.Run("systemctl", "reset-failed", "apply.service", "apply.socket")
		n.Run("systemctl", "start", "apply.socket")
		res := n.must(settings)
		if err != nil && res.Status == applier.Nothing {
			t.Errorf("killed at step %d (%v): the next apply had nothing to do", step, err)
		}
		if res := n.must(settings); res.Status != applier.Nothing {
			t.Errorf("killed at step %d: one more apply did %q, want nothing", step, brief(res))
		}
		if state := n.Property("clock.service", "ActiveState"); state != "active" {
			t.Errorf("killed at step %d: unit is %s, want active", step, state)
		}
		n.fresh(step, "clock.service", "/etc/clock/clock.conf")
	}
}

// fresh checks that a unit was started after its file was written.
func (n *node) fresh(step int, unit, file string) {
	n.t.Helper()
	started, err := time.Parse("Mon 2006-01-02 15:04:05.000000 MST",
		n.Run("systemctl", "show", "--value", "--timestamp=us", "--property=ExecMainStartTimestamp", unit))
	must(n.t, err)
	info, err := os.Stat(n.Path(file))
	must(n.t, err)
	written := info.ModTime()
	if started.Before(written.Truncate(time.Microsecond)) {
		n.t.Errorf("killed at step %d: %s was started at %s, before its file was written at %s", step, unit, started, written)
	}
}
