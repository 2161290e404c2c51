package validators_test

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"testing"
)

// What network-config makes of descriptions of networks is shown to the program
// that reads it. One look of that is at all files of an example.
func TestNetworkFiles(t *testing.T) {
	dirs, err := filepath.Glob(root + "/sources/networkconfig/testdata/*/out")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("examples of networks: %v, %v, want some", dirs, err)
	}
	m, all := machine(t, "qemu-dev")
	for _, dir := range dirs {
		t.Run(path.Base(path.Dir(dir)), func(t *testing.T) {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, e := range entries {
				data, err := os.ReadFile(filepath.Join(dir, e.Name()))
				file := "/run/systemd/network/" + e.Name()
				if err := errors.Join(err, m.Put(file, data, 0o644)); err != nil {
					t.Fatal(err)
				}
				files = append(files, file)
			}
			check(t, m, all, files[0])
			for _, file := range files {
				if err := m.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
