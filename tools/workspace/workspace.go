// Package workspace finds the repository with its Go modules.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// Module is the path that all modules of the repository start with.
const Module = "github.com/bulkhead-os/bulkhead"

// A Root is the absolute path of the repository's top directory.
type Root string

// Find returns the root of the repository that dir is in: the nearest
// directory, upwards from dir, that holds a go.work file.
func Find(dir string) (Root, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for d := abs; ; d = filepath.Dir(d) {
		_, err := os.Stat(filepath.Join(d, "go.work"))
		if err == nil {
			return Root(d), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find the repository: %w", err)
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("find the repository: neither %s nor a directory above it holds go.work, run shipyard inside the repository", abs)
		}
	}
}

// Path returns the path of a file given from the root.
func (r Root) Path(elem ...string) string {
	return filepath.Join(append([]string{string(r)}, elem...)...)
}

// Go returns the go command with args, to be run at the root.
//
// The toolchain on this machine is used whatever a go.mod asks for, and
// nothing is stamped with the state of git, whose work tree may belong to
// somebody else.
func (r Root) Go(args ...string) run.Command {
	flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -buildvcs=false")
	return run.Command{
		Args: append([]string{"go"}, args...),
		Dir:  string(r),
		Env:  []string{"GOTOOLCHAIN=local", "GOFLAGS=" + flags, "GOWORK=" + r.Path("go.work")},
	}
}

// Modules returns the directories of the modules in go.work, from the root
// and with slashes, in go.work's order.
func (r Root) Modules(ctx context.Context) ([]string, error) {
	out, err := r.Go("list", "-m", "-f", "{{.Dir}}").Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the modules of the workspace: %w", err)
	}
	var dirs []string
	for dir := range strings.Lines(string(out)) {
		rel, err := filepath.Rel(string(r), strings.TrimSpace(dir))
		if err != nil {
			return nil, fmt.Errorf("list the modules of the workspace: %w", err)
		}
		dirs = append(dirs, filepath.ToSlash(rel))
	}
	return dirs, nil
}

// Patterns returns the package pattern of each of the modules: "./models/..."
// for "models".
func Patterns(modules []string) []string {
	p := make([]string, len(modules))
	for i, m := range modules {
		p[i] = "./" + m + "/..."
	}
	return p
}
