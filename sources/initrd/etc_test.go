package initrd

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// list returns what is in dir with modes, contents and where links point.
func list(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case d.Type() == fs.ModeSymlink:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			text += " " + to
		case d.Type().IsRegular():
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += " " + string(data)
		}
		got[name[len(dir):]] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCopyTree(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	must(t, os.Mkdir(filepath.Join(from, "dir"), 0o700))
	must(t, os.WriteFile(filepath.Join(from, "dir", "shadow"), []byte("secret"), 0o640))
	must(t, os.WriteFile(filepath.Join(from, "machine-id"), nil, 0o444))
	must(t, os.Symlink("nowhere", filepath.Join(from, "link")))
	must(t, os.Chmod(filepath.Join(from, "dir"), 0o751|os.ModeSetgid))
	must(t, copyTree(from, to))
	want := map[string]string{
		"":            list(t, from)[""],
		"/dir":        "dgrwxr-x--x",
		"/dir/shadow": "-rw-r----- secret",
		"/link":       "Lrwxrwxrwx nowhere",
		"/machine-id": "-r--r--r-- ",
	}
	if diff := cmp.Diff(want, list(t, to)); diff != "" {
		t.Errorf("copyTree (-want +got):\n%s", diff)
	}
}

func TestCopyTreeRefuses(t *testing.T) {
	from := t.TempDir()
	must(t, unix.Mkfifo(filepath.Join(from, "pipe"), 0o600))
	err := copyTree(from, filepath.Join(t.TempDir(), "to"))
	if got, want := text(err), "copy "+filepath.Join(from, "pipe")+": neither a file nor a directory nor a link"; got != want {
		t.Errorf("copyTree: error %q, want %q", got, want)
	}
}

// Only a RAM disk is ever emptied.
func TestFreeRAMDisk(t *testing.T) {
	if err := freeRAMDisk("/proc"); text(err) != "free the RAM disk: /proc is something else" {
		t.Errorf("freeRAMDisk of /proc: %v, want a refusal", err)
	}
}
