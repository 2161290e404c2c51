// Package programdeps lists the packages that each program is built with.
//
// The lists are checked in, so that a change of what a program carries is seen
// in the review of the change that causes it.
package programdeps

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// where programs lie that run on a host or are handed to people.
var where = []string{"./sources/cmd/...", "./api/cmd/..."}

// Generate returns, for each program, the file deps.txt beside it: the import
// paths it is built with, the standard library left out.
func Generate(ctx context.Context, root workspace.Root) (map[string][]byte, error) {
	out, err := list(root, append([]string{"-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`}, where...)).Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("list programs: %w", err)
	}
	files := map[string][]byte{}
	for program := range strings.FieldsSeq(string(out)) {
		out, err := list(root, []string{"-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", program}).Output(ctx)
		if err != nil {
			return nil, fmt.Errorf("list what %s is built with: %w", program, err)
		}
		dir := strings.TrimPrefix(program, workspace.Module+"/")
		files[path.Join(dir, "deps.txt")] = text(program, strings.Fields(string(out)))
	}
	return files, nil
}

// list returns a call of go list that answers the same on every machine.
func list(root workspace.Root, args []string) run.Command {
	cmd := root.Go(append([]string{"list"}, args...)...)
	cmd.Env = append(cmd.Env, "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	return cmd
}

func text(program string, deps []string) []byte {
	deps = slices.DeleteFunc(deps, func(d string) bool { return d == program })
	slices.Sort(deps)
	head := "# What " + path.Base(program) + " is built with, besides the standard library.\n" +
		"# Written by shipyard generate.\n"
	return []byte(head + strings.Join(deps, "\n") + "\n")
}
