package policy

import (
	"fmt"
	"slices"
	"strings"
)

// A rule forbids some packages to some others.
type rule struct {
	from   []string // packages of ours, with what is below them
	except []string // what of from is free to import it
	not    []string // import paths, with what is below them; ours begin with "./"
	direct bool     // only what the package itself imports counts
	why    string
}

// rules say which way dependencies point.
var rules = []rule{
	{
		from: []string{"models"}, not: []string{"./api", "./sources", "./tools", "./variants"},
		why: "a program of a user's own imports models and must get nothing else of ours with it",
	},
	{
		from: []string{"models"}, not: []string{"os", "os/exec", "os/user", "io/ioutil", "net", "net/http", "syscall", "log"}, direct: true,
		why: "models computes, and leaves input and output to its callers",
	},
	{
		from: []string{"variants"}, not: []string{"./models", "./api", "./sources", "./tools"},
		why: "variants is data and one file that embeds it",
	},
	{
		from: []string{"api"}, not: []string{"./sources", "./tools"},
		why: "api is imported by programs on the host and elsewhere, and imports neither",
	},
	{
		from: []string{"api/client"}, not: []string{"./api/store", "./api/server", "./variants", "github.com", "go.etcd.io"},
		why: "outsiders import the client: it stays with the standard library and models",
	},
	{
		from: []string{"models", "api", "sources", "tools"}, except: []string{"api/store"}, not: []string{"go.etcd.io/bbolt"}, direct: true,
		why: "only api/store knows how generations are kept",
	},
	{
		from: []string{"models", "api", "sources", "tools"}, except: []string{"api/server"}, not: []string{"github.com/go-chi/chi"}, direct: true,
		why: "only api/server knows how requests are routed",
	},
	{
		from: []string{"api/cmd/apiclient"}, not: []string{"./api/store", "./api/server", "go.etcd.io/bbolt", "github.com/go-chi/chi"},
		why: "apiclient also runs on other machines and carries no server",
	},
	{
		from: []string{"sources"}, not: []string{"./tools"},
		why: "nothing built from tools is in an image",
	},
	{
		from: []string{"api", "sources"}, except: []string{"sources/operator", "sources/awssettings", "sources/ekstoken", "sources/cmd/bulkhead-aws"},
		not: []string{"k8s.io", "sigs.k8s.io", "github.com/aws"},
		why: "client libraries of clouds and orchestrators live in programs of their own",
	},
}

// modelsNeeds returns the libraries that models is built with. Whoever imports
// models gets them, so no rule about libraries may catch them.
func modelsNeeds(g Graph) map[string]bool {
	need := map[string]bool{}
	for _, p := range g {
		if name, ok := ours(p.Path); ok && within(name, "models") && !p.Test {
			for _, d := range p.Deps {
				_, isOurs := ours(d)
				need[d] = !isOurs
			}
		}
	}
	return need
}

// Arrows returns the imports that point the wrong way. Tests may import what
// they like.
func Arrows(g Graph) []string {
	free := modelsNeeds(g)
	var faults []string
	for _, p := range g {
		name, ok := ours(p.Path)
		if !ok || p.Test {
			continue
		}
		for _, r := range rules {
			if fault := r.fault(name, p, free); fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	faults = append(faults, programArrows(g)...)
	slices.Sort(faults)
	return faults
}

func (r rule) fault(name string, p Package, free map[string]bool) string {
	inside := func(prefix string) bool { return within(name, prefix) }
	if !slices.ContainsFunc(r.from, inside) || slices.ContainsFunc(r.except, inside) {
		return ""
	}
	imports := p.Deps
	if r.direct {
		imports = p.Imports
	}
	for _, imp := range imports {
		if r.forbids(imp) && (r.direct || !free[imp]) {
			return fmt.Sprintf("%s imports %s: %s", name, imp, r.why)
		}
	}
	return ""
}

func (r rule) forbids(imp string) bool {
	name, isOurs := ours(imp)
	return slices.ContainsFunc(r.not, func(not string) bool {
		dir, notOurs := strings.CutPrefix(not, "./")
		switch {
		case notOurs:
			return isOurs && within(name, dir)
		case strings.Contains(not, "."):
			return !isOurs && within(imp, not)
		}
		return imp == not // of the standard library, where net is not net/netip
	})
}

// programArrows returns the imports of one program on the host by another.
// The programs are what the commands in sources/cmd are put together from, besides
// what several of them use.
func programArrows(g Graph) []string {
	programs := map[string]bool{}
	for _, p := range g {
		if name, ok := ours(p.Path); ok && within(name, "sources/cmd") && !p.Test {
			for _, imp := range p.Imports {
				if dep, ok := ours(imp); ok && within(dep, "sources") && !within(dep, "sources/internal") {
					programs[dep] = true
				}
			}
		}
	}
	var faults []string
	for _, p := range g {
		name, _ := ours(p.Path)
		if !programs[name] || p.Test {
			continue
		}
		for _, imp := range p.Deps {
			if dep, ok := ours(imp); ok && programs[dep] {
				faults = append(faults, fmt.Sprintf("%s imports %s: programs talk through the API socket or systemd, not by importing each other", name, dep))
			}
		}
	}
	return faults
}
