package apiserver_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
)

// A host is a settings daemon and the apply service, as in a sandbox: with the
// repository's packages, and units that are written down instead of restarted.
type host struct {
	*process
	dir   string
	image string
	apply *process
}

func startHost(t *testing.T) *host {
	t.Helper()
	h := &host{dir: t.TempDir(), image: t.TempDir()}
	packages, err := filepath.Abs("../../packages")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(h.image, "usr/lib/os-release"), "VARIANT_ID=qemu-dev\nVERSION_ID=1.2.3\n")
	if err := os.MkdirAll(filepath.Join(h.image, "usr/share/bulkhead"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(packages, filepath.Join(h.image, "usr/share/bulkhead/packages")); err != nil {
		t.Fatal(err)
	}
	h.startApply(t)
	h.process = start(t, h.dir, "--image", h.image, "--apply-socket", filepath.Join(h.dir, "apply.sock"))
	return h
}

func (h *host) startApply(t *testing.T) {
	t.Helper()
	socket := filepath.Join(h.dir, "apply.sock")
	h.apply = launch(t, socket, func(c *exec.Cmd) { c.Env = append(c.Env, asDaemon+"="+asApply) },
		"--root", h.dir, "--image", h.image, "--socket", socket, "--units", "record")
	within(t, "socket of the apply service", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (h *host) read(path string) string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.dir, path))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

// units returns what was done with units, as systemctl has it.
func (h *host) units() []string {
	h.t.Helper()
	out := []string{}
	for line := range strings.Lines(h.read("run/bulkhead/units.log")) {
		var r struct{ Verb, Unit string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			h.t.Fatal(err)
		}
		out = append(out, r.Verb+" "+r.Unit)
	}
	return out
}

// An outcome is what an apply did, or what a plan says that it would.
type outcome struct{ Files, Units []string }

func outcomeOf[F, U any](files []F, file func(F) string, units []U, unit func(U) string) outcome {
	o := outcome{[]string{}, []string{}}
	for _, f := range files {
		o.Files = append(o.Files, file(f))
	}
	for _, u := range units {
		o.Units = append(o.Units, unit(u))
	}
	slices.Sort(o.Units) // independent ones are dealt with at the same time
	return o
}

// change sets settings and has them applied. It checks that the plan made before
// says what then happens.
func (h *host) change(body, query string) outcome {
	h.t.Helper()
	h.must("PATCH", "/settings", body)
	planned := h.planned("tx=default")
	done := h.applied("/tx/commit_and_apply?wait=60s" + query)
	if diff := cmp.Diff(planned, done); diff != "" {
		h.t.Errorf("change %s (-planned +done):\n%s", body, diff)
	}
	return done
}

func (h *host) planned(query string) outcome {
	h.t.Helper()
	var p applier.Plan
	if err := json.Unmarshal([]byte(h.must("POST", "/plan?"+query, "{}")), &p); err != nil {
		h.t.Fatal(err)
	}
	return outcomeOf(p.Files, func(f plan.FileChange) string { return string(f.Action) + " " + f.Path },
		p.Units, func(u plan.UnitAction) string { return string(u.Action) + " " + u.Name })
}

func (h *host) applied(target string) outcome {
	h.t.Helper()
	answer := h.must("POST", target, "")
	var change struct{ Apply applier.Result }
	if err := json.Unmarshal([]byte(answer), &change); err != nil || change.Apply.Status != applier.OK {
		h.t.Fatalf("POST %s: %s, %v, want an apply that went well", target, answer, err)
	}
	return outcomeOf(change.Apply.Files, func(f applier.File) string { return string(f.Action) + " " + f.Path },
		change.Apply.Units, func(u applier.Unit) string { return string(u.Action) + " " + u.Name })
}

var (
	motdOnly   = outcome{[]string{"update /etc/motd"}, []string{}}
	chronyOnly = outcome{[]string{"update /etc/chrony/chrony.conf"}, []string{"restart chrony.service"}}
)

// Setting something changes exactly the files and restarts exactly the units it
// should, the plan says so beforehand, and going back undoes it.
func TestSettingsReachTheHost(t *testing.T) {
	h := startHost(t)
	first := h.must("POST", "/tx/apply?wait=60s", "")
	if !strings.Contains(first, `"status":"ok"`) {
		t.Fatalf("first apply: %s, want it to go well", first)
	}
	motd, chrony, units := h.read("etc/motd"), h.read("etc/chrony/chrony.conf"), h.units()

	if diff := cmp.Diff(motdOnly, h.change(`{"motd":"hello there"}`, "")); diff != "" {
		t.Errorf("set motd (-want +got):\n%s", diff)
	}
	if got := h.read("etc/motd"); !strings.Contains(got, "hello there") {
		t.Errorf("motd is %q, want the new one", got)
	}
	if diff := cmp.Diff(chronyOnly, h.change(`{"ntp":{"time-servers":["time.example.org"]}}`, "")); diff != "" {
		t.Errorf("set ntp.time-servers (-want +got):\n%s", diff)
	}
	if got := h.read("etc/chrony/chrony.conf"); !strings.Contains(got, "time.example.org") {
		t.Errorf("chrony.conf is %q, want the new server", got)
	}
	if diff := cmp.Diff(append(units, "restart chrony.service"), h.units()); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	both := outcome{append(slices.Clone(chronyOnly.Files), motdOnly.Files...), chronyOnly.Units}
	if diff := cmp.Diff(both, h.planned("revert=0")); diff != "" {
		t.Errorf("plan of a revert (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(both, h.applied("/generations/0/revert?wait=60s")); diff != "" {
		t.Errorf("revert (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{motd, chrony}, []string{h.read("etc/motd"), h.read("etc/chrony/chrony.conf")}); diff != "" {
		t.Errorf("files after the revert (-before +after):\n%s", diff)
	}
	again := h.must("POST", "/tx/apply?wait=60s", "")
	if !strings.Contains(again, `"status":"nothing"`) {
		t.Errorf("apply of what is applied: %s, want nothing to be done", again)
	}
}

// A try that runs out takes files back and restarts units, too, also when the
// daemon was not there at that moment.
func TestTryTakesFilesBack(t *testing.T) {
	h := startHost(t)
	h.must("POST", "/tx/apply?wait=60s", "")
	before := h.read("etc/chrony/chrony.conf")
	h.change(`{"ntp":{"time-servers":["try.example.org"]}}`, "&try=2s")
	within(t, "end of the try", func() bool { return h.read("etc/chrony/chrony.conf") == before })
	within(t, "restart of the unit", func() bool {
		units := h.units()
		n := len(units)
		return n >= 2 && units[n-1] == "restart chrony.service" && units[n-2] == units[n-1]
	})
	// The restart is recorded before the apply has written down that it is done.
	within(t, "end of the apply", func() bool { return strings.Contains(h.must("GET", "/applies?limit=1", ""), `"finished"`) })

	h.change(`{"motd":"tried"}`, "&try=1s")
	h.stop()
	h.process = start(t, h.dir, "--image", h.image, "--apply-socket", filepath.Join(h.dir, "apply.sock"))
	within(t, "end of the try behind the daemon's back", func() bool { return !strings.Contains(h.read("etc/motd"), "tried") })
}

// When the apply service is gone settings are committed all the same, the node
// says that they are not applied, and applying them can be made up for.
func TestApplyServiceGone(t *testing.T) {
	h := startHost(t)
	h.must("POST", "/tx/apply?wait=60s", "")
	h.apply.stop()
	h.must("PATCH", "/settings", `{"motd":"later"}`)
	if got := h.must("POST", "/plan?tx=default", "{}"); !strings.Contains(got, `"code":"no-plan"`) {
		t.Errorf("plan without the service: %s, want a warning", got)
	}
	if got := h.must("POST", "/tx/commit_and_apply?wait=60s", ""); !strings.Contains(got, `"status":"failed"`) {
		t.Errorf("commit without the service: %s, want a failed apply", got)
	}
	if got := h.must("GET", "/health", ""); !strings.Contains(got, `"code":"apply-failed"`) || h.motd() != "later" {
		t.Errorf("health without the service: %s, motd %q, want the fault and the new motd", got, h.motd())
	}
	h.startApply(t)
	h.must("POST", "/tx/apply?wait=60s", "")
	if got := h.read("etc/motd"); !strings.Contains(got, "later") {
		t.Errorf("motd is %q, want the new one", got)
	}
	if got := h.must("GET", "/health", ""); !strings.Contains(got, `"status":"ok"`) {
		t.Errorf("health afterwards: %s, want ok", got)
	}
}

// Who asks what a setting reaches is told what then happens.
func TestCatalogueOfImage(t *testing.T) {
	h := startHost(t)
	for target, want := range map[string]string{
		"/services?names=chrony":                            `{"chrony":{"configuration-files":["chrony-conf"],"restart-commands":["systemctl try-restart chrony.service"]}}`,
		"/configuration-files?names=chrony-conf":            `{"chrony-conf":{"mode":"0644","path":"/etc/chrony/chrony.conf","template-path":"/usr/share/bulkhead/packages/chrony/chrony.conf.tmpl"}}`,
		"/metadata/affected-services?keys=ntp.time-servers": `{"ntp.time-servers":["chrony"]}`,
		"/metadata/readers?keys=motd":                       `{"motd":{"files":[{"name":"base-motd","path":"/etc/motd","units":[],"on_change":"none"}],"programs":[]}}`,
	} {
		if got := h.must("GET", target, ""); got != want {
			t.Errorf("GET %s:\ngot  %s\nwant %s", target, got, want)
		}
	}
	if got := h.must("GET", "/?prefix=services.chrony", ""); !strings.HasPrefix(got, `{"services":{"chrony":`) {
		t.Errorf("GET /?prefix=services.chrony: %s, want the section", got)
	}
}
