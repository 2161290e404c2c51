package ociimage_test

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/bulkhead-os/bulkhead/tools/ociimage"
)

func files(t *testing.T) ociimage.Files {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := ociimage.Files{}
	f.Add("/usr/bin/program", source, 0o755)
	f.Symlink("/bin", "usr/bin")
	f.Text("/etc/motd", "hello\n", 0o644)
	f["/tmp"] = ociimage.File{Mode: fs.ModeDir | fs.ModeSticky | 0o777}
	f["/usr/bin/sudo"] = ociimage.File{Mode: fs.ModeSetuid | 0o755, UID: 0, GID: 5}
	return f
}

func image(t *testing.T) v1.Image {
	t.Helper()
	i, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/usr/bin/program"}, Env: []string{"A=b"}, User: "1:2", Created: time.Unix(1e9, 0)}, files(t), ociimage.Files{"/empty": {Mode: fs.ModeDir | 0o700}})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// An image has what it was made of, in the order of names.
func TestNew(t *testing.T) {
	i := image(t)
	layers, err := i.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("layers: %d, %v, want 2", len(layers), err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(in)
		got = append(got, strings.Join([]string{
			string(h.Typeflag), h.Name, h.FileInfo().Mode().String(), h.Linkname, h.Uname, h.ModTime.UTC().Format(time.DateOnly), string(text),
		}, "|"))
	}
	const day = "2001-09-09"
	want := []string{
		"2|bin|Lrwxrwxrwx|usr/bin||" + day + "|", "5|etc/|drwxr-xr-x|||" + day + "|", "0|etc/motd|-rw-r--r--|||" + day + "|hello\n",
		"5|tmp/|dtrwxrwxrwx|||" + day + "|", "5|usr/|drwxr-xr-x|||" + day + "|", "5|usr/bin/|drwxr-xr-x|||" + day + "|",
		"0|usr/bin/program|-rwxr-xr-x|||" + day + "|program", "0|usr/bin/sudo|urwxr-xr-x|||" + day + "|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first layer (-want +got):\n%s", diff)
	}
	config, err := i.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v1.Config{Entrypoint: []string{"/usr/bin/program"}, Env: []string{"A=b"}, User: "1:2"}, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// The same files give the same bytes.
func TestReproducible(t *testing.T) {
	dir := t.TempDir()
	var archives [2][]byte
	for i := range archives {
		file := filepath.Join(dir, "archive.tar")
		if err := ociimage.WriteArchive(image(t), "test:v1", file); err != nil {
			t.Fatal(err)
		}
		var err error
		if archives[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of the same image differ")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("beside the archive there is %v, %v, want nothing", left, err)
	}
}

// A layout has the name by which programs find the image.
func TestWriteLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	for range 2 { // what was there is replaced
		if err := ociimage.WriteLayout(image(t), "example.org/test:v1", dir); err != nil {
			t.Fatal(err)
		}
	}
	l, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	index, err := l.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	want, err := image(t).Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest != want ||
		manifest.Manifests[0].Annotations["io.containerd.image.name"] != "example.org/test:v1" {
		t.Errorf("index %+v, want one image %s called example.org/test:v1", manifest.Manifests, want)
	}
}

func TestPush(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer s.Close()
	ref := strings.TrimPrefix(s.URL, "http://") + "/team/test:v1"
	if err := ociimage.Push(t.Context(), image(t), ref); err != nil {
		t.Fatal(err)
	}
	named, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Image(named)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil {
		t.Errorf("the image in the registry: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, f := range map[string]ociimage.Files{
		"device": {"/dev/null": {Mode: fs.ModeDevice | fs.ModeCharDevice}}, "absent": {"/a": {Source: "/nonexistent/file"}},
	} {
		if _, err := ociimage.New(ociimage.Config{}, f); err == nil || !strings.Contains(err.Error(), "layer: /") {
			t.Errorf("New with a file that is %s: %v, want an error with its path", name, err)
		}
	}
}

// What is in a directory gets into a layer, as root's.
func TestAddTree(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "a/b"), 0o755), os.WriteFile(filepath.Join(dir, "a/file"), nil, 0o644), os.Chmod(filepath.Join(dir, "a/file"), 0o755|fs.ModeSetuid),
		os.Symlink("a", filepath.Join(dir, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f := ociimage.Files{}
	if err := f.AddTree(dir); err != nil {
		t.Fatal(err)
	}
	want := ociimage.Files{
		"/a": {Mode: fs.ModeDir | 0o755}, "/a/b": {Mode: fs.ModeDir | 0o755}, "/link": {Mode: fs.ModeSymlink | 0o777, Link: "a"},
		"/a/file": {Mode: fs.ModeSetuid | 0o755, Source: filepath.Join(dir, "a/file")},
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("AddTree (-want +got):\n%s", diff)
	}
}

// An image is the same again when it is read from a layout or an archive.
func TestOpen(t *testing.T) {
	want, err := image(t).Digest()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := ociimage.WriteLayout(image(t), "test:v1", filepath.Join(dir, "layout")); err != nil {
		t.Fatal(err)
	}
	if err := ociimage.WriteArchive(image(t), "test:v1", filepath.Join(dir, "archive.tar")); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("test:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(dir, "saved.tar"), tag, image(t)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"layout", "archive.tar"} {
		got, err := ociimage.Open(filepath.Join(dir, file), filepath.Join(dir, "unpacked"))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := got.Digest(); err != nil || d != want {
			t.Errorf("digest of the image in %s: %s, %v, want %s", file, d, err, want)
		}
	}
	got, err := ociimage.Open(filepath.Join(dir, "saved.tar"), filepath.Join(dir, "unpacked"))
	if err != nil {
		t.Fatal(err)
	}
	if layers, err := got.Layers(); err != nil || len(layers) != 2 {
		t.Errorf("layers of the image that Docker saved: %d, %v, want 2", len(layers), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "none.tar"), []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"none.tar", "absent.tar"} {
		if _, err := ociimage.Open(filepath.Join(dir, file), filepath.Join(dir, "unpacked")); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("Open(%s): %v, want an error with its name", file, err)
		}
	}
}
