package apply

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
)

// The same under systemd, with some settings of a variant with many units: all
// of its units are there, though they do nothing.
func TestSomeSettingsUnderSystemd(t *testing.T) {
	const variant, some = "aws-ecs-2", 10
	s := newSweep(t, realImage(t), variant, "tls")
	// The machine shares the kernel with this one.
	s.base = s.base.Filter(func(k key.Key, _ document.Value) bool { return !k.Under(key.Of("kernel", "sysctl")) })
	n := bootVariant(t, s)
	n.settle(s.base)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	leaves := s.leaves()
	r.Shuffle(len(leaves), func(i, j int) { leaves[i], leaves[j] = leaves[j], leaves[i] })
	tried := 0
	for _, l := range leaves {
		if l[0] == "kernel" && l[1] == "sysctl" {
			continue
		}
		ch, ok := s.change(l)
		if !ok || len(s.expected(ch).units) == 0 {
			continue
		}
		n.try(ch)
		if tried++; tried == some {
			break
		}
	}
	t.Logf("seed %d: %d settings", seed, tried)
}

// A variantNode is a machine with the units of a variant.
type variantNode struct {
	*node
	s     *sweep
	units []string // that there are stand-ins for
}

// standIns are units that run and do nothing, by kind.
var standIns = map[string]string{
	".service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nExecStart=sleep infinity\nExecReload=true\n",
	".timer":   "[Timer]\nOnActiveSec=1d\n",
}

func bootVariant(t *testing.T, s *sweep) *variantNode {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	packages, err := filepath.Abs(packagesDir)
	must(t, err)
	opt := nsboot.Options{
		Binds: map[string]string{"/opt/apply": self, "/opt/image/usr/share/bulkhead/packages": packages},
		Files: map[string]string{}, Wants: []string{"apply.socket"},
	}
	out := &variantNode{s: s}
	for _, p := range s.img.packages {
		for _, u := range p.Units {
			text, ok := standIns[filepath.Ext(u.Name)]
			if !ok {
				continue
			}
			opt.Files["/etc/systemd/system/"+u.Name] = text
			if !strings.Contains(u.Name, "@") && !u.WithFiles && !strings.HasPrefix(u.Name, "apply.") {
				opt.Wants = append(opt.Wants, u.Name)
			}
		}
	}
	for name, text := range map[string]string{"apply.socket": units["apply.socket"], "apply.service": units["apply.service"]} {
		opt.Files["/etc/systemd/system/"+name] = text
	}
	out.node = &node{Machine: nsboot.Boot(t, opt), t: t}
	out.units = opt.Wants
	for _, f := range s.rendered(s.base) {
		out.units = append(out.units, f.Units...)
	}
	// Apply itself ends and starts as it likes.
	out.units = slices.DeleteFunc(out.units, func(u string) bool { return standIns[filepath.Ext(u)] == "" || u == "apply.service" })
	slices.Sort(out.units)
	out.units = slices.Compact(out.units)
	return out
}

// settle applies doc, which has to work.
func (n *variantNode) settle(doc document.Document) applier.Result {
	n.t.Helper()
	req := n.s.request(doc)
	body, err := json.Marshal(req)
	must(n.t, err)
	_, res, err := exchange(n.Path(socketPath), string(body))
	must(n.t, err)
	if res.Status == applier.Failed {
		n.t.Fatalf("apply: %s", asJSON(n.t, res))
	}
	return res
}

// runs returns which run of each unit this is.
func (n *variantNode) runs(units []string) map[string]string {
	n.t.Helper()
	out := map[string]string{}
	text := n.Run(append([]string{"systemctl", "show", "--property=Id,ActiveState,InvocationID"}, units...)...)
	for block := range strings.SplitSeq(text, "\n\n") {
		properties := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			properties[name] = value
		}
		if properties["ActiveState"] != "active" {
			properties["InvocationID"] = "" // of a run that is over
		}
		out[properties["Id"]] = properties["InvocationID"]
	}
	return out
}

// try makes one change and takes it back.
func (n *variantNode) try(ch changed) {
	n.t.Helper()
	want := n.s.expected(ch)
	before := n.files(want.files)
	all := slices.Clone(n.units)
	stops, renews := map[string]bool{}, map[string]bool{}
	for _, line := range want.units {
		verb, unit, _ := strings.Cut(line, " ")
		all = append(all, unit)
		stops[unit] = verb == "stop"
		renews[unit] = verb == "restart" || verb == "start" || verb == "stop"
	}
	slices.Sort(all)
	all = slices.Compact(all)
	maps.DeleteFunc(renews, func(_ string, is bool) bool { return !is })
	for _, step := range []struct {
		name string
		doc  document.Document
	}{{"change", ch.doc}, {"way back", n.s.base}} {
		was := n.runs(all)
		res := n.settle(step.doc)
		now := n.runs(all)
		if diff := cmp.Diff(renews, renewed(was, now)); diff != "" {
			n.t.Errorf("%s = %s, %s: units with another run (-want +got):\n%s\n%s", ch.key, ch.text, step.name, diff, asJSON(n.t, res))
		}
		for unit, stop := range stops {
			if gone := now[unit] == ""; stop && gone != (step.name == "change") {
				n.t.Errorf("%s = %s, %s: %s stopped: %t", ch.key, ch.text, step.name, unit, gone)
			}
		}
	}
	if diff := cmp.Diff(before, n.files(want.files)); diff != "" {
		n.t.Errorf("%s = %s: going back left (-before +after):\n%s", ch.key, ch.text, diff)
	}
}

// files returns the contents of files of the machine, "" for those that are not
// there.
func (n *variantNode) files(paths []string) map[string]string {
	out := map[string]string{}
	for _, path := range paths {
		data, _ := os.ReadFile(n.Path(path))
		out[path] = string(data)
	}
	return out
}
