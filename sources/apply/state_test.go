package apply

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/plan"
)

// Whatever is in the file, there is a state to go on with, and it is kept.
func FuzzLoadState(f *testing.F) {
	for _, text := range []string{"", "{", "null", "[]", `{"files":null}`, `{"files":{"/etc/motd":{"hash":"x"}},"pending":{},"directories":{"/etc/a":true}}`, `{"files":{"":null}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		file := filepath.Join(dir, stateDir, stateFile)
		put(t, file, string(data))
		root, err := os.OpenRoot(dir)
		must(t, err)
		defer root.Close()
		s, err := loadState(root)
		if s == nil {
			t.Fatalf("loadState of %q: no state, %v", data, err)
		}
		if err != nil {
			if got, readErr := os.ReadFile(file + ".broken"); readErr != nil || string(got) != string(data) {
				t.Errorf("loadState of %q: put aside as %q, %v", data, got, readErr)
			}
		}
		s.Files["/etc/x"] = plan.Written{Hash: "h"}
		s.Pending["/etc/y"] = plan.Written{}
		s.Directories["/etc/z"] = true
		must(t, s.save(root))
		again, err := loadState(root)
		if diff := cmp.Diff(s, again); err != nil || diff != "" {
			t.Errorf("state after save and load: %v (-saved +loaded):\n%s", err, diff)
		}
	})
}
