package ociimage

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// WriteLayout writes image into dir in the layout of the Open Container
// Initiative, called ref. What was in dir is replaced.
func WriteLayout(image v1.Image, ref, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	// The first is for all programs, the second is what containerd imports by.
	return l.AppendImage(image, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": ref, "io.containerd.image.name": ref,
	}))
}

// WriteArchive writes image into file as an archive of its layout.
func WriteArchive(image v1.Image, ref, file string) error {
	dir, err := os.MkdirTemp(filepath.Dir(file), ".image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := WriteLayout(image, ref, filepath.Join(dir, "layout")); err != nil {
		return err
	}
	made := filepath.Join(dir, "archive")
	out, err := os.Create(made)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := archive(filepath.Join(dir, "layout"), out); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(made, file)
}

// archive writes the files below dir in the order of their names.
func archive(dir string, out io.Writer) error {
	w := tar.NewWriter(out)
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == "." {
			return err
		}
		head := tar.Header{Name: file, ModTime: time.Unix(0, 0), Format: tar.FormatPAX, Mode: 0o644, Typeflag: tar.TypeReg}
		if d.IsDir() {
			head.Name, head.Mode, head.Typeflag = file+"/", 0o755, tar.TypeDir
			return w.WriteHeader(&head)
		}
		data, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		head.Size = int64(len(data))
		if err := w.WriteHeader(&head); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// Push puts image into a registry on this computer, called ref there.
func Push(ctx context.Context, image v1.Image, ref string, opts ...remote.Option) error {
	to, err := name.ParseReference(ref)
	if err != nil {
		return err
	}
	return remote.Write(to, image, append([]remote.Option{remote.WithContext(ctx)}, opts...)...)
}
