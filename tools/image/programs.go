package image

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
	ocirecipe "github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Our programs that are files of their own in each image.
const (
	apiclientPackage = "./api/cmd/apiclient"
	initPackage      = "./sources/cmd/initrd"
)

// many are our files that hold programs which are called by their names. One is
// in the images that have any of its programs.
var many = []struct{ pkg, path string }{
	{"./sources/cmd/bulkhead", "/usr/bin/bulkhead"},
	{"./sources/cmd/bulkhead-containers", "/usr/bin/bulkhead-containers"},
	{"./sources/cmd/bulkhead-aws", "/usr/bin/bulkhead-aws"},
}

// apart are our programs that are files of their own, built for the images that
// have them: each by its name.
var apart = map[string]string{
	"updater": "./sources/cmd/bulkhead-updates",
}

// plainFlags make a program depend on its source only: no paths, no build id.
var plainFlags = []string{"-trimpath", "-ldflags=-s -w -buildid="}

// compile builds a program of ours into file, with more flags for the go command.
func compile(ctx context.Context, root workspace.Root, pkg, file string, more ...string) error {
	words := append(append(append([]string{"build"}, plainFlags...), more...), "-o", file, pkg)
	cmd := root.Go(words...)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	return cmd.Run(ctx)
}

// addOwn adds the programs of ours that packages name, built below dir, and
// returns those that there is no source of.
func (c contents) addOwn(ctx context.Context, root workspace.Root, packages []*recipe.Package, dir string, more ...string) ([]Absence, error) {
	have, err := compileMany(ctx, root, dir, more...)
	if err != nil {
		return nil, err
	}
	alone := maps.Clone(apart)
	alone["apiclient"] = apiclientPackage
	var absent []Absence
	for _, p := range packages {
		for _, prog := range p.Programs {
			switch {
			case alone[prog.Name] != "":
				file := filepath.Join(dir, prog.Name)
				if err := compile(ctx, root, alone[prog.Name], file, more...); err != nil {
					return nil, err
				}
				if err := c.copy(prog.Path, file); err != nil {
					return nil, err
				}
			case have[prog.Name] != "":
				if err := c.addOneOfMany(prog.Path, have[prog.Name], dir); err != nil {
					return nil, err
				}
			default:
				absent = append(absent, Absence{Package: p.Name, Program: prog.Path})
			}
		}
	}
	return absent, nil
}

// addImages adds the archives with images of containers that packages name, made
// below dir.
func (c contents) addImages(ctx context.Context, root workspace.Root, packages []*recipe.Package, dir string) error {
	for _, p := range packages {
		for _, i := range p.Images {
			built, err := ocirecipe.Build(ctx, root, i.Name, ocirecipe.Options{Out: dir, Version: ocirecipe.Version}, io.Discard)
			if err != nil {
				return fmt.Errorf("package %s: %w", p.Name, err)
			}
			data, err := os.ReadFile(built.Archive)
			if err != nil {
				return err
			}
			c.file(i.Path, data, 0o644)
		}
	}
	return nil
}

// compileMany builds the files that hold many programs, and returns which of them
// holds each.
func compileMany(ctx context.Context, root workspace.Root, dir string, more ...string) (map[string]string, error) {
	have := map[string]string{}
	for _, m := range many {
		file := filepath.Join(dir, path.Base(m.path))
		if err := compile(ctx, root, m.pkg, file, more...); err != nil {
			return nil, err
		}
		names, err := programsOf(ctx, file)
		if err != nil {
			return nil, err
		}
		for name := range names {
			have[name] = m.path
		}
	}
	return have, nil
}

// addOneOfMany adds name as a link to the file at holder, and that file from dir.
func (c contents) addOneOfMany(name, holder, dir string) error {
	if err := c.copy(holder, filepath.Join(dir, path.Base(holder))); err != nil {
		return err
	}
	to, err := filepath.Rel(path.Dir(name), holder)
	if err != nil {
		return err
	}
	c.link(name, to)
	return nil
}

// programsOf returns the names of the programs that the one at file holds, from
// the list that it gives when it is called without any.
func programsOf(ctx context.Context, file string) (map[string]bool, error) {
	out, err := run.Command{Args: []string{file}}.Output(ctx)
	if err != nil {
		return nil, err
	}
	_, list, ok := strings.Cut(string(out), "programs:\n")
	if !ok {
		return nil, fmt.Errorf("%s does not list its programs", file)
	}
	have := map[string]bool{}
	for line := range strings.Lines(list) {
		if words := strings.Fields(line); len(words) > 0 {
			have[words[0]] = true
		}
	}
	return have, nil
}

// addModules adds the programs that packages build from Go modules.
func (c contents) addModules(ctx context.Context, root workspace.Root, packages []*recipe.Package, dir string) error {
	for _, p := range packages {
		for _, m := range p.Modules {
			file := filepath.Join(dir, p.Name, path.Base(m.Output))
			build := compileTogether
			if len(m.Packages) == 0 {
				build = compileAlone
			}
			if err := build(ctx, root, p, m, file); err != nil {
				return fmt.Errorf("package %s: %w", p.Name, err)
			}
			if err := c.copy(m.Output, file); err != nil {
				return err
			}
			for _, command := range m.Packages {
				to, err := filepath.Rel(m.Links, m.Output)
				if err != nil {
					return err
				}
				c.link(path.Join(m.Links, path.Base(command)), to)
			}
		}
	}
	return nil
}

func compileAlone(ctx context.Context, root workspace.Root, p *recipe.Package, m recipe.Module, file string) error {
	return compileModule(ctx, root, p, m, file)
}

// compileModule builds the package of m into file, with more flags for the go
// command.
func compileModule(ctx context.Context, root workspace.Root, p *recipe.Package, m recipe.Module, file string, more ...string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	flags := slices.Concat([]string{"-s", "-w", "-buildid="}, m.Ldflags)
	words := []string{"build", "-trimpath", "-ldflags=" + strings.Join(flags, " "), "-tags=" + strings.Join(m.Tags, ",")}
	cmd := root.Go(append(append(words, more...), "-o", file, m.Package)...)
	cmd.Dir = root.Path("packages", p.Name)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOWORK=off")
	return cmd.Run(ctx)
}
