package nodeimages

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"

	daemon "github.com/bulkhead-os/bulkhead/tools/containerd"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Images of the operating system are there after each call, and pinned.
func TestImport(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if why := daemon.Missing(root); why != "" {
		t.Skip("containerd cannot be run: " + why)
	}
	dir, err := os.MkdirTemp("", "ni") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var output bytes.Buffer
	d, err := daemon.New(root, filepath.Join(dir, "c"), &output)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("%v\n%s", err, &output)
	}
	defer func() {
		if err := d.Kill(); err != nil {
			t.Error(err)
		}
	}()
	archives := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	if err := importAll(t.Context(), filepath.Join(dir, "nobody"), archives, log); err != nil {
		t.Errorf("importAll without archives and containerd: %v", err)
	}
	files := ociimage.Files{}
	files.Text("/pause", "a program", 0o755)
	image, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/pause"}}, files)
	if err != nil {
		t.Fatal(err)
	}
	const name = "localhost/kubernetes/pause:0.1.0"
	if err := ociimage.WriteArchive(image, name, filepath.Join(archives, "pause.tar")); err != nil {
		t.Fatal(err)
	}
	client, err := containerd.New(d.Socket, containerd.WithDefaultNamespace(namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 2 {
		if err := importAll(t.Context(), d.Socket, archives, log); err != nil {
			t.Fatal(err)
		}
		got, err := client.GetImage(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got.Labels()["io.cri-containerd.pinned"] != "pinned" {
			t.Errorf("labels of %s: %v, want io.cri-containerd.pinned=pinned", name, got.Labels())
		}
	}
}
