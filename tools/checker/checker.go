// Package checker builds the pinned checkers of tools/lint.
package checker

import (
	"context"
	"path"

	"github.com/bulkhead-os/bulkhead/tools/pinned"
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
	return pinned.Program{
		Module: "tools/lint", Package: importPath, Output: "build/bin/" + path.Base(importPath),
	}.Build(ctx, root)
}
