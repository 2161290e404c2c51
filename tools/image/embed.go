package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
)

// imagesDir holds the images of containers that are part of the operating system,
// one archive each, by their names. sources/internal/hostcontainerd reads it.
const imagesDir = shareDir + "/images"

// addEmbedded adds the images of containers that the variant and the options name.
func (b *builder) addEmbedded(ctx context.Context) error {
	if len(b.embed) == 0 {
		return nil
	}
	work := b.temp("embedded")
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	for _, as := range slices.Sorted(maps.Keys(b.embed)) {
		if err := b.addOneEmbedded(ctx, as, b.embed[as], work); err != nil {
			return fmt.Errorf("embed %s: %w", as, err)
		}
	}
	return nil
}

func (b *builder) addOneEmbedded(ctx context.Context, as, source, work string) error {
	ref, err := b.variant.ImageName(as)
	if err != nil {
		return err
	}
	ref, err = fullName(ref)
	if err != nil {
		return err
	}
	image, err := b.embeddedImage(ctx, as, source, work)
	if err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	if _, want, ok := strings.Cut(ref, "@"); ok && want != digest.String() {
		return fmt.Errorf("%s has the digest %s, and nodes want %s", source, digest, want)
	}
	base := strings.NewReplacer("/", "_", ":", "_", "@", "_").Replace(ref) + ".tar"
	file := filepath.Join(work, base)
	if err := ociimage.WriteArchive(image, ref, file); err != nil {
		return err
	}
	if err := os.Chmod(file, 0o644); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	b.embedded += info.Size()
	fmt.Fprintf(b.progress.out, "embedded: %s %s %s\n", ref, digest, megabytes(info.Size()))
	return b.contents.copy(path.Join(imagesDir, base), file)
}

// embeddedImage returns the image that source says: the one that shipyard makes of
// the name, if it says nothing, an archive or a layout, or one in a registry.
func (b *builder) embeddedImage(ctx context.Context, as, source, work string) (v1.Image, error) {
	dir := filepath.Join(work, "from", filepath.Base(as))
	if source == "" {
		unlock, err := lock(b.root.Path("build", "oci"))
		if err != nil {
			return nil, err
		}
		defer unlock()
		built, err := recipe.Build(ctx, b.root, as, recipe.Options{Out: dir, Version: recipe.Version}, io.Discard)
		if err != nil {
			return nil, err
		}
		return ociimage.Open(built.Layout, "")
	}
	if _, err := os.Stat(source); err == nil {
		return ociimage.Open(source, dir)
	}
	return fetchImage(ctx, source)
}

// fetchImage returns an image out of a registry. One that is elsewhere has to be
// named by its digest: it is to be the same for whoever builds.
func fetchImage(ctx context.Context, source string) (v1.Image, error) {
	if strings.HasPrefix(source, ".") || strings.HasPrefix(source, "/") {
		return nil, fmt.Errorf("there is no file %s", source)
	}
	ref, err := name.ParseReference(source)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a file nor the name of an image: %w", source, err)
	}
	_, pinned := ref.(name.Digest)
	if !pinned && !isHere(ref.Context().RegistryStr()) {
		return nil, fmt.Errorf("%s is not named by its digest, and may be another one tomorrow", source)
	}
	return remote.Image(ref, remote.WithContext(ctx), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
}

// isHere reports whether a registry is on this computer.
func isHere(registry string) bool {
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = registry
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// fullName returns the name of an image as nodes look for it.
func fullName(ref string) (string, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return "", err
	}
	full := parsed.Name()
	if rest, ok := strings.CutPrefix(full, name.DefaultRegistry+"/"); ok {
		full = "docker.io/" + rest
	}
	return full, nil
}

// ParseEmbed reads what to embed as it is written on a command line: NAME, or
// NAME=SOURCE.
func ParseEmbed(words []string) (map[string]string, error) {
	out := map[string]string{}
	for _, w := range words {
		as, source, named := strings.Cut(w, "=")
		if as == "" || named && source == "" {
			return nil, fmt.Errorf("embed %q, want the NAME of a host container or an image, or NAME=SOURCE", w)
		}
		if _, ok := out[as]; ok {
			return nil, fmt.Errorf("embed %s twice", as)
		}
		out[as] = source
	}
	return out, nil
}
