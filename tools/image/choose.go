package image

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/tools/closure"
)

// debianPackages returns the names of the Debian packages that packages take
// files from.
func debianPackages(packages []*recipe.Package) []string {
	var out []string
	for _, p := range packages {
		for _, d := range p.Debian {
			out = append(out, d.Package)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// addDebian adds the files of the unpacked Debian packages at dir that the
// packages keep, and what those need.
func (c contents) addDebian(packages []*recipe.Package, dir string) error {
	var keep []string
	for _, p := range packages {
		for _, d := range p.Debian {
			for _, pattern := range d.Keep {
				found, err := match(dir, pattern)
				if err != nil {
					return fmt.Errorf("package %s: %w", p.Name, err)
				}
				keep = append(keep, found...)
			}
		}
	}
	tree, err := closure.Open(dir)
	if err != nil {
		return err
	}
	// A unit that is wanted is not therefore in the image: it is the other way
	// round.
	wishes := slices.DeleteFunc(slices.Clone(keep), func(p string) bool { return !isWish(p) })
	keep = slices.DeleteFunc(keep, isWish)
	all, err := tree.Of(keep)
	if err != nil {
		return err
	}
	for _, p := range append(all, wishes...) {
		if err := c.copy(p, filepath.Join(dir, p)); err != nil {
			return err
		}
	}
	return nil
}

// match returns the files of the tree at dir that pattern stands for; what it
// names as a directory is not searched.
func match(dir, pattern string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range found {
		info, err := os.Lstat(f)
		if err != nil {
			return nil, err
		}
		if info.Mode().Type()&fs.ModeDir == 0 {
			out = append(out, strings.TrimPrefix(f, dir))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no file matches %s", pattern)
	}
	return out, nil
}
