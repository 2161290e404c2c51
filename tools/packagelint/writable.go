package packagelint

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// writer is the unit of the program that writes the rendered files. To it the
// rest of the disk is read-only.
const writer = "apply/apply.service"

// writable returns the directories that the program which writes the rendered
// files of all packages may write to; none when there are no such files.
func writable(all []*recipe.Package, packages fs.FS) ([]string, error) {
	if !slices.ContainsFunc(all, func(p *recipe.Package) bool { return len(p.Configs) > 0 }) {
		return nil, nil
	}
	unit, err := fs.ReadFile(packages, writer)
	if err != nil {
		return nil, fmt.Errorf("where rendered files may be: %w", err)
	}
	var out []string
	for line := range strings.Lines(string(unit)) {
		paths, ok := strings.CutPrefix(strings.TrimSpace(line), "ReadWritePaths=")
		switch {
		case !ok:
		case strings.TrimSpace(paths) == "":
			out = nil // as in systemd, what was said before no longer holds
		default:
			for _, p := range strings.Fields(paths) {
				out = append(out, path.Clean(strings.TrimLeft(p, "-+")))
			}
		}
	}
	return out, nil
}

// misplaced finds rendered files of p that lie outside of dirs.
func misplaced(p *recipe.Package, dirs []string) []Problem {
	var out []Problem
	for _, c := range p.Configs {
		// An action stands for a name in a path, so what is before it tells.
		fixed, _, _ := strings.Cut(c.Path, "{{")
		inside := func(dir string) bool { return strings.HasPrefix(fixed, strings.TrimSuffix(dir, "/")+"/") }
		if !slices.ContainsFunc(dirs, inside) {
			out = append(out, Problem{p.Name, fmt.Sprintf("apply may not write %s, only below %s: see ReadWritePaths= in %s",
				c.Path, strings.Join(dirs, ", "), writer)})
		}
	}
	return out
}
