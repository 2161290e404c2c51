package server

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// A Catalogue is what an image has besides settings: services, configuration
// files, and what settings these depend on. A service is a unit.
type Catalogue struct {
	services section
	files    section
	readers  []fileReader
	programs []programReader
}

// A section is a part of GET /: things by their names, with members.
type section map[string]map[string]any

// A fileReader is a configuration file that depends on settings.
type fileReader struct {
	Name     string   `json:"name"`
	Path     string   `json:"path"`
	Units    []string `json:"units"`
	OnChange string   `json:"on_change"`
	services []string
	reads    []key.Key
}

// A programReader is a program that reads settings by itself.
type programReader struct {
	name  string
	reads []key.Key
}

// NewCatalogue returns the catalogue of packages. Reads returns the settings
// that the template of a configuration file names.
func NewCatalogue(packages []*recipe.Package, reads func(*recipe.Package, *recipe.Config) []key.Key) *Catalogue {
	c := &Catalogue{services: section{}, files: section{}}
	commands := map[string][]string{} // by service
	for _, p := range packages {
		for _, u := range p.Units {
			c.services[serviceName(u.Name)] = map[string]any{}
		}
		for i := range p.Configs {
			c.addFile(p, &p.Configs[i], reads(p, &p.Configs[i]), commands)
		}
		for _, r := range p.Reads {
			c.programs = append(c.programs, programReader{r.By, r.Settings})
		}
	}
	for name, s := range c.services {
		files := []string{}
		for _, f := range c.readers {
			if slices.Contains(f.services, name) {
				files = append(files, f.Name)
			}
		}
		s["configuration-files"], s["restart-commands"] = files, append([]string{}, commands[name]...)
	}
	return c
}

func (c *Catalogue) addFile(p *recipe.Package, f *recipe.Config, named []key.Key, commands map[string][]string) {
	name := c.fileName(p, f)
	c.files[name] = map[string]any{
		"path": f.Path, "template-path": path.Join("/usr/share/bulkhead/packages", p.Name, f.Template), "mode": fmt.Sprintf("%04o", f.Mode.Perm()),
	}
	r := fileReader{Name: name, Path: f.Path, Units: append([]string{}, f.Units...), OnChange: string(f.OnChange), reads: slices.Concat(named, f.Reads)}
	if f.IsForEach() {
		r.reads = append(r.reads, f.ForEach)
	}
	for _, w := range slices.Concat(f.When, f.WhenNot) {
		if !w.Member { // else it is below for-each
			r.reads = append(r.reads, w.Key)
		}
	}
	for _, u := range f.Units {
		unit := recipe.Declaration(u)
		service := serviceName(unit)
		r.services = append(r.services, service)
		if cmd := command(p, f.OnChange, unit); cmd != "" && !slices.Contains(commands[service], cmd) {
			commands[service] = append(commands[service], cmd)
		}
	}
	c.readers = append(c.readers, r)
}

// fileName returns a name for f that stays the same from image to image: that of
// the package with that of the template, as in chrony-conf.
func (c *Catalogue) fileName(p *recipe.Package, f *recipe.Config) string {
	plain := strings.NewReplacer(".", "-", "@", "-", " ", "-")
	name := plain.Replace(strings.TrimSuffix(f.Template, ".tmpl"))
	if name != p.Name && !strings.HasPrefix(name, p.Name+"-") {
		name = p.Name + "-" + name
	}
	for n, first := 2, name; c.files[name] != nil; n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	return name
}

// serviceName returns the name of a unit as a service.
func serviceName(unit string) string {
	return strings.ReplaceAll(strings.TrimSuffix(unit, ".service"), "@", "")
}

// command returns what follows for unit when a file of p changes, in the words
// of systemctl.
func command(p *recipe.Package, on recipe.OnChange, unit string) string {
	unit = strings.Replace(unit, "@.", "@*.", 1)
	switch on {
	case recipe.Restart:
		return "systemctl try-restart " + unit
	case recipe.Reload:
		return "systemctl try-reload-or-restart " + unit
	case recipe.ReloadOrStart:
		return "systemctl reload-or-restart " + unit
	}
	for _, a := range p.Actions {
		if a.Name == on.Action() {
			return strings.Join(a.Exec, " ")
		}
	}
	return ""
}

// touches reports whether one of reads and k are the same, or one lies below
// the other.
func touches(reads []key.Key, k key.Key) bool {
	return slices.ContainsFunc(reads, func(r key.Key) bool { return r.Under(k) || k.Under(r) })
}

// affected returns the services with files that depend on k, sorted.
func (c *Catalogue) affected(k key.Key) []string {
	var out []string
	for _, f := range c.readers {
		if touches(f.reads, k) {
			out = append(out, f.services...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A reach is what depends on a setting.
type reach struct {
	Files    []fileReader `json:"files"`
	Programs []string     `json:"programs"` // that read it by themselves
}

func (c *Catalogue) reach(k key.Key) reach {
	out := reach{[]fileReader{}, []string{}}
	for _, f := range c.readers {
		if touches(f.reads, k) {
			out.Files = append(out.Files, f)
		}
	}
	for _, p := range c.programs {
		if touches(p.reads, k) {
			out.Programs = append(out.Programs, p.name)
		}
	}
	slices.Sort(out.Programs)
	out.Programs = slices.Compact(out.Programs)
	return out
}

// catalogueOf returns f called at most once, also where there is none.
func catalogueOf(f func() *Catalogue) func() *Catalogue {
	return sync.OnceValue(func() *Catalogue {
		if f == nil {
			return nil
		}
		return f()
	})
}
