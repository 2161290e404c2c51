package validators

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pelletier/go-toml/v2"

	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Exposed returns an error when systemd finds that the service called unit could
// do more to the machine than limit lets it: from 0, which is nothing, to 100.
func (m *Machine) Exposed(ctx context.Context, unit string, limit int) error {
	cmd := m.cage.Command("/usr/bin/systemd-analyze", "security", "--offline=yes", "--no-pager", fmt.Sprintf("--threshold=%d", limit), unit)
	report, err := cmd.Output(ctx)
	if err == nil {
		return nil
	}
	verdict := strings.TrimSpace(string(report))
	return fmt.Errorf("%w: %s", err, verdict[strings.LastIndexByte(verdict, '\n')+1:])
}

// An Exposure says what a service could do to the machine, as systemd counts it:
// from 0, which is nothing, to 10.
type Exposure struct {
	Service string
	Package string // that has it
	Score   float64
	Most    float64 // that is allowed
	Because string  // why that is more than for others
}

// mostExposed is what a service may count without a reason.
const mostExposed = 3.0

// confined are services to which no exception can be made: they are ours, and
// run all the time or act on what comes from outside.
var confined = []string{"apiserver.service", "apply.service", "power.service", "provision.service", "provision-network.service", "updater.service"}

// An exception lets one service count more.
type exception struct {
	Most    float64 `toml:"most"`
	Because string  `toml:"because"`
}

//go:embed exposure.toml
var exceptionsText []byte

func exceptions() (map[string]exception, error) {
	var out map[string]exception
	err := toml.NewDecoder(strings.NewReader(string(exceptionsText))).DisallowUnknownFields().Decode(&out)
	if err != nil {
		return nil, fmt.Errorf("exposure.toml: %w", err)
	}
	return out, nil
}

// Exposures returns what all services of packages could do, the most exposed
// first. It asks the systemd of images, which is fetched the first time.
func Exposures(ctx context.Context, root workspace.Root, packages []*recipe.Package, sources fs.FS, out io.Writer) (_ []Exposure, err error) {
	if !slices.ContainsFunc(packages, hasService) {
		return nil, nil
	}
	tree := debianTree(root)
	if err := tree.Fetch(ctx, out); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(root.Path("build", "tools"), ".exposure-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	owners, err := installServices(tree.Dir, dir, packages, sources)
	if err != nil {
		return nil, err
	}
	words := append([]string{"security", "--offline=yes", "--no-pager", "--root=" + dir}, slices.Sorted(maps.Keys(owners))...)
	cmd, err := debtree.Program(tree.Dir, "/usr/bin/systemd-analyze", words...)
	if err != nil {
		return nil, err
	}
	text, err := cmd.Output(ctx)
	if err != nil {
		return nil, err
	}
	scores, err := readScores(string(text))
	if err != nil {
		return nil, err
	}
	allowed, err := exceptions()
	if err != nil {
		return nil, err
	}
	var list []Exposure
	for name, pkg := range owners {
		score, ok := scores[name]
		if !ok {
			return nil, fmt.Errorf("systemd-analyze does not say how exposed %s is", name)
		}
		e := Exposure{Service: plainName(name), Package: pkg, Score: score, Most: mostExposed}
		if x, ok := allowed[e.Service]; ok {
			e.Most, e.Because = x.Most, x.Because
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Exposure) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Service, b.Service))
	})
	return list, nil
}

// The instance that a template is asked about.
const instance = "x"

func plainName(service string) string {
	return strings.Replace(service, "@"+instance+".service", "@.service", 1)
}

const unitDir = "/usr/lib/systemd/system/"

