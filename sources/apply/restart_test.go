package apply

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
	"github.com/bulkhead-os/bulkhead/variants"
)

const (
	// repository is where packages and documents are.
	repository = "../.."
	// binaryVariable names the binary to be measured; without it that is this test.
	binaryVariable = "BULKHEAD_PROGRAM"
	// chronyUnit is the unit whose file changes.
	chronyUnit = "chrony.service"
	// settling is how long the machine is left alone before something in it is
	// timed. The kernel moves a process into a cgroup much faster when it has just
	// moved another one, and a change that a person makes has no such luck.
	settling = 100 * time.Millisecond
)

// BenchmarkRestart compares a change that restarts one unit with a restart of
// the unit by systemctl, on a machine with the packages and settings of a worker
// node and the program sandboxed as in the image. Cold is a change that starts the
// program; warmed is the first change of one that was told to get ready, as the
// settings daemon does; warm is a change that follows another one.
func BenchmarkRestart(b *testing.B) {
	for _, unit := range []struct{ name, text string }{
		{"at-once", "[Service]\nType=exec\nExecStart=sleep infinity\n"},
		{"100ms", "[Service]\nType=notify\nNotifyAccess=all\nExecStart=sh -c 'sleep 0.1; systemd-notify --ready; exec sleep infinity'\n"},
	} {
		b.Run(unit.name, func(b *testing.B) {
			n := bootWorker(b, unit.text)
			n.change()
			n.Run("systemctl", "start", chronyUnit)
			n.change()
			var nothing, restarts []time.Duration
			cold, warmed, warm := &changes{name: "cold"}, &changes{name: "warmed"}, &changes{name: "warm"}
			for b.Loop() {
				nothing = append(nothing, n.time("true"))
				restarts = append(restarts, n.time("systemctl", "restart", chronyUnit))
				n.Run("systemctl", "stop", "apply.service")
				cold.add(n.change())
				warm.add(n.change())
				n.Run("systemctl", "stop", "apply.service")
				n.warm()
				warmed.add(n.change())
			}
			// What it takes to get into the machine is not systemctl's.
			restart := median(restarts) - median(nothing)
			b.ReportMetric(milliseconds(restart), "systemctl-ms")
			for _, c := range []*changes{cold, warmed, warm} {
				c.report(b, restart)
			}
		})
	}
}

// Changes are how long changes took that have something in common.
type changes struct {
	name        string
	took, works []time.Duration
}

func (c *changes) add(took, work time.Duration) {
	c.took, c.works = append(c.took, took), append(c.works, work)
}

// report reports the changes beside a restart by systemctl.
func (c *changes) report(b *testing.B, restart time.Duration) {
	took := median(c.took)
	b.ReportMetric(milliseconds(took), c.name+"-ms")
	b.ReportMetric(milliseconds(median(c.works)), c.name+"-work-ms") // of it, without the start of the program
	b.ReportMetric(float64(took)/float64(restart), c.name+"-ratio")
}

func median(took []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(took))[len(took)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A worker node is a machine with all that a variant has.
type workerNode struct {
	*nsboot.Machine
	b        *testing.B
	variant  *variant.Variant
	settings document.Document
	changes  int // so far
}

func bootWorker(b *testing.B, unit string) *workerNode {
	v, err := variant.Load(variants.Files, "metal-k8s-1.36")
	must(b, err)
	packages, rep := recipe.LoadAll(os.DirFS(repository+"/packages"), v.Packages)
	must(b, rep.Err())
	n := &workerNode{b: b, variant: v, settings: workerSettings(b, v)}
	binary, err := os.Executable()
	must(b, err)
	if built := os.Getenv(binaryVariable); built != "" {
		binary = built
	}
	definitions, err := filepath.Abs(repository + "/packages")
	must(b, err)
	own, err := os.ReadFile(repository + "/packages/apply/apply.service")
	must(b, err)
	files := map[string]string{
		"/root/.keep": "", "/etc/chrony/chrony.conf": "",
		"/etc/systemd/system/apply.service.d/bench.conf": "[Service]\nEnvironment=" + asProgram + "=1\n" +
			"ExecStart=\nExecStart=/opt/apply --image /opt/image\n",
	}
	for _, p := range packages {
		for _, u := range p.Units {
			files["/etc/systemd/system/"+u.Name] = "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
			// Packages may render drop-ins, which come before this one.
			files["/etc/systemd/system/"+u.Name+".d/zz.conf"] = "[Service]\nExecStart=\nExecStart=true\n"
		}
	}
	for name, text := range map[string]string{chronyUnit: unit, "apply.service": string(own), "apply.socket": units["apply.socket"]} {
		files["/etc/systemd/system/"+name] = text
		delete(files, "/etc/systemd/system/"+name+".d/zz.conf")
	}
	binds := map[string]string{"/opt/apply": binary, "/opt/image/usr/share/bulkhead/packages": definitions}
	n.Machine = nsboot.Boot(b, nsboot.Options{Files: files, Binds: binds, Wants: []string{"apply.socket"}})
	return n
}

// workerSettings returns the settings of a worker node, without what would
// reach the kernel, which the machine has in common with this one.
func workerSettings(b *testing.B, v *variant.Variant) document.Document {
	data, err := os.ReadFile(repository + "/docs/guide/examples/metal-k8s.toml")
	must(b, err)
	in := v.Schema.ReadTOML(data, schema.Options{})
	must(b, in.Report.Err())
	return document.Merge(in.Patch.Set, v.Defaults).Filter(func(k key.Key, _ document.Value) bool {
		return !strings.HasPrefix(k.String(), "settings.kernel.sysctl")
	})
}

// change changes the unit's file and returns how long it took, and how long from
// the first look at the files to the end.
func (n *workerNode) change() (took, work time.Duration) {
	n.b.Helper()
	i := n.changes
	n.changes++
	servers := n.variant.Schema.ReadJSON(fmt.Appendf(nil, `{"ntp": {"time-servers": ["time-%d.example"]}}`, i), schema.Options{})
	body, err := json.Marshal(applier.Request{
		Generation: uint64(i + 1), Settings: document.Merge(servers.Patch.Set, n.settings).JSON(), OS: n.os(),
	})
	must(n.b, err)
	before := n.Property(chronyUnit, "InvocationID")
	time.Sleep(settling)
	begin := time.Now()
	_, res, err := exchange(n.Path(socketPath), string(body))
	took = time.Since(begin)
	must(n.b, err)
	if i > 0 && (res.Status != applier.OK || len(res.Files) != 1 || len(res.Units) != 1 || n.Property(chronyUnit, "InvocationID") == before) {
		n.b.Fatalf("change %d: %s, want one file and a restart of %s", i, asJSON(n.b, res), chronyUnit)
	}
	return took, res.Finished.Sub(res.Started)
}

// warm makes the program ready for changes.
func (n *workerNode) warm() {
	n.b.Helper()
	body, err := json.Marshal(n.os())
	must(n.b, err)
	answer, err := post(n.Path(socketPath), "/warm", string(body))
	must(n.b, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		n.b.Fatalf("POST /warm: %d, want 200", answer.StatusCode)
	}
}

func (n *workerNode) os() applier.OS {
	return applier.OS{Variant: n.variant.Name, Arch: n.variant.Arch[0], Version: "1.0.0"}
}

// time returns how long a command in the machine takes.
func (n *workerNode) time(words ...string) time.Duration {
	n.b.Helper()
	time.Sleep(settling)
	begin := time.Now()
	n.Run(words...)
	return time.Since(begin)
}
