// Package testimage builds the image that tests boot.
package testimage

import (
	"context"
	"io"

	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// What the image is.
const (
	Variant = "qemu-dev"
	Version = "0.0.0-test"
)

// Variable is the environment variable with the directory of an image that was
// built. Tests without it build one.
const Variable = "BULKHEAD_IMAGE"

// Build builds the image and returns the directory that it is in.
func Build(ctx context.Context, root workspace.Root, out io.Writer) (string, error) {
	dir := root.Path("build", "images", "test")
	return dir, image.Build(ctx, root, image.Options{Variant: Variant, Version: Version, Out: dir}, out)
}
