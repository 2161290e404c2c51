package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
)

// packaged are the packages whose units are real on a variantNode.
var packaged = []string{"apiserver", "apply"}

// standIns are units that run and do nothing, by kind.
var standIns = map[string]string{
	".service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nExecStart=sleep infinity\nExecReload=true\n",
	".timer":   "[Timer]\nOnActiveSec=1d\n",
}

// people are users of the machine: one in the group of the API, one in that of
// its readers, and one in neither.
const people = "u operator 2001 - /\nm operator api\nu reader 2002 - /\nm reader api-read\nu stranger 2003 - /\n"

// A variantNode is a machine with the units of a variant. The settings daemon
// and apply are as in the image, with their sandboxes and users; the other units
// are there, though they do nothing.
type variantNode struct {
	*nsboot.Machine
	t          *testing.T
	s          *sweep
	generation uint64 // the current one
}

// nodePrograms builds the programs of a node and returns where they are.
func nodePrograms(t *testing.T) string {
	t.Helper()
	if why := nsboot.Missing(); why != "" {
		t.Skip("no machine can be booted: " + why)
	}
	const module = "github.com/bulkhead-os/bulkhead/"
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, module+"sources/cmd/bulkhead", module+"api/cmd/apiclient")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return dir
}

// bootVariant boots a machine of the sweep's variant and applies its settings.
func bootVariant(t *testing.T, programs string, s *sweep) *variantNode {
	t.Helper()
	packages, err := filepath.Abs(packagesDir)
	must(t, err)
	opt := nsboot.Options{
		Binds: map[string]string{
			"/usr/bin/apiserver": filepath.Join(programs, "bulkhead"), "/usr/bin/apply": filepath.Join(programs, "bulkhead"),
			"/usr/bin/apiclient": filepath.Join(programs, "apiclient"), "/usr/share/bulkhead/packages": packages,
		},
		Files: map[string]string{
			"/usr/lib/os-release":            "NAME=Bulkhead\nID=bulkhead\nVERSION_ID=1.0.0\nVARIANT_ID=" + s.v.Name + "\n",
			"/etc/sysusers.d/99-people.conf": people,
		},
	}
	for _, p := range s.img.packages {
		if p.Sysusers != "" {
			opt.Files["/usr/lib/sysusers.d/"+p.Sysusers] = packageFile(t, p, p.Sysusers)
		}
		for _, u := range p.Units {
			addUnit(t, &opt, p, u)
		}
	}
	n := &variantNode{Machine: nsboot.Boot(t, opt), t: t, s: s}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := n.Command("journalctl", "--no-pager", "--output=short-monotonic", "--unit=apiserver", "--unit=apply", "--lines=50").CombinedOutput()
			t.Logf("the end of the journal:\n%s", out)
		}
	})
	within(t, "API", func() bool { _, err := n.client("", "get", "motd"); return err == nil })
	n.must(`{"settings": `+string(s.user.JSON())+`}`, "apply", "--wait=2m")
	n.generation = 1
	return n
}

// addUnit gives the machine a unit, its own or a stand-in, and has it started
// where it runs without a file that asks for it.
func addUnit(t *testing.T, opt *nsboot.Options, p *recipe.Package, u recipe.Unit) {
	t.Helper()
	file := "/usr/lib/systemd/system/" + u.Name
	if slices.Contains(packaged, p.Name) {
		opt.Files[file] = packageFile(t, p, u.File)
		// An image has its users from the start.
		opt.Files[file+".d/users.conf"] = "[Unit]\nAfter=systemd-sysusers.service\n"
		if u.Enable {
			opt.Wants = append(opt.Wants, u.Name)
		}
		return
	}
	text, ok := standIns[filepath.Ext(u.Name)]
	if !ok {
		return
	}
	opt.Files[file] = text
	if strings.HasSuffix(u.Name, ".service") {
		// Rendered drop-ins may say what to start.
		opt.Files["/run/systemd/system/"+u.Name+".d/zz.conf"] = "[Service]\nExecStart=\nExecStart=sleep infinity\n"
	}
	if !strings.Contains(u.Name, "@") && !u.WithFiles {
		opt.Wants = append(opt.Wants, u.Name)
	}
}

func packageFile(t *testing.T, p *recipe.Package, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(packagesDir, p.Name, name))
	must(t, err)
	return string(data)
}

