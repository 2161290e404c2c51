// Package ociimage makes images of containers without an engine for containers.
//
// The same files give the same bytes, and so the same digest: times are those of
// the image, files are in the order of their names, and nobody's user name is in
// a layer.
package ociimage

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A File is what an image has at one path.
type File struct {
	Mode     fs.FileMode // with the bits of its type
	UID, GID int
	Data     []byte
	Source   string // instead of Data: the file whose contents it has
	Link     string // of a symbolic link
}

// Files are the files of a layer by their paths, which begin with "/". The
// directories above a file need not be given.
type Files map[string]File

// Add adds the regular file at source as to.
func (f Files) Add(to, source string, perm fs.FileMode) { f[to] = File{Mode: perm, Source: source} }

// Text adds a regular file with contents of its own.
func (f Files) Text(to, text string, perm fs.FileMode) { f[to] = File{Mode: perm, Data: []byte(text)} }

// Dir adds a directory.
func (f Files) Dir(to string, perm fs.FileMode) { f[to] = File{Mode: fs.ModeDir | perm} }

// Symlink adds a symbolic link.
func (f Files) Symlink(to, target string) { f[to] = File{Mode: fs.ModeSymlink | 0o777, Link: target} }

// A Config says what an image is beside its files.
type Config struct {
	Entrypoint []string
	Cmd        []string
	Env        []string
	User       string
	WorkingDir string
	Labels     map[string]string
	Created    time.Time // zero for the beginning of 1970
}

// New returns the image of cfg with one layer for each of layers.
func New(cfg Config, layers ...Files) (v1.Image, error) {
	if cfg.Created.IsZero() {
		cfg.Created = time.Unix(0, 0)
	}
	cfg.Created = cfg.Created.UTC()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: "linux", Created: v1.Time{Time: cfg.Created},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: cfg.Entrypoint, Cmd: cfg.Cmd, Env: cfg.Env, User: cfg.User, WorkingDir: cfg.WorkingDir, Labels: cfg.Labels,
		},
	})
	if err != nil {
		return nil, err
	}
	for _, files := range layers {
		layer, err := files.layer(cfg.Created)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: cfg.Created}},
		})
		if err != nil {
			return nil, err
		}
	}
	return image, nil
}

// layer returns f as a compressed layer.
func (f Files) layer(at time.Time) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	all := f.withParents()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := all[name].write(w, name, at); err != nil {
			return nil, fmt.Errorf("layer: %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// withParents returns f with the directories that its files are in.
func (f Files) withParents() Files {
	all := maps.Clone(f)
	for name := range f {
		for dir := path.Dir(name); dir != "/" && dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir]; !ok {
				all.Dir(dir, 0o755)
			}
		}
	}
	return all
}

func (f File) write(w *tar.Writer, name string, at time.Time) error {
	data := f.Data
	if f.Source != "" {
		var err error
		if data, err = os.ReadFile(f.Source); err != nil {
			return err
		}
	}
	head := tar.Header{
		Name: strings.TrimPrefix(name, "/"), ModTime: at, Uid: f.UID, Gid: f.GID, Format: tar.FormatPAX,
		Mode: int64(f.Mode.Perm()) | special(f.Mode),
	}
	switch f.Mode.Type() {
	case 0:
		head.Typeflag, head.Size = tar.TypeReg, int64(len(data))
	case fs.ModeDir:
		head.Typeflag, head.Name = tar.TypeDir, head.Name+"/"
	case fs.ModeSymlink:
		head.Typeflag, head.Linkname = tar.TypeSymlink, f.Link
	default:
		return fmt.Errorf("it is %s, and images are made of files, directories and symbolic links", f.Mode.Type())
	}
	if err := w.WriteHeader(&head); err != nil {
		return err
	}
	if head.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := w.Write(data)
	return err
}

// special returns the bits of a mode that tar and Go number differently.
func special(m fs.FileMode) int64 {
	var bits int64
	for bit, is := range map[int64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&is != 0 {
			bits |= bit
		}
	}
	return bits
}

// AddTree adds all below dir, with the modes it has there and root as the owner.
func (f Files) AddTree(dir string) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		to := strings.TrimPrefix(file, dir)
		switch info.Mode().Type() {
		case fs.ModeSymlink:
			target, err := os.Readlink(file)
			f.Symlink(to, target)
			return err
		case fs.ModeDir:
			f[to] = File{Mode: info.Mode()}
		default:
			f[to] = File{Mode: info.Mode(), Source: file}
		}
		return nil
	})
}
