package networkconfig_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
	"github.com/bulkhead-os/bulkhead/tools/validators"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestMain(m *testing.M) {
	nsboot.Enter()
	os.Exit(m.Run())
}

// labVariant is what the machine is: a node that has a network, and nothing to do
// with it.
const labVariant = `[variant]
name = "lab-dev"
platform = "qemu"
runtime = "dev"
arch = ["x86_64"]
summary = "A machine for tests of networks"
settings = ["api", "network", "dns"]
packages = ["apiserver", "apply", "network"]
include = ["shared/base.toml"]
`

// A machine is a node with the real programs of the settings, of the network and
// of systemd, of the release that images are made of.
type machine struct {
	*nsboot.Machine
	t   *testing.T
	api *client.Client
}

func bootMachine(t *testing.T) *machine {
	t.Helper()
	if why := nsboot.Missing(); why != "" {
		t.Skip("no machine can be booted: " + why)
	}
	root, err := workspace.Find(".")
	must(t, err)
	tree, err := validators.DebianTree(root)
	if err != nil {
		t.Skip(err)
	}
	program := buildProgram(t, root)
	opt := nsboot.Options{
		Usr: filepath.Join(tree, "usr"),
		Binds: map[string]string{
			"/usr/bin/apiserver": program, "/usr/bin/apply": program, "/usr/bin/network-config": program,
			"/usr/share/bulkhead/packages": root.Path("packages"),
		},
		Files: map[string]string{
			"/usr/lib/os-release":                           "NAME=Bulkhead\nID=bulkhead\nVERSION_ID=1.0.0\nVARIANT_ID=lab-dev\n",
			"/usr/share/bulkhead/variants/lab-dev.toml":     labVariant,
			"/usr/share/bulkhead/variants/shared/base.toml": "[api.remote]\nenabled = false\n",
		},
		Wants: []string{"dbus.socket", "apiserver.socket", "apiserver.service", "apply.socket", "network-config.service", "systemd-resolved.service"},
	}
	// Of Debian's, those that machines in namespaces otherwise do without.
	units := filepath.Join(tree, "usr/lib/systemd/system")
	for _, unit := range []string{"dbus.socket", "systemd-networkd.service", "systemd-resolved.service"} {
		opt.Files["/usr/lib/systemd/system/"+unit] = read(t, filepath.Join(units, unit))
	}
	opt.Files["/etc/systemd/system/dbus.service"] = read(t, filepath.Join(units, "dbus-broker.service"))
	addPackages(t, &opt, root)
	m := &machine{Machine: nsboot.Boot(t, opt), t: t}
	m.api = client.New(m.Path("/run/api.sock"))
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := m.Command("journalctl", "--no-pager", "--output=short-monotonic", "--lines=300").CombinedOutput()
			t.Logf("the end of the journal:\n%s", tail(string(out)))
		}
	})
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// buildProgram builds the program of all programs.
func buildProgram(t *testing.T, root workspace.Root) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "bulkhead")
	build := root.Go("build", "-o", out, "./sources/cmd/bulkhead")
	build.Env = append(build.Env, "CGO_ENABLED=0")
	must(t, build.Run(t.Context()))
	return out
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return string(data)
}

// addPackages gives the machine what lies beside the definitions of the packages of
// its variant.
func addPackages(t *testing.T, opt *nsboot.Options, root workspace.Root) {
	t.Helper()
	dir := root.Path("packages")
	packages, rep := recipe.LoadAll(os.DirFS(dir), []string{"apiserver", "apply", "network"})
	must(t, rep.Err())
	for _, p := range packages {
		from := func(name string) string { return read(t, filepath.Join(dir, p.Name, name)) }
		for _, f := range p.Files {
			opt.Files[f.Path] = from(f.Source)
		}
		for _, u := range p.Units {
			if u.File != "" {
				opt.Files["/usr/lib/systemd/system/"+u.Name] = from(u.File)
				// An image has its users from the start.
				opt.Files["/usr/lib/systemd/system/"+u.Name+".d/users.conf"] = "[Unit]\nAfter=systemd-sysusers.service\n"
			}
		}
		for kind, name := range map[string]string{"sysusers": p.Sysusers, "tmpfiles": p.Tmpfiles} {
			if name != "" {
				opt.Files["/usr/lib/"+kind+".d/"+name] = from(name)
			}
		}
	}
}

