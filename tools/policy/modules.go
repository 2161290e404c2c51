package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// A ModFile is what a rule needs to know of a go.mod file.
type ModFile struct {
	Dir    string // from the root
	Module struct{ Path string }
	Go     string
	// Toolchain is the Go a go.mod asks to be fetched.
	Toolchain string
	Require   []struct{ Path, Version string }
	Replace   []struct {
		Old, New struct{ Path, Version string }
	}
}

// ModFiles reads the go.mod files of the workspace, of the checkers and of
// packages.
func ModFiles(ctx context.Context, root workspace.Root) ([]ModFile, error) {
	dirs, err := root.Modules(ctx)
	if err != nil {
		return nil, err
	}
	dirs = append(dirs, "tools/lint", "tools/ignition/upstream", "tools/registry/upstream")
	pins, err := filepath.Glob(root.Path("packages", "*", "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("find go.mod of packages: %w", err)
	}
	for _, file := range pins {
		dirs = append(dirs, "packages/"+filepath.Base(filepath.Dir(file)))
	}
	var files []ModFile
	for _, dir := range dirs {
		out, err := root.Go("mod", "edit", "-json", root.Path(dir, "go.mod")).Output(ctx)
		if err != nil {
			return nil, fmt.Errorf("read go.mod of %s: %w", dir, err)
		}
		m := ModFile{Dir: dir}
		if err := json.Unmarshal(out, &m); err != nil {
			return nil, fmt.Errorf("read go.mod of %s: %w", dir, err)
		}
		files = append(files, m)
	}
	return files, nil
}

// Replacements returns the replace directives that lead out of the repository,
// and the modules that do not build with the Go at hand.
//
// A module needs its siblings replaced by their directories, since go mod tidy
// does not look at go.work. A replace of anything else would hold here and be
// ignored for everybody who imports the module. Nobody imports those of packages,
// which may say what version of a module is meant where upstream names a
// directory.
func Replacements(files []ModFile) []string {
	siblings := map[string]string{} // module path to directory
	for _, f := range files {
		siblings[f.Module.Path] = f.Dir
	}
	var faults []string
	for _, f := range files {
		for _, r := range f.Replace {
			dir, sibling := siblings[r.Old.Path]
			if within(f.Dir, "packages") && r.Old.Path == r.New.Path {
				continue
			}
			if !sibling || path.Join(f.Dir, r.New.Path) != dir {
				faults = append(faults, fmt.Sprintf("%s/go.mod replaces %s by %s, want replace directives for sibling modules only", f.Dir, r.Old.Path, r.New.Path))
			}
		}
		if f.Toolchain != "" {
			faults = append(faults, fmt.Sprintf("%s/go.mod asks for toolchain %s, want no toolchain line: the Go at hand builds everything", f.Dir, f.Toolchain))
		}
	}
	return faults
}

// direct returns the modules that packages of ours import, also in tests.
func direct(g Graph) []string {
	module := map[string]string{} // import path to module path
	for _, p := range g {
		if !p.Standard && p.Module != "" {
			module[plain(p.Path)] = p.Module
		}
	}
	var used []string
	for _, p := range g {
		if _, isOurs := ours(p.Module); !isOurs {
			continue
		}
		for _, imp := range p.Imports {
			m := module[plain(imp)]
			if _, isOurs := ours(m); m != "" && !isOurs {
				used = append(used, m)
			}
		}
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// plain returns an import path without the note of which test it was built
// for, as in "a/b [a/b.test]".
func plain(imp string) string {
	imp, _, _ = strings.Cut(imp, " ")
	return imp
}

// Reasons checks the list of dependencies: every module that a package of
// ours imports has a line that gives its reason, and every line is of a module
// that some go.mod or the list of checkers asks for.
func Reasons(list string, g Graph, files []ModFile) []string {
	given := reasons(list)
	var faults []string
	for _, m := range direct(g) {
		if given[m] == "" {
			faults = append(faults, fmt.Sprintf("docs/design/dependencies.md: no line for %s, want one that gives the reason for it", m))
		}
	}
	required := map[string]bool{}
	for _, f := range files {
		for _, r := range f.Require {
			required[r.Path] = true
		}
	}
	for m := range given {
		if !required[m] {
			faults = append(faults, fmt.Sprintf("docs/design/dependencies.md: %s is in no go.mod any more, want its line gone", m))
		}
	}
	slices.Sort(faults)
	return faults
}

// reasons reads the rows of the tables in list: | `module` | reason | … |.
func reasons(list string) map[string]string {
	given := map[string]string{}
	for line := range strings.Lines(list) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		name := strings.TrimSpace(cells[1])
		if len(name) > 2 && name[0] == '`' && name[len(name)-1] == '`' {
			given[strings.Trim(name, "`")] = strings.TrimSpace(cells[2])
		}
	}
	return given
}
