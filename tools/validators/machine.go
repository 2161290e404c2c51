package validators

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/tools/cage"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// ErrUnprepared says that programs are missing that Prepare would provide.
var ErrUnprepared = errors.New("not prepared; shipyard test does it")

// A Machine is a directory with the programs and files of a node, for the
// programs to be run there.
type Machine struct {
	dir  string
	cage cage.Cage
}

// accounts are the users and groups that programs look for. All have the same
// number, since a cage has no other.
var accounts = []string{"root", "api", "_chrony", "systemd-network", "systemd-resolve"}

// standIns are programs that units start and no package provides as a file: the
// first is a link that Debian's scripts make, the others have no source that a
// package could name.
var standIns = []string{
	"/usr/sbin/iptables", "/usr/bin/bulkhead", "/usr/bin/amazon-ecs-agent", "/usr/bin/nvidia-device-plugin", "/usr/bin/nvidia-dra-gpu-kubelet-plugin",
}

// standIn is what such a program is.
const standIn = "#!/usr/bin/false\n"

// NewMachine makes a machine without files of packages. It must be closed.
func NewMachine(ctx context.Context, root workspace.Root) (_ *Machine, err error) {
	if file := missing(root); file != "" {
		return nil, fmt.Errorf("%s: %w", file, ErrUnprepared)
	}
	// Beside what it is made of, since files are linked.
	dir, err := os.MkdirTemp(root.Path("build", "tools"), ".machine-")
	if err != nil {
		return nil, err
	}
	m := &Machine{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if err := debianTree(root).Clone(dir); err != nil {
		return nil, err
	}
	for to, p := range modules {
		bin, _ := p.Find(root)
		if err := m.link(bin, to); err != nil {
			return nil, err
		}
	}
	if err := m.prepare(); err != nil {
		return nil, err
	}
	m.cage, err = cage.New(ctx, dir, "/usr/bin/systemctl", "--version")
	return m, err
}

func (m *Machine) link(from, to string) error {
	// Debian's docker.io brings a containerd of its own.
	if err := os.Remove(m.path(to)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(from, m.path(to))
}

// prepare adds what scripts of packages and the start of the system would have.
func (m *Machine) prepare() error {
	var users, groups strings.Builder
	for _, name := range accounts {
		fmt.Fprintf(&users, "%s:x:0:0::/:/usr/sbin/nologin\n", name)
		fmt.Fprintf(&groups, "%s:x:0:\n", name)
	}
	for _, name := range standIns {
		if err := m.Put(name, []byte(standIn), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		m.Put("/etc/passwd", []byte(users.String()), 0o644),
		m.Put("/etc/group", []byte(groups.String()), 0o644),
		os.MkdirAll(m.path("/run/systemd"), 0o755),
	)
}

// Close removes the machine.
func (m *Machine) Close() error { return os.RemoveAll(m.dir) }

func (m *Machine) path(name string) string { return filepath.Join(m.dir, filepath.FromSlash(name)) }

// Put gives the machine a file.
func (m *Machine) Put(name string, data []byte, mode fs.FileMode) error {
	file := m.path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	// What is there may be a link to a file of the tree, which others use.
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, data, mode)
}

// Remove takes a file from the machine.
func (m *Machine) Remove(name string) error { return os.Remove(m.path(name)) }

// outside returns a command of the machine that runs with this machine's files.
func (m *Machine) outside(program string, args ...string) (run.Command, error) {
	return debtree.Program(m.dir, program, args...)
}

// Install gives the machine the files of packages that lie beside their
// definitions, and stand-ins for programs that it does not have.
func (m *Machine) Install(packages []*recipe.Package, sources fs.FS) error {
	for _, p := range packages {
		for from, to := range installed(p) {
			data, err := fs.ReadFile(sources, path.Join(p.Name, from))
			if err != nil {
				return fmt.Errorf("package %s: %w", p.Name, err)
			}
			if err := m.Put(to, data, 0o644); err != nil {
				return err
			}
		}
		for _, to := range programs(p) {
			if _, err := os.Stat(m.path(to)); err == nil {
				continue
			}
			if err := m.Put(to, []byte(standIn), 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

// installed returns the files beside a definition, with their paths in the
// image.
func installed(p *recipe.Package) map[string]string {
	files := map[string]string{}
	for _, f := range p.Files {
		files[f.Source] = f.Path
	}
	for _, u := range p.Units {
		if u.File != "" {
			files[u.File] = "/usr/lib/systemd/system/" + u.Name
		}
	}
	for dir, name := range map[string]string{"tmpfiles.d": p.Tmpfiles, "sysusers.d": p.Sysusers, "sysctl.d": p.Sysctl} {
		if name != "" {
			files[name] = "/usr/lib/" + dir + "/" + imageName(name)
		}
	}
	return files
}

// imageName returns the name in the image of "10-base.sysctl.conf": without
// what tells it from other files beside the definition.
func imageName(name string) string {
	for _, kind := range []string{"tmpfiles", "sysusers", "sysctl"} {
		name = strings.Replace(name, "."+kind+".conf", ".conf", 1)
	}
	return name
}

func programs(p *recipe.Package) []string {
	var out []string
	for _, m := range p.Modules {
		out = append(out, m.Output)
	}
	for _, prog := range p.Programs {
		out = append(out, prog.Path)
	}
	for _, d := range p.Debian {
		for _, keep := range d.Keep {
			if strings.Contains(keep, "/bin/") || strings.Contains(keep, "/sbin/") {
				out = append(out, strings.TrimSuffix(keep, "*"))
			}
		}
	}
	return out
}

// Installed returns the paths of the files that Install puts, sorted.
func Installed(packages []*recipe.Package) []string {
	var out []string
	for _, p := range packages {
		for _, to := range installed(p) {
			out = append(out, to)
		}
	}
	slices.Sort(out)
	return out
}
