package ociimage

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Open returns the image for this architecture in the layout or the archive at
// file: an archive of a layout, or one that Docker has saved. An archive of a
// layout is unpacked into dir, which has to stay for as long as the image is used.
func Open(file, dir string) (v1.Image, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	image, err := open(file, dir, info.IsDir())
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", file, err)
	}
	return image, nil
}

func open(file, dir string, isLayout bool) (v1.Image, error) {
	if isLayout {
		return fromLayout(file)
	}
	ours, err := unpack(file, dir)
	if err != nil {
		return nil, err
	}
	if ours {
		return fromLayout(dir)
	}
	return tarball.ImageFromPath(file, nil)
}

func fromLayout(dir string) (v1.Image, error) {
	l, err := layout.FromPath(dir)
	if err != nil {
		return nil, err
	}
	index, err := l.ImageIndex()
	if err != nil {
		return nil, err
	}
	return choose(index)
}

// choose returns the image of index for this architecture: the only one that there
// is, or the one that says so.
func choose(index v1.ImageIndex) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var fits []v1.Descriptor
	for _, d := range manifest.Manifests {
		p := d.Platform
		if len(manifest.Manifests) == 1 || p == nil && d.MediaType.IsIndex() || p != nil && p.OS == "linux" && p.Architecture == runtime.GOARCH {
			fits = append(fits, d)
		}
	}
	if len(fits) != 1 {
		return nil, fmt.Errorf("it holds %d images for linux/%s, want one", len(fits), runtime.GOARCH)
	}
	if fits[0].MediaType.IsIndex() {
		inner, err := index.ImageIndex(fits[0].Digest)
		if err != nil {
			return nil, err
		}
		return choose(inner)
	}
	if !fits[0].MediaType.IsImage() {
		return nil, fmt.Errorf("it holds %s, want %s", fits[0].MediaType, types.OCIManifestSchema1)
	}
	return index.Image(fits[0].Digest)
}

// unpack unpacks the archive at file into dir, and reports whether it is one of a
// layout. What would get out of dir is an error.
func unpack(file, dir string) (bool, error) {
	in, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer in.Close()
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return false, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	for r := tar.NewReader(in); ; {
		head, err := r.Next()
		if err == io.EOF {
			_, err := root.Stat("oci-layout")
			return err == nil, nil
		}
		if err == nil {
			err = unpackOne(root, head, r)
		}
		if err != nil {
			return false, err
		}
	}
}

func unpackOne(root *os.Root, head *tar.Header, r io.Reader) error {
	name := filepath.Clean(strings.TrimPrefix(head.Name, "./"))
	switch {
	case head.Typeflag == tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case head.Typeflag != tar.TypeReg:
		return nil // archives of Docker have links; layouts have none
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
