// Package testimage builds the images that tests boot.
package testimage

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// What the image is.
const (
	Variant = "qemu-dev"
	Version = "0.0.0-test"
)

// Variable is the environment variable with the directory of an image that was
// built, FirstVariable that with the one of FirstVariant, KubernetesVariable that
// with the one of KubernetesVariant. Tests without them build those.
const (
	Variable           = "BULKHEAD_IMAGE"
	FirstVariable      = "BULKHEAD_FIRST_IMAGE"
	KubernetesVariable = "BULKHEAD_KUBERNETES_IMAGE"
)

// Build builds the image and returns the directory that it is in.
func Build(ctx context.Context, root workspace.Root, out io.Writer) (string, error) {
	dir := root.Path("build", "images", "test")
	return dir, image.Build(ctx, root, image.Options{Variant: Variant, Version: Version, Out: dir}, out)
}

// FirstVariant is what the image is that BuildFirst builds: a node that finds its
// first settings in other ways than those of Variant.
const FirstVariant = "qemu-first"

//go:embed qemu-first.toml
var firstDefinition []byte

// BuildFirst builds the image of FirstVariant and returns the directory that it is
// in.
func BuildFirst(ctx context.Context, root workspace.Root, out io.Writer) (dir string, err error) {
	variants, err := os.MkdirTemp("", "variants-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(variants)) }()
	if err := os.CopyFS(variants, os.DirFS(root.Path("variants"))); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(variants, FirstVariant+".toml"), firstDefinition, 0o644); err != nil {
		return "", err
	}
	dir = root.Path("build", "images", FirstVariant)
	return dir, image.Build(ctx, root, image.Options{Variant: FirstVariant, Version: Version, Out: dir, Variants: variants, Debian: Variant}, out)
}

// Kubernetes is the minor version that is tested with nodes, KubernetesVariant what
// the image is that BuildKubernetes builds.
const (
	Kubernetes        = "1.37"
	KubernetesVariant = "qemu-k8s-" + Kubernetes
)

// BuildKubernetes builds the image of KubernetesVariant and returns the directory
// that it is in. The first time takes a quarter of an hour.
func BuildKubernetes(ctx context.Context, root workspace.Root, out io.Writer) (string, error) {
	dir := root.Path("build", "images", KubernetesVariant)
	return dir, image.Build(ctx, root, image.Options{Variant: KubernetesVariant, Version: Version, Out: dir}, out)
}