// client runs apiclient in the machine, as root or as the user in front of its
// arguments, as in "operator:".
func (n *variantNode) client(input string, args ...string) (string, error) {
	words := []string{"apiclient"}
	if user, ok := strings.CutSuffix(args[0], ":"); ok {
		words, args = []string{"setpriv", "--reuid", user, "--regid", user, "--init-groups", "apiclient"}, args[1:]
	}
	cmd := n.Command(append(words, args...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("apiclient %q: %w\n%s", args, err, stderr.String())
	}
	return string(out), err
}

// must is as client, for what has to work.
func (n *variantNode) must(input string, args ...string) string {
	n.t.Helper()
	out, err := n.client(input, args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// plan returns what a dry run says.
func (n *variantNode) plan(args ...string) consequence {
	n.t.Helper()
	var p applier.Plan
	out := n.must("", append(args, "--dry-run", "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		n.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	var c consequence
	for _, f := range p.Files {
		c.files = append(c.files, f.Path)
	}
	for _, u := range p.Units {
		c.units = append(c.units, string(u.Action)+" "+u.Name)
	}
	return c.sorted()
}

// commit makes a change, waits for it, and returns what systemd and the disk
// say of it.
func (n *variantNode) commit(args ...string) consequence {
	n.t.Helper()
	files, units := n.files(), n.units()
	n.must("", append(args, "--wait=2m")...)
	n.generation++
	return consequence{differing(files, n.files()), verbs(units, n.units())}.sorted()
}

func (c consequence) sorted() consequence {
	slices.Sort(c.files)
	slices.Sort(c.units)
	return c
}

// inverse returns what it takes to undo c.
func (c consequence) inverse() consequence {
	out := consequence{files: c.files}
	for _, line := range c.units {
		switch verb, unit, _ := strings.Cut(line, " "); verb {
		case "start":
			line = "stop " + unit
		case "stop":
			line = "start " + unit
		}
		out.units = append(out.units, line)
	}
	return out.sorted()
}

// A unitRun is a unit as systemd has it.
type unitRun struct {
	active bool
	run    string
	change string // of state, the last; a socket has one for each connection, which does not count
}

// units returns all units that systemd knows of, but apply's own: it ends and
// starts as it likes.
func (n *variantNode) units() map[string]unitRun {
	n.t.Helper()
	out := map[string]unitRun{}
	text := n.Run("systemctl", "show", "--property=Id,ActiveState,InvocationID,StateChangeTimestampMonotonic", "*.service", "*.timer", "*.socket")
	for block := range strings.SplitSeq(text, "\n\n") {
		p := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			p[name] = value
		}
		if strings.HasSuffix(p["Id"], ".socket") {
			delete(p, "StateChangeTimestampMonotonic")
		}
		if p["Id"] != "apply.service" {
			out[p["Id"]] = unitRun{p["ActiveState"] == "active", p["InvocationID"], p["StateChangeTimestampMonotonic"]}
		}
	}
	return out
}

// verbs returns what was done to units: a reload is what changes the state of a
// unit without a new run.
func verbs(before, after map[string]unitRun) []string {
	var out []string
	for unit, is := range after {
		switch was := before[unit]; {
		case !was.active && !is.active:
		case !was.active:
			out = append(out, "start "+unit)
		case !is.active:
			out = append(out, "stop "+unit)
		case was.run != is.run:
			out = append(out, "restart "+unit)
		case was.change != is.change:
			out = append(out, "reload "+unit)
		}
	}
	for unit, was := range before {
		if _, known := after[unit]; was.active && !known {
			out = append(out, "stop "+unit)
		}
	}
	return out
}

// files returns mode, owner and contents of all files and directories that
// rendered files are among.
func (n *variantNode) files() map[string]string {
	n.t.Helper()
	root := os.DirFS(n.Path("/"))
	out := map[string]string{}
	for _, dir := range []string{"etc", "root"} {
		err := fs.WalkDir(root, dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			text := fmt.Sprintf("%s %d:%d\n", info.Mode(), st.Uid, st.Gid)
			if info.Mode().IsRegular() {
				data, err := fs.ReadFile(root, path)
				if err != nil {
					return err
				}
				text += string(data)
			}
			out["/"+path] = text
			return nil
		})
		must(n.t, err)
	}
	return out
}

// effective returns the settings that count once p is made.
func (s *sweep) effective(p document.Patch) (doc document.Document, accepted bool) {
	doc, rep := s.v.Validate(s.user.Apply(p), document.Document{})
	return doc, !rep.HasErrors()
}
