// Package checker builds the pinned checkers of tools/lint.
package checker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"

	"github.com/google/renameio/v2"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// The checkers by the path of their commands, which the tool directives of
// tools/lint/go.mod name.
const (
	Gofumpt     = "mvdan.cc/gofumpt"
	Staticcheck = "honnef.co/go/tools/cmd/staticcheck"
)

// Build returns the path of the checker that is the command at importPath,
// which is built when there is no build of the pinned version yet.
func Build(ctx context.Context, root workspace.Root, importPath string) (string, error) {
	name := path.Base(importPath)
	bin := root.Path("build", "bin", name)
	want, err := stamp(root)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	if fresh(bin, want) {
		return bin, nil
	}
	if err := os.MkdirAll(root.Path("build", "bin"), 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	cmd := root.Go("build", "-o", bin, importPath)
	cmd.Dir = root.Path("tools", "lint")
	// Outside the workspace only the versions of tools/lint/go.mod count.
	cmd.Env = append(cmd.Env, "GOWORK=off")
	if err := cmd.Run(ctx); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	if err := renameio.WriteFile(stampFile(bin), want, 0o644); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return bin, nil
}

func stampFile(bin string) string { return bin + ".stamp" }

// stamp identifies what the checkers are built from. A checker must be built
// by the Go that it checks programs of.
func stamp(root workspace.Root) ([]byte, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version())
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(root.Path("tools", "lint", name))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(h, "%d\n%s", len(data), data)
	}
	return hex.AppendEncode(nil, h.Sum(nil)), nil
}

func fresh(bin string, want []byte) bool {
	if _, err := os.Stat(bin); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	got, err := os.ReadFile(stampFile(bin))
	return err == nil && bytes.Equal(got, want)
}
