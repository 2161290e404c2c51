package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// An image is what the files of a variant are made from. It does not change
// while the program runs.
type image struct {
	variant  *variant.Variant
	packages []*recipe.Package
	set      *render.Set
	faults   []plan.Fault // of packages and templates that cannot be read
}

// loadImage reads the packages of the variant called name below dir.
func loadImage(dir, name string) (*image, error) {
	files := variantFiles(dir)
	names, err := variant.Names(files)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, name) {
		return nil, problem.New(problem.BadRequest, "there is no variant %q, want one of %s", name, strings.Join(names, ", "))
	}
	v, err := variant.Load(files, name)
	if err != nil {
		return nil, err
	}
	img := &image{variant: v}
	packages := os.DirFS(filepath.Join(dir, "usr/share/bulkhead/packages"))
	if _, err := fs.Stat(packages, "."); err != nil {
		return nil, fmt.Errorf("packages of the image: %w", err)
	}
	var rep report.Report
	img.packages, rep = recipe.LoadAll(packages, v.Packages)
	if err := rep.Err(); err != nil {
		// A fault without a path keeps everything that the packages may own.
		img.faults = append(img.faults, plan.Fault{Detail: err.Error()})
	}
	dropAbsent(img.packages, filepath.Join(dir, "usr/lib/systemd/system"))
	var broken []plan.Fault
	img.set, broken = render.Compile(img.packages)
	img.faults = append(img.faults, broken...)
	return img, nil
}

// dropAbsent takes units of our own out of the packages that are not in dir. An
// image leaves out those whose programs it does not have; they are then like
// those of packages that it does not have. Without dir there is no image to ask.
func dropAbsent(packages []*recipe.Package, dir string) {
	if _, err := os.Stat(dir); err != nil {
		return
	}
	for _, p := range packages {
		p.Units = slices.DeleteFunc(p.Units, func(u recipe.Unit) bool {
			if u.File == "" {
				return false
			}
			_, err := os.Stat(filepath.Join(dir, u.Name))
			return errors.Is(err, fs.ErrNotExist)
		})
	}
}

// variantFiles returns the definitions of variants: the image's own, if it has
// some.
func variantFiles(dir string) fs.FS {
	own := filepath.Join(dir, "usr/share/bulkhead/variants")
	if _, err := os.Stat(own); err == nil {
		return os.DirFS(own)
	}
	return variants.Files
}

// facts returns what templates may know of the image.
func (img *image) facts(o applier.OS) render.OS {
	return render.OS{
		Name: "Bulkhead", Pretty: o.Pretty, Version: o.Version, Build: o.Build, Arch: o.Arch,
		Variant: img.variant.Name, Platform: img.variant.Platform, Runtime: img.variant.Runtime, RuntimeVersion: img.variant.Version,
	}
}