// installServices puts the services of packages into the root at dir, Debian's
// from tree, and returns their packages by the names to ask about. Those that run
// no program are none.
func installServices(tree, dir string, packages []*recipe.Package, sources fs.FS) (map[string]string, error) {
	owners := map[string]string{}
	put := func(to, pkg string, data []byte) error {
		file := filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if path.Dir(to)+"/" == unitDir && strings.HasSuffix(to, ".service") && strings.Contains(string(data), "\nExecStart=") {
			owners[strings.Replace(path.Base(to), "@.service", "@"+instance+".service", 1)] = pkg
		}
		return os.WriteFile(file, data, 0o644)
	}
	for _, p := range packages {
		for _, name := range debianUnits(tree, p) {
			data, err := os.ReadFile(filepath.Join(tree, name))
			if err != nil {
				return nil, err
			}
			if err := put(name, p.Name, data); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range packages {
		for from, to := range installed(p) {
			if !strings.HasPrefix(to, unitDir) {
				continue
			}
			data, err := fs.ReadFile(sources, path.Join(p.Name, from))
			if err != nil {
				return nil, fmt.Errorf("package %s: %w", p.Name, err)
			}
			if err := put(to, p.Name, data); err != nil {
				return nil, err
			}
		}
	}
	return owners, nil
}

// debianUnits returns the services that p keeps of Debian's packages. Links are
// other names of a service.
func debianUnits(tree string, p *recipe.Package) []string {
	var out []string
	for _, d := range p.Debian {
		for _, pattern := range d.Keep {
			if !strings.HasPrefix(pattern, unitDir) {
				continue
			}
			found, _ := filepath.Glob(filepath.Join(tree, pattern)) // the recipe was read, so the pattern is one
			for _, f := range found {
				if info, err := os.Lstat(f); err == nil && info.Mode().IsRegular() && strings.HasSuffix(f, ".service") {
					out = append(out, strings.TrimPrefix(f, tree))
				}
			}
		}
	}
	return out
}

// verdict is the line that ends what systemd-analyze says of a service.
var verdict = regexp.MustCompile(`(?m)Overall exposure level for (\S+): ([0-9]+\.[0-9]) `)

func readScores(text string) (map[string]float64, error) {
	out := map[string]float64{}
	for _, m := range verdict.FindAllStringSubmatch(text, -1) {
		score, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, fmt.Errorf("exposure of %s: %w", m[1], err)
		}
		out[m[1]] = score
	}
	return out, nil
}

// slack is how far a recorded exception may lie above the score.
const slack = 0.4

func hasService(p *recipe.Package) bool {
	return slices.ContainsFunc(p.Units, func(u recipe.Unit) bool { return strings.HasSuffix(u.Name, ".service") })
}

// CheckExposures reports services that could do more than they are allowed to,
// and exceptions that are not needed.
func CheckExposures(list []Exposure) error {
	if len(list) == 0 {
		return nil // there are no services
	}
	allowed, err := exceptions()
	if err != nil {
		return err
	}
	return checkExposures(list, allowed)
}

func checkExposures(list []Exposure, allowed map[string]exception) error {
	var errs []error
	have := map[string]bool{}
	for _, e := range list {
		have[e.Service] = true
		if e.Score > e.Most+0.01 {
			errs = append(errs, fmt.Errorf("%s of package %s is exposed by %.1f, may be by %.1f: shipyard check --exposure lists all", e.Service, e.Package, e.Score, e.Most))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		x := allowed[name]
		i := slices.IndexFunc(list, func(e Exposure) bool { return e.Service == name })
		switch {
		case slices.Contains(confined, name):
			errs = append(errs, fmt.Errorf("exposure.toml: %s can have no exception", name))
		case !have[name]:
			errs = append(errs, fmt.Errorf("exposure.toml: no package has %s", name))
		case x.Because == "":
			errs = append(errs, fmt.Errorf("exposure.toml: %s: say why", name))
		case x.Most <= mostExposed || x.Most > list[i].Score+slack:
			errs = append(errs, fmt.Errorf("exposure.toml: %s is exposed by %.1f only, not by %.1f", name, list[i].Score, x.Most))
		}
	}
	return errors.Join(errs...)
}

// Summary says in one line how exposed the services of list are: ours by name, the
// others by number.
func Summary(list []Exposure) string {
	var ours []string
	within, most := 0, Exposure{}
	for _, e := range list {
		if slices.Contains(confined, e.Service) {
			ours = append(ours, fmt.Sprintf("%s %.1f", strings.TrimSuffix(e.Service, ".service"), e.Score))
		}
		if e.Score <= mostExposed {
			within++
		}
		if e.Score > most.Score {
			most = e
		}
	}
	slices.Sort(ours)
	return fmt.Sprintf("exposure of services: %s; of %d in all, %d count at most %.1f of 10, the others up to %.1f (%s), each with its reason",
		strings.Join(ours, ", "), len(list), within, mostExposed, most.Score, most.Service)
}

// PrintExposures prints list as a table.
func PrintExposures(out io.Writer, list []Exposure) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "EXPOSURE\tMOST\tSERVICE\tPACKAGE\tBECAUSE")
	for _, e := range list {
		fmt.Fprintf(w, "%.1f\t%.1f\t%s\t%s\t%s\n", e.Score, e.Most, e.Service, e.Package, e.Because)
	}
	return w.Flush()
}