// change makes the network what a text of TOML says, which has the interfaces and
// what else there is in the settings, and waits until it is applied.
func (m *machine) change(text string) {
	m.t.Helper()
	const tx = "lab"
	for _, name := range []string{"network", "dns"} {
		k, err := key.Parse(name)
		must(m.t, err)
		must(m.t, m.api.Unset(m.t.Context(), tx, []key.Key{k}))
	}
	_, err := m.api.Patch(m.t.Context(), client.Patch{Tx: tx, ContentType: client.TOML, Body: []byte(text), Document: true})
	must(m.t, err)
	c, err := m.api.Commit(m.t.Context(), client.CommitRequest{Tx: tx, Apply: true, Wait: patience})
	if err != nil {
		m.t.Fatalf("commit of %s: %v", text, err)
	}
	if c.Apply == nil || c.Apply.Status != "ok" {
		out, _ := json.Marshal(c)
		m.t.Fatalf("commit of %s: %s, want it applied", text, out)
	}
}

// An addressInfo is how ip shows an address.
type addressInfo struct {
	Local, Scope string
	Prefixlen    int
	Tentative    bool
}

// A linkInfo is how ip shows an interface.
type linkInfo struct {
	Ifname, Master string
	MTU            int
	AddrInfo       []addressInfo `json:"addr_info"`
}

// ip returns what the program of that name shows of the kernel of the machine.
func (m *machine) ip(out any, words ...string) {
	m.t.Helper()
	text, err := in(m.t.Context(), m.PID, append([]string{"ip", "-j"}, words...)...).Output()
	must(m.t, err)
	if len(text) == 0 {
		text = []byte("[]")
	}
	must(m.t, json.Unmarshal(text, out))
}

// state returns the interfaces with their addresses, and the routes, a line each.
func (m *machine) state() []string {
	m.t.Helper()
	var links []linkInfo
	m.ip(&links, "address", "show")
	var lines []string
	for _, l := range links {
		if l.Ifname == "lo" {
			continue
		}
		line := fmt.Sprintf("%s mtu %d", l.Ifname, l.MTU)
		if l.Master != "" {
			line += " of " + l.Master
		}
		var addresses []string
		for _, a := range l.AddrInfo {
			if a.Scope == "global" && !a.Tentative {
				addresses = append(addresses, fmt.Sprintf("%s/%d", a.Local, a.Prefixlen))
			}
		}
		slices.Sort(addresses)
		lines = append(lines, strings.Join(append([]string{line}, addresses...), " "))
	}
	slices.Sort(lines)
	return append(lines, m.routes()...)
}

// A routeInfo is how ip shows a route.
type routeInfo struct {
	Dst, Gateway, Dev, Prefsrc string
	Metric                     int
}

// routes returns the routes that lead beyond a router, and those that somebody
// asked for.
func (m *machine) routes() []string {
	m.t.Helper()
	var lines []string
	for _, family := range []string{"-4", "-6"} {
		var routes []routeInfo
		m.ip(&routes, family, "route", "show")
		for _, r := range routes {
			if r.Gateway == "" && !strings.HasPrefix(r.Dst, "203.0.113.") {
				continue
			}
			line := fmt.Sprintf("%s via %s dev %s metric %d", r.Dst, r.Gateway, r.Dev, r.Metric)
			if r.Prefsrc != "" {
				line += " from " + r.Prefsrc
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// resolves asks for a name as programs of the machine do.
func (m *machine) resolves(name, want string) string {
	out, err := m.Command("resolvectl", "--legend=no", "query", name).CombinedOutput()
	if err != nil || !strings.Contains(string(out), ": "+want) {
		return fmt.Sprintf("resolvectl query %s: %v, %s, want %s", name, err, out, want)
	}
	return ""
}
