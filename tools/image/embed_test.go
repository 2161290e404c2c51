package image

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestParseEmbed(t *testing.T) {
	got, err := ParseEmbed([]string{"admin", "control=build/control.tar", "example.org/a:v1=127.0.0.1:5000/a@sha256:x=y"})
	want := map[string]string{"admin": "", "control": "build/control.tar", "example.org/a:v1": "127.0.0.1:5000/a@sha256:x=y"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ParseEmbed (-want +got):\n%s\nerror %v", diff, err)
	}
	for _, words := range [][]string{{""}, {"=a"}, {"admin="}, {"a", "a=b"}} {
		if got, err := ParseEmbed(words); err == nil {
			t.Errorf("ParseEmbed(%q) = %q, want an error", words, got)
		}
	}
}

// Images get into the root as nodes look for them, under the names of those that
// are to run them.
func TestAddEmbedded(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	v, err := variant.Load(os.DirFS(root.Path("variants")), "qemu-dev")
	if err != nil {
		t.Fatal(err)
	}
	made, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/x"}}, ociimage.Files{"/x": {Mode: 0o755, Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := made.Digest()
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "x.tar")
	if err := ociimage.WriteArchive(made, "other:v9", archive); err != nil {
		t.Fatal(err)
	}
	const wrong = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, tt := range []struct {
		name, as, source string
		file, err        string
	}{
		{name: "host container", as: "admin", source: archive, file: "ghcr.io_bulkhead-os_admin_v0.1.0.tar"},
		{name: "image", as: "tool", source: archive, err: `embed tool: variant qemu-dev has no host container "tool" with an image; write the whole name of the image`},
		{name: "image by its name", as: "docker.io/team/tool", source: archive, file: "docker.io_team_tool_latest.tar"},
		{name: "digest", as: "a.example/tool@" + digest.String(), source: archive, file: "a.example_tool_sha256_" + digest.Hex + ".tar"},
		{
			name: "wrong digest", as: "a.example/tool@" + wrong, source: archive,
			err: "embed a.example/tool@" + wrong + ": " + archive + " has the digest " + digest.String() + ", and nodes want " + wrong,
		},
		{name: "no such file", as: "admin", source: "/nonexistent.tar", err: "embed admin: there is no file /nonexistent.tar"},
		{name: "tag elsewhere", as: "admin", source: "a.example/admin:v1", err: "embed admin: a.example/admin:v1 is not named by its digest, and may be another one tomorrow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			b := &builder{progress: progress{&out}, root: root, work: t.TempDir(), variant: v, embed: map[string]string{tt.as: tt.source}, contents: contents{}}
			if err := b.addEmbedded(t.Context()); err != nil || tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("addEmbedded: %v, want %s", err, tt.err)
				}
				return
			}
			e := b.contents[imagesDir+"/"+tt.file]
			if info, err := os.Stat(e.source); err != nil || info.Size() != b.embedded || e.mode != fs.FileMode(0o644) {
				t.Errorf("addEmbedded has %v, %v, %d bytes, want the file %s", b.contents.paths(), err, b.embedded, tt.file)
			}
			if !strings.Contains(out.String(), digest.String()) {
				t.Errorf("addEmbedded says %q, want the digest %s", &out, digest)
			}
		})
	}
}
