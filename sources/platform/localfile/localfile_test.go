package localfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/localfile"
)

func TestRead(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  platform.Data
		err   string
	}{
		{name: "nothing"},
		{name: "TOML", files: map[string]string{"user-data.toml": "a"}, want: platform.Data{From: "user-data.toml", UserData: []byte("a")}},
		{
			name: "several", files: map[string]string{"user-data": "a", "user-data.json": "b", "net.toml": "c"},
			want: platform.Data{From: "user-data.json", UserData: []byte("b"), Network: []byte("c")},
		},
		{name: "empty", files: map[string]string{"user-data.toml": ""}},
		{name: "a directory", files: map[string]string{"user-data.toml/x": "a"}, err: "in DIR: user-data.toml: it is no file"},
		{name: "10 MiB", files: map[string]string{"user-data": strings.Repeat("x", 10<<20)}, err: "in DIR: user-data: there are more than 8388608 bytes"},
		{name: "a link to elsewhere", files: map[string]string{"user-data": "-> /etc/passwd"}, err: "in DIR: openat user-data: path escapes from parent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if target, ok := strings.CutPrefix(text, "-> "); ok {
					if err := os.Symlink(target, file); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := localfile.Source{Dir: dir}.Read(t.Context())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && strings.ReplaceAll(err.Error(), dir, "DIR") != tt.err {
				t.Errorf("Read: %v, want %q", err, tt.err)
			}
		})
	}
	if got, err := (localfile.Source{Dir: filepath.Join(t.TempDir(), "absent")}).Read(t.Context()); err != nil || !got.Empty() {
		t.Errorf("Read of a directory that is not there: %v, %v, want nothing", got, err)
	}
}
