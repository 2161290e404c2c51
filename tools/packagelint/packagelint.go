// Package packagelint finds what is wrong with packages as parts of variants:
// templates that read settings which no variant of theirs has, files that show
// secrets or lie where none can be written, accounts without a number of their
// own, and settings that nothing reads.
//
// What a definition says about itself is checked where it is read, by package
// recipe; what is wrong between packages, too. Here these meet the settings.
package packagelint

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

// A Composition is a variant with the packages it is made of.
type Composition struct {
	*variant.Variant
	Packages []*recipe.Package
	Set      *render.Set
}

// Load reads all variants and their packages.
func Load(variants, packages fs.FS) ([]Composition, error) {
	names, err := variant.Names(variants)
	if err != nil {
		return nil, err
	}
	var out []Composition
	for _, name := range names {
		c, err := compose(variants, packages, name)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func compose(variants, packages fs.FS, name string) (Composition, error) {
	v, err := variant.Load(variants, name)
	if err != nil {
		return Composition{}, err
	}
	list, rep := recipe.LoadAll(packages, v.Packages)
	rep.Merge(recipe.Check(list))
	if err := rep.Err(); err != nil {
		return Composition{}, fmt.Errorf("packages of variant %s: %w", name, err)
	}
	set, faults := render.Compile(list)
	for i := range faults {
		return Composition{}, fmt.Errorf("packages of variant %s: %w", name, &faults[i])
	}
	return Composition{Variant: v, Packages: list, Set: set}, nil
}

// A Problem is something wrong with a package or with a variant.
type Problem struct {
	Where  string // a package or a variant
	Detail string
}

func (p Problem) String() string { return p.Where + ": " + p.Detail }

// Check returns what is wrong, in a fixed order.
func Check(compositions []Composition, packages fs.FS) ([]Problem, error) {
	var out []Problem
	idle, err := unused(compositions, packages)
	if err != nil {
		return nil, err
	}
	out = append(out, idle...)
	dirs, err := writable(Packages(compositions), packages)
	if err != nil {
		return nil, err
	}
	who, err := accounts(Packages(compositions), packages)
	if err != nil {
		return nil, err
	}
	out = append(out, who...)
	for _, u := range uses(compositions) {
		out = append(out, missingSources(u.Package, packages)...)
		out = append(out, misplaced(u.Package, dirs)...)
		out = append(out, u.unknown()...)
		out = append(out, u.shown()...)
	}
	for _, c := range compositions {
		out = append(out, c.unread()...)
	}
	return out, nil
}

// unused finds packages that no variant lists.
func unused(compositions []Composition, packages fs.FS) ([]Problem, error) {
	found, err := fs.Glob(packages, "*/package.toml")
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var out []Problem
	for _, f := range found {
		name := path.Dir(f)
		lists := func(c Composition) bool { return slices.Contains(c.Variant.Packages, name) }
		if !slices.ContainsFunc(compositions, lists) {
			out = append(out, Problem{name, "no variant has this package"})
		}
	}
	return out, nil
}

func missingSources(p *recipe.Package, packages fs.FS) []Problem {
	var out []Problem
	for _, name := range p.Sources() {
		if _, err := fs.Stat(packages, path.Join(p.Name, name)); err != nil {
			out = append(out, Problem{p.Name, "there is no file " + name})
		}
	}
	return out
}

// Packages returns the packages of compositions, each once, by name.
func Packages(compositions []Composition) []*recipe.Package {
	var out []*recipe.Package
	for _, u := range uses(compositions) {
		out = append(out, u.Package)
	}
	return out
}

// A use is a package with the variants that have it.
type use struct {
	*recipe.Package
	in []Composition
}

func uses(compositions []Composition) []use {
	var out []use
	for _, c := range compositions {
		for _, p := range c.Packages {
			i := slices.IndexFunc(out, func(u use) bool { return u.Name == p.Name })
			if i < 0 {
				i = len(out)
				out = append(out, use{Package: p})
			}
			out[i].in = append(out[i].in, c)
		}
	}
	slices.SortFunc(out, func(a, b use) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
