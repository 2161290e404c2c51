package repo

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/bulkhead-os/bulkhead/models/update"
)

// Bundle writes one release with all that proves it to the file out, for nodes
// without a network: a tar archive without compression, in which the files have
// the names that they have on a server, metadata first. Nothing is trusted
// because it is in a bundle, so a node verifies it as it does a server, and
// refuses it when the metadata has expired.
//
// With a version from, the bundle has patches from that version in place of the
// images, and is of use to nodes only that run it.
func (v *View) Bundle(ctx context.Context, s Selector, from update.Version, out string) (err error) {
	targets, err := v.bundled(s, from)
	if err != nil {
		return err
	}
	tmp, err := renameio.TempFile(filepath.Dir(out), out)
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	defer func() { _ = tmp.Cleanup() }() // nothing is left of it once it has its name
	w := tar.NewWriter(tmp)
	for _, f := range v.metadata {
		if err := header(w, f.path, int64(len(f.data))); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	for _, name := range targets {
		if err := v.bundleTarget(ctx, w, name); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Close(), tmp.Chmod(0o644)); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return tmp.CloseAtomicallyReplace()
}

// bundled returns the names of the targets that a bundle of a release has.
func (v *View) bundled(s Selector, from update.Version) ([]string, error) {
	rel, ok := v.Manifest.Find(s.Variant, s.Arch, s.Version)
	if !ok {
		return nil, fmt.Errorf("no release %s %s %s", s.Variant, s.Arch, s.Version)
	}
	names := []string{update.ManifestTarget}
	if rel.Migrations != "" {
		names = append(names, rel.Migrations)
	}
	if from.IsZero() && rel.Images.BootBlocks != "" {
		names = append(names, rel.Images.BootBlocks)
	}
	found := false
	for _, image := range patched {
		p, ok := rel.Patch(image, from)
		if found = found || ok; ok {
			names = append(names, p.Target)
		} else {
			names = append(names, rel.Images.Target(image))
		}
	}
	if !found && !from.IsZero() {
		return nil, fmt.Errorf("%s has no patch from %s: repo patch makes one", rel.Name(), from)
	}
	return names, nil
}

func (v *View) bundleTarget(ctx context.Context, w *tar.Writer, name string) error {
	t := v.Targets[name]
	if t == nil {
		return fmt.Errorf("target %s is not there", name)
	}
	if err := header(w, path.Join(Targets, fileName(name, t)), t.Length); err != nil {
		return err
	}
	return v.copy(ctx, name, w)
}

// header has nothing in it that differs between two bundles of the same files.
func header(w *tar.Writer, name string, size int64) error {
	return w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	})
}

// FromBundle returns the repository in a bundle, with what the bundle has of it.
func FromBundle(file string) (Source, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	type part struct{ offset, size int64 }
	parts := map[string]part{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read bundle %s: %w", file, err)
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		parts[h.Name] = part{at, h.Size}
	}
	return func(_ context.Context, name string) (io.ReadCloser, error) {
		p, ok := parts[name]
		if !ok {
			return nil, fmt.Errorf("%s is not in the bundle: %w", name, os.ErrNotExist)
		}
		in, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(in, p.offset, p.size), in}, nil
	}, nil
}

// IsBundle reports whether the file begins as a bundle does.
func IsBundle(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, 4096)
	n, _ := io.ReadFull(f, start) // short files are no bundles
	return bytes.Contains(start[:n], []byte("ustar")) && bytes.Contains(start[:n], []byte(Metadata+"/"))
}
