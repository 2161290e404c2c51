package hostcontainerd

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
)

// embedded returns the archive that the operating system brought of the image
// called name, or "".
func (c *Client) embedded(name string) string {
	file := filepath.Join(c.path(c.opt.Images), strings.NewReplacer("/", "_", ":", "_", "@", "_").Replace(name)+".tar")
	if exists(file) {
		return file
	}
	return ""
}

// fromSystem returns the image called name that is in archive, a part of the
// operating system. The copy had is it, unless it came with another version of that
// or out of a registry.
func (c *Client) fromSystem(ctx context.Context, name, archive string, had containerd.Image) (containerd.Image, error) {
	want, err := digestIn(archive, name)
	if err == nil && had != nil && had.Target().Digest.String() == want {
		return had, nil
	}
	var image containerd.Image
	if err == nil {
		image, err = c.load(ctx, name, archive, want)
	}
	if err != nil && had != nil && ctx.Err() == nil {
		c.log.Warn("image of the operating system cannot be used, so the copy from before is", "image", name, "error", err)
		return had, nil
	}
	return image, err
}

// digestIn returns the digest of the image called name in archive.
func digestIn(archive, name string) (string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; { // what is passed over is not read
		head, err := r.Next()
		if err != nil {
			return "", fmt.Errorf("%s has no list of images: %w", archive, err)
		}
		if filepath.Clean(head.Name) != "index.json" {
			continue
		}
		var index struct {
			Manifests []struct {
				Digest      string            `json:"digest"`
				Annotations map[string]string `json:"annotations"`
			} `json:"manifests"`
		}
		if err := json.NewDecoder(r).Decode(&index); err != nil {
			return "", fmt.Errorf("%s: list of images: %w", archive, err)
		}
		for _, m := range index.Manifests {
			if m.Annotations[images.AnnotationImageName] == name {
				return m.Digest, nil
			}
		}
		return "", fmt.Errorf("%s does not hold %s", archive, name)
	}
}

// load makes the image called name, whose digest is want, known to containerd.
func (c *Client) load(ctx context.Context, name, archive string, want string) (containerd.Image, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var image containerd.Image
	err = c.leased(ctx, func(ctx context.Context) error {
		if _, err := c.containerd.Import(ctx, f, containerd.WithSkipMissing()); err != nil {
			return err
		}
		found, err := c.containerd.ImageService().Get(ctx, name)
		if err != nil {
			return err
		}
		if found.Target.Digest.String() != want {
			return fmt.Errorf("what came out of it has the digest %s, want %s", found.Target.Digest, want)
		}
		image, err = c.unpack(ctx, found)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("import %s: %w", archive, err)
	}
	return image, nil
}
