package apply

import (
	"encoding/json"
	"fmt"
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
)

// BenchmarkRestart compares a change that restarts one unit with a restart of
// the unit by systemctl, on a machine with the packages and settings of a worker
// node. The program is started for each change, sandboxed as in the image.
func BenchmarkRestart(b *testing.B) {
	for _, unit := range []struct{ name, text string }{
		{"at-once", "[Service]\nType=exec\nExecStart=sleep infinity\n"},
		{"100ms", "[Service]\nType=notify\nNotifyAccess=all\nExecStart=sh -c 'sleep 0.1; systemd-notify --ready; exec sleep infinity'\n"},
	} {
		b.Run(unit.name, func(b *testing.B) {
			n := bootWorker(b, unit.text)
			n.change(0)
			n.Run("systemctl", "start", chronyUnit)
			n.change(1)
			var nothing, restarts, changes, works []time.Duration
			for i := 0; b.Loop(); i++ {
				nothing = append(nothing, n.time("true"))
				restarts = append(restarts, n.time("systemctl", "restart", chronyUnit))
				took, work := n.change(i + 2)
				changes, works = append(changes, took), append(works, work)
			}
			// What it takes to get into the machine is not systemctl's.
			restart := median(restarts) - median(nothing)
			b.ReportMetric(milliseconds(restart), "systemctl-ms")
			b.ReportMetric(milliseconds(median(changes)), "change-ms")
			b.ReportMetric(milliseconds(median(works)), "work-ms") // of it, without the start of the program
			b.ReportMetric(float64(median(changes))/float64(restart), "ratio")
		})
	}
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
			"ExecStart=\nExecStart=/opt/apply --image /opt/image --idle 20ms\n",
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

// change makes the i-th change of the unit's file and returns how long it took,
// and how long from the first look at the files to the end. The program has
// ended when it returns.
func (n *workerNode) change(i int) (took, work time.Duration) {
	n.b.Helper()
	servers := n.variant.Schema.ReadJSON(fmt.Appendf(nil, `{"ntp": {"time-servers": ["time-%d.example"]}}`, i), schema.Options{})
	body, err := json.Marshal(applier.Request{
		Generation: uint64(i + 1), Settings: document.Merge(servers.Patch.Set, n.settings).JSON(),
		OS: applier.OS{Variant: n.variant.Name, Arch: n.variant.Arch[0], Version: "1.0.0"},
	})
	must(n.b, err)
	before := n.Property(chronyUnit, "InvocationID")
	begin := time.Now()
	_, res, err := exchange(n.Path(socketPath), string(body))
	took = time.Since(begin)
	must(n.b, err)
	if i > 0 && (res.Status != applier.OK || len(res.Files) != 1 || len(res.Units) != 1 || n.Property(chronyUnit, "InvocationID") == before) {
		n.b.Fatalf("change %d: %s, want one file and a restart of %s", i, asJSON(n.b, res), chronyUnit)
	}
	within(n.b, "end of the program", func() bool { return n.Property("apply.service", "ActiveState") == "inactive" })
	return took, res.Finished.Sub(res.Started)
}

// time returns how long a command in the machine takes.
func (n *workerNode) time(words ...string) time.Duration {
	n.b.Helper()
	begin := time.Now()
	n.Run(words...)
	return time.Since(begin)
}
