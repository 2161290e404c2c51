// Package pinned builds programs from Go modules that pin what they are built
// from: the checkers of tools/lint, and what packages/NAME/go.mod names.
package pinned

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/renameio/v2"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// A Program is what one build makes.
type Program struct {
	Module  string   // directory of the pinning module, from the root
	Package string   // import path of the command
	File    string   // instead of Package: a Go file, from the root, to be built with the versions of Module
	Output  string   // where it is put, from the root
	Flags   []string // more flags for the go command
}

// Build returns the path of p, which is built when there is no build of the
// pinned version yet.
func (p Program) Build(ctx context.Context, root workspace.Root) (string, error) {
	bin := root.Path(filepath.FromSlash(p.Output))
	fault := func(err error) (string, error) {
		return "", fmt.Errorf("build %s: %w", filepath.Base(bin), err)
	}
	want, err := p.stamp(root)
	if err != nil {
		return fault(err)
	}
	if fresh(bin, want) {
		return bin, nil
	}
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		return fault(err)
	}
	target := p.Package
	if p.File != "" {
		target = root.Path(filepath.FromSlash(p.File))
	}
	words := append([]string{"build", "-o", bin}, p.Flags...)
	cmd := root.Go(append(words, target)...)
	cmd.Dir = root.Path(filepath.FromSlash(p.Module))
	// Outside the workspace only the versions of the module count. Nothing that
	// is built here needs C.
	cmd.Env = append(cmd.Env, "GOWORK=off", "CGO_ENABLED=0")
	if err := cmd.Run(ctx); err != nil {
		return fault(err)
	}
	// Before this line the program is built anew, after it it is fresh.
	if err := renameio.WriteFile(stampFile(bin), want, 0o644); err != nil {
		return fault(err)
	}
	return bin, nil
}

// Find returns the path of p, and whether it is there in the pinned version.
func (p Program) Find(root workspace.Root) (string, bool) {
	bin := root.Path(filepath.FromSlash(p.Output))
	want, err := p.stamp(root)
	return bin, err == nil && fresh(bin, want)
}

func stampFile(bin string) string { return bin + ".stamp" }

// stamp identifies what p is built from, and by which Go: a checker must be
// built by the Go that it checks programs of.
func (p Program) stamp(root workspace.Root) ([]byte, error) {
	files := []string{p.Module + "/go.mod", p.Module + "/go.sum"}
	if p.File != "" {
		files = append(files, p.File)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", runtime.Version(), p.Package)
	if len(p.Flags) > 0 {
		fmt.Fprintf(h, "%q\n", p.Flags)
	}
	for _, name := range files {
		data, err := os.ReadFile(root.Path(filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(h, "%d\n%s", len(data), data)
	}
	return hex.AppendEncode(nil, h.Sum(nil)), nil
}

func fresh(bin string, want []byte) bool {
	if _, err := os.Stat(bin); err != nil {
		return false
	}
	got, err := os.ReadFile(stampFile(bin))
	return err == nil && bytes.Equal(got, want)
}
