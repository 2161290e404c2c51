package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// signedRoot returns a root that its own key has signed.
func signedRoot(t *testing.T) []byte {
	t.Helper()
	key, err := sign.Generate(filepath.Join(t.TempDir(), "key"), sign.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	root := metadata.Root(time.Now().Add(time.Hour))
	if err := root.Signed.AddKey(key.Public, metadata.ROOT); err != nil {
		t.Fatal(err)
	}
	if err := sign.Sign(t.Context(), root, key); err != nil {
		t.Fatal(err)
	}
	data, err := root.ToBytes(true)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestUpdateRoot(t *testing.T) {
	good := signedRoot(t)
	tests := []struct {
		name    string
		file    []byte // among the keys; nil for none
		given   []byte // by name; nil for none
		missing bool   // what is given by name is not there
		want    string
		there   bool
	}{
		{name: "none"},
		{name: "among the keys", file: good, there: true},
		{name: "by name", given: good, there: true},
		{name: "by name, and not there", missing: true, want: "no such file"},
		{name: "nothing of the kind", file: []byte("{}"), want: "root of trust for updates"},
		{name: "changed since it was signed", file: []byte(strings.Replace(string(good), `"version": 1`, `"version": 7`, 1)), want: "not enough signatures"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			b := &builder{opt: Options{Keys: dir}, contents: contents{}}
			write := func(name string, data []byte) string {
				file := filepath.Join(dir, name)
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
				return file
			}
			if tt.file != nil {
				write(UpdateRootFile, tt.file)
			}
			if tt.given != nil {
				b.opt.Root = write("other.json", tt.given)
			}
			if tt.missing {
				b.opt.Root = filepath.Join(dir, "nowhere")
			}
			err := b.addUpdateRoot()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("addUpdateRoot: %v, want %q", err, tt.want)
			}
			if _, there := b.contents[updateRoot]; there != tt.there {
				t.Errorf("%s is in the image: %v, want %v", updateRoot, there, tt.there)
			}
		})
	}
}
