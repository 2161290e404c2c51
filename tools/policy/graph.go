package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// A Package is a package with what it imports.
type Package struct {
	Path     string
	Module   string   // its module's path, empty in the standard library
	Imports  []string // direct imports
	Deps     []string // all packages it is built with
	Standard bool     // of the standard library
	Test     bool     // exists only for tests
	Main     bool     // is a program
}

// A Graph is all packages of the workspace with everything they import, also
// in tests.
type Graph []Package

// Load returns the graph of the repository at root.
func Load(ctx context.Context, root workspace.Root) (Graph, error) {
	modules, err := root.Modules(ctx)
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"list", "-e", "-deps", "-test",
		"-json=ImportPath,Name,ForTest,Standard,Imports,Deps,Module",
	}, workspace.Patterns(modules)...)
	out, err := root.Go(args...).Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return parseList(out)
}

func parseList(list []byte) (Graph, error) {
	var g Graph
	for dec := json.NewDecoder(bytes.NewReader(list)); ; {
		var p struct {
			ImportPath, Name, ForTest string
			Standard                  bool
			Imports, Deps             []string
			Module                    *struct{ Path string }
		}
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return g, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the list of imports: %w", err)
		}
		pkg := Package{
			Path: p.ImportPath, Imports: p.Imports, Deps: p.Deps, Standard: p.Standard,
			Test: p.ForTest != "" || strings.HasSuffix(p.ImportPath, ".test"),
			Main: p.Name == "main",
		}
		if p.Module != nil {
			pkg.Module = p.Module.Path
		}
		g = append(g, pkg)
	}
}

// ours returns path from the repository's root, if it is one of ours.
func ours(path string) (string, bool) { return strings.CutPrefix(path, workspace.Module+"/") }

// within reports whether path is prefix or below it.
func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}
